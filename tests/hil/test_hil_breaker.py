"""A keypad whose flash takes nothing, and many codes for it: what the hub still sends, counted on the wire."""

import time
from collections.abc import Callable, Iterator

import pytest
from doorpad.sync.breaker import REFUSED_MIN
from hil_world import WAIT_S, Bench, World, running
from on_the_wire import frames, sizes, slots

# Looks at the keypad are so rare that nothing but the breaker decides when a write is tried.
TIMING = "poll_s = 600.0\nset_slow_s = 0.5\nset_failed_s = 2.0\nremove_slow_s = 0.5"
COUNT = 40


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("breaker"), timing=TIMING) as world:
        world.wears_out = True
        yield world


@pytest.fixture
def bench(world: World) -> Iterator[Bench]:
    with world.keypad.bench() as bench:
        yield bench


def until(is_so: Callable[[], bool]) -> None:
    """Look until it is so."""
    deadline_s = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline_s


def refused(world: World) -> int:
    return sum(world.said.count(f" refused {it} of slot ") for it in ("PUT", "DEL"))


def ask_for_codes_while_away(world: World, bench: Bench) -> list[str]:
    mark = world.bridge.mark()
    bench.ask(cable="out")
    world.bridge.link("disconnected", world.device_id, after=mark)
    return [
        world.seam.access_codes.create(device_id=world.device_id, code=f"{70_000 + 13 * n}").access_code_id
        for n in range(COUNT)
    ]


def test_keypad_that_takes_nothing_is_tried_with_one_write_at_a_time_and_then_given_all(
    world: World, bench: Bench
) -> None:
    to_delete = world.create(code="482913")
    ids = ask_for_codes_while_away(world, bench)
    world.seam.access_codes.delete(access_code_id=to_delete)
    before = len(frames(world))
    bench.ask(worn=True)
    bench.ask(cable="in")
    world.bridge.event("doorpad.writes_stopped")
    first = [("delete", 1), ("put", REFUSED_MIN)]

    for n, id_ in enumerate(ids[:10]):
        world.seam.access_codes.update(access_code_id=id_, code=f"{50_000 + 17 * n}")
    ids.append(world.seam.access_codes.create(device_id=world.device_id, code="591024").access_code_id)
    until(lambda: refused(world) >= 1 + REFUSED_MIN + 4)
    until(lambda: "delay_in_removing_from_device" in warnings(world, to_delete))
    until(lambda: errors(world, ids[-1]) == ["failed_to_set_on_device"])
    assert warnings(world, ids[-1]) == ["delay_in_setting_on_device"], "it was never sent, and is late"
    assert {"flash_write_failed", "writes_stopped"} <= set(world.own_fields()["health"])
    (warning,) = world.seam.devices.get(device_id=world.device_id).warnings
    assert warning.warning_code == "device_communication_degraded"

    bench.ask(worn=False)
    world.bridge.event("doorpad.writes_resumed")
    for id_ in ids:
        world.bridge.event("access_code.set_on_device", id_)
    world.bridge.event("access_code.deleted", to_delete)
    sent = frames(world)[before:]
    assert sizes(sent[: len(first)]) == first, "a deletion that is refused keeps no code waiting"
    sent = sent[len(first) :]
    tried = refused(world) - (1 + REFUSED_MIN) + 1  # the last of them was taken
    assert tried >= 5
    assert {count for _, count in sizes(sent[:tried])} == {1}
    assert [it for it, _ in sent[:4]] == ["delete", "put", "delete", "put"], (
        "what still opens first, then by turns"
    )
    assert slots(sent[tried:]) == len(ids) + 1 - 1, "each once"
    assert len(sent) - tried <= 4, "together"
    assert "writes_stopped" not in world.own_fields()["health"]
    assert world.seam.devices.get(device_id=world.device_id).warnings == []
    for id_ in ids:
        assert (errors(world, id_), warnings(world, id_)) == ([], [])
    for id_ in ids[10:]:
        assert world.event_types(id_).count("access_code.failed_to_set_on_device") == 1
    for event_type in ("doorpad.writes_stopped", "doorpad.writes_resumed"):
        assert len(world.events(event_type=event_type)) == 1


def errors(world: World, id_: str) -> list[str]:
    return [it.error_code for it in world.seam.access_codes.get(access_code_id=id_).errors]


def warnings(world: World, id_: str) -> list[str]:
    return [it.warning_code for it in world.seam.access_codes.get(access_code_id=id_).warnings]


def test_hub_that_starts_again_goes_on_with_one_write_at_a_time_until_the_keypad_starts_again(
    world: World, bench: Bench
) -> None:
    ids = ask_for_codes_while_away(world, bench)
    bench.ask(worn=True)
    bench.ask(cable="in")
    world.bridge.event("doorpad.writes_stopped")
    until(lambda: refused(world) >= REFUSED_MIN + 2)
    assert world.bridge.stop() == 0
    before, told = len(frames(world)), refused(world)
    world.start_bridge()
    until(lambda: refused(world) >= told + 2)
    assert set(sizes(frames(world)[before:])) == {("put", 1)}
    bench.ask(power="off")
    bench.ask(power="on")  # its flash is sound again
    world.bridge.event("doorpad.writes_resumed")
    for id_ in ids:
        world.bridge.event("access_code.set_on_device", id_)
    assert len(world.events(event_type="doorpad.writes_stopped")) == 1
