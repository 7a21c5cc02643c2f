"""The life of a code where time and other hands are at work, on the real firmware with short times."""

import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hil_world import WAIT_S, Bench, World, running
from seam import SeamHttpApiError, SeamWebhook

SHORT = "poll_s = 0.5\nset_slow_s = 0.3\nset_failed_s = 0.6\nremove_slow_s = 0.3\nremove_failed_s = 0.6"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("life"), timing=SHORT) as world:
        yield world


def test_synchronous_calls_answer_when_the_keypad_has_done_it(world: World) -> None:
    def ask(verb: str, **asked: object) -> dict[str, Any]:
        # The contract has `sync`; the SDK of today has no argument for it.
        reply: dict[str, Any] = world.seam.client.post(f"/access_codes/{verb}", json={**asked, "sync": True})
        return reply

    code = ask("create", device_id=world.device_id, code="736451")["access_code"]
    assert code["status"] == "set"
    with world.keypad.bench() as bench:
        assert bench.opens("736451")
        changed = ask("update", access_code_id=code["access_code_id"], code="864214")
        assert changed["action_attempt"]["status"] == "success"
        assert bench.opens("864214")
        gone = ask("delete", access_code_id=code["access_code_id"])
        assert gone["action_attempt"]["status"] == "success"
        assert not bench.opens("864214")
    with pytest.raises(SeamHttpApiError) as caught:
        world.seam.access_codes.get(access_code_id=code["access_code_id"])
    assert caught.value.status_code == 404


def test_code_for_a_keypad_that_is_away_is_late_then_failed_then_set(world: World) -> None:
    gone = world.create(code="591027")
    mark = world.bridge.mark()
    world.seam.devices.simulate.disconnect(device_id=world.device_id)
    world.bridge.link("disconnected", world.device_id, after=mark)
    code_id = world.seam.access_codes.create(device_id=world.device_id, code="482915").access_code_id
    world.seam.access_codes.delete(access_code_id=gone)
    for event_type, about in [
        ("access_code.delay_in_setting_on_device", code_id),
        ("access_code.failed_to_set_on_device", code_id),
        ("access_code.delay_in_removing_from_device", gone),
        ("access_code.failed_to_remove_from_device", gone),
    ]:
        world.bridge.event(event_type, about, after=mark)
    late = world.seam.access_codes.get(access_code_id=code_id)
    assert [it.error_code for it in late.errors] == ["failed_to_set_on_device", "device_disconnected"]
    assert [it.warning_code for it in late.warnings] == ["delay_in_setting_on_device"]
    world.seam.devices.simulate.connect(device_id=world.device_id)
    world.bridge.event("access_code.set_on_device", code_id, after=mark)
    world.bridge.event("access_code.deleted", gone, after=mark)
    world.bridge.link("online", world.device_id, after=mark)
    done = world.seam.access_codes.get(access_code_id=code_id)
    assert (done.status, done.errors, done.warnings) == ("set", [], [])
    assert world.event_types(code_id).count("access_code.failed_to_set_on_device") == 1


def test_code_that_is_taken_off_at_the_keypad_is_set_again_once_and_then_a_person_is_asked(
    world: World,
) -> None:
    code_id = world.create(code="7364")
    with world.keypad.bench() as bench:
        mark = world.bridge.mark()
        bench.ask(unprogram="7364")
        world.bridge.event("access_code.deleted_external_to_seam", code_id, after=mark)
        world.bridge.event("access_code.set_on_device", code_id, after=mark)
        assert bench.opens("7364")
        mark = world.bridge.mark()
        bench.ask(unprogram="7364")
        world.bridge.event("access_code.deleted_external_to_seam", code_id, after=mark)
        world.create(code="8642")  # is set after that: what was to be written has been
        assert not bench.opens("7364")
        marked = world.seam.access_codes.get(access_code_id=code_id)
        assert marked.errors[0].error_code == "code_modified_external_to_seam"
        assert "third_party_integration_detected" in [it.warning_code for it in marked.warnings]
        # A person has seen to it: the code is given anew.
        mark = world.bridge.mark()
        world.seam.access_codes.update(access_code_id=code_id, code="73645")
        world.bridge.event("access_code.set_on_device", code_id, after=mark)
        assert bench.opens("73645")


def change_pin(world: World, bench: Bench, old: str, new: str) -> None:
    bench.ask(press=f"{world.master_pin}#3#{old}#{new}#*")


def test_pin_that_is_changed_at_the_keypad_is_set_right_once_and_then_a_person_is_asked(world: World) -> None:
    code_id = world.create(code="618034")
    with world.keypad.bench() as bench:
        mark = world.bridge.mark()
        change_pin(world, bench, "618034", "618039")
        world.bridge.event("access_code.modified_external_to_seam", code_id, after=mark)
        world.bridge.event("access_code.set_on_device", code_id, after=mark)
        assert [bench.opens(pin) for pin in ("618034", "618039")] == [True, False]
        mark = world.bridge.mark()
        change_pin(world, bench, "618034", "618039")
        world.bridge.event("access_code.modified_external_to_seam", code_id, after=mark)
        other = world.create(code="8643")  # is set after that: what was to be written has been
        assert [bench.opens(pin) for pin in ("618034", "618039")] == [False, True]
        code = world.seam.access_codes.get(access_code_id=code_id)
        assert (code.code, code.errors[0].error_code) == ("618034", "code_modified_external_to_seam")
        assert code.errors[0].change_type == "modified"
        assert "third_party_integration_detected" in [it.warning_code for it in code.warnings]
        for id_ in (code_id, other):
            world.seam.access_codes.delete(access_code_id=id_)
            world.bridge.event("access_code.deleted", id_)
        assert not bench.opens("618039")


def test_pin_that_may_be_changed_at_the_keypad_is_followed(world: World) -> None:
    code_id = world.create(code="618034", name="Ann", is_external_modification_allowed=True)
    place = world.place(code_id)
    with world.keypad.bench() as bench:
        change_pin(world, bench, "618034", "618039")
        world.bridge.event("access_code.modified_external_to_seam", code_id)
        code = world.seam.access_codes.get(access_code_id=code_id)
        assert (code.code, code.name, code.status, code.errors) == ("618039", "Ann", "set", [])
        assert [(it.warning_code, it.change_type) for it in code.warnings] == [
            ("code_modified_external_to_seam", "modified")
        ]
        assert bench.opens("618039")
    other = world.create(code="8643")  # is set after that: what was to be written has been
    now = world.place(code_id)
    assert (now["slot"], now["maker"]) == (place["slot"], "keypad")
    for id_ in (code_id, other):
        world.seam.access_codes.delete(access_code_id=id_)
        world.bridge.event("access_code.deleted", id_)


def test_code_that_a_person_makes_his_own_is_left_to_him(world: World) -> None:
    """He takes it off and makes one with its PIN: the hub's stands aside, and says which one has the PIN."""
    code_id = world.create(code="618034")
    mark = world.bridge.mark()
    with world.keypad.bench() as bench:
        world.seam.devices.simulate.disconnect(device_id=world.device_id)
        bench.ask(unprogram="618034")
        bench.ask(program="618034")
        world.seam.devices.simulate.connect(device_id=world.device_id)
        his = world.bridge.event("access_code.unmanaged.created", after=mark)["access_code_id"]
        world.bridge.event("access_code.deleted_external_to_seam", code_id, after=mark)
        world.bridge.event("access_code.failed_to_set_on_device", code_id, after=mark)
        errors = {it.error_code: it for it in world.seam.access_codes.get(access_code_id=code_id).errors}
        assert errors["duplicate_code_on_device"].unmanaged_access_code_id == his
        assert bench.opens("618034")
        world.seam.access_codes.unmanaged.delete(access_code_id=his)
        world.bridge.event("access_code.unmanaged.removed", his, after=mark)
        world.bridge.event("access_code.set_on_device", code_id, after=mark)
        assert bench.opens("618034")
    world.seam.access_codes.delete(access_code_id=code_id)
    world.bridge.event("access_code.deleted", code_id)


def test_code_that_may_be_taken_off_stays_off(world: World) -> None:
    code_id = world.create(code="591028", is_external_modification_allowed=True)
    with world.keypad.bench() as bench:
        bench.ask(unprogram="591028")
        world.bridge.event("access_code.deleted_external_to_seam", code_id)
        world.create(code="482916")
        assert not bench.opens("591028")
    code = world.seam.access_codes.get(access_code_id=code_id)
    assert (code.status, [it.warning_code for it in code.warnings]) == (
        "unset",
        ["code_modified_external_to_seam"],
    )


def test_key_presses_reach_a_webhook_signed_and_in_their_order(world: World) -> None:
    got: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(204)
            self.end_headers()
            got.put((dict(self.headers), body))

        def log_message(self, *_: object) -> None:
            """Quiet: the test tells what went wrong."""

    world.create(code="736452")
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        webhook = world.seam.webhooks.create(
            url=f"http://127.0.0.1:{server.server_port}/", event_types=["lock.unlocked", "lock.access_denied"]
        )
        with world.keypad.bench() as bench:
            assert bench.opens("736452")
            assert not bench.opens("999999")
        verifier = SeamWebhook(webhook.secret)
        seen = []
        for _ in range(2):
            headers, body = got.get(timeout=WAIT_S)
            seen.append(verifier.verify(body.decode(), headers).event_type)
        world.seam.webhooks.delete(webhook_id=webhook.webhook_id)
        server.shutdown()
    assert seen == ["lock.unlocked", "lock.access_denied"]


def test_one_time_code_opens_once_and_is_taken_off_the_keypad(world: World) -> None:
    mark = world.bridge.mark()
    code_id = world.create(code="917355", is_one_time_use=True)
    assert world.seam.access_codes.get(access_code_id=code_id).is_one_time_use
    with world.keypad.bench() as bench:
        assert bench.opens("917355")
        # Whether or not the hub has taken it off already.
        assert not bench.opens("917355")
    world.bridge.event("access_code.removed_from_device", code_id, after=mark)
    code = world.seam.access_codes.get(access_code_id=code_id)
    assert (code.status, code.display_status, code.errors, code.warnings) == ("unset", "Expired", [], [])
    # This world's times are so short that a busy machine is late by them.
    late = ("access_code.delay_in_", "access_code.failed_to_")
    assert [it for it in world.event_types(code_id) if not it.startswith(late)] == [
        "access_code.created",
        "access_code.set_on_device",
        "lock.unlocked",
        "access_code.removed_from_device",
    ]
    # A new PIN is a new life.
    mark = world.bridge.mark()
    world.seam.access_codes.update(access_code_id=code_id, code="917356")
    world.bridge.event("access_code.set_on_device", code_id, after=mark)
    with world.keypad.bench() as bench:
        assert bench.opens("917356")
        assert not bench.opens("917356")


def test_one_time_code_that_was_used_stays_used_over_a_cut_of_power_and_cable(world: World) -> None:
    code_id = world.create(code="628391", is_one_time_use=True)
    mark = world.bridge.mark()
    world.seam.devices.simulate.disconnect(device_id=world.device_id)
    world.bridge.link("disconnected", world.device_id, after=mark)
    with world.keypad.bench() as bench:
        assert bench.opens("628391")
        bench.ask(power="off")
        bench.ask(power="on")
        assert not bench.opens("628391")
    world.seam.devices.simulate.connect(device_id=world.device_id)
    world.bridge.event("access_code.removed_from_device", code_id, after=mark)
    world.bridge.link("online", world.device_id, after=mark)
    assert world.seam.access_codes.get(access_code_id=code_id).status == "unset"


def test_code_becomes_a_one_time_code_and_back_in_one_write(world: World) -> None:
    code_id = world.create(code="364827")
    with world.keypad.bench() as bench:
        for once in (True, False):
            mark = world.bridge.mark()
            world.seam.client.post(
                "/access_codes/update", json={"access_code_id": code_id, "is_one_time_use": once}
            )
            world.bridge.event("access_code.set_on_device", code_id, after=mark)
        assert [bench.opens("364827") for _ in range(2)] == [True, True]
