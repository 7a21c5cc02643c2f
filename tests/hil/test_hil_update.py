"""A new firmware over the link by the running bridge: the door works meanwhile, and a bad one is left again."""

from collections.abc import Iterator
from typing import Any

import pytest
from doorpad import application
from doorpad_link import messages
from hil_world import WAIT_S, Doorpad, World, running
from kept_flash import kept
from other_firmware import ROOT, build, update

HARD_RESET = 2  # as MicroPython numbers what the program asked for
FAST = "offline_s = 1.0\npoll_s = 0.2\nhandshake_s = 1.0\nport_s = 0.1"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("update"), timing=FAST) as world:
        yield world


def warnings(world: World) -> set[Any]:
    return {it.warning_code for it in world.seam.devices.get(device_id=world.device_id).warnings}


def _in_state(command: Doorpad, state: str, *, after: int = 0, sent: int = 0) -> None:
    command.message(lambda it: it.get("state") == state and it.get("sent", 0) >= sent, after=after)


def test_update_by_the_running_bridge_survives_a_pulled_cable_and_lets_the_door_work(world: World) -> None:
    world.create(code="482913")
    world.create(code="591024", starts_at="2020-01-01T00:00:00Z", ends_at="2099-01-01T00:00:00Z")
    before = world.own_fields()["firmware"]
    new = build(world, "9.8.7")
    total = sum(path.stat().st_size for path in new.rglob("*") if path.is_file())
    with world.keypad.bench() as bench:
        bench.ask(program="315264")
        held = kept(world.folder)
        command = update(world, new)
        _in_state(command, "sending", sent=total // 4)
        assert warnings(world) == {"scheduled_maintenance_window"}
        bench.ask(cable="out")
        mark = command.mark()
        _in_state(command, "waiting")
        bench.ask(cable="in")
        _in_state(command, "sending", after=mark)
        resumed = command.message(lambda it: it.get("state") == "sending", after=mark)
        assert resumed["sent"] > total // 8, "it went on where it was, but for the file that was under way"
        assert bench.opens("482913") and not bench.opens("482914")
        _in_state(command, "busy")
        assert world.own_fields()["firmware"] == before
        mark = world.bridge.mark()
        assert command.message(lambda it: "done" in it) == {"done": "9.8.7"}
        assert command.process.wait(WAIT_S) == 0
        world.bridge.message(lambda it: it["type"] == "statistics", after=mark)
        assert (world.own_fields()["firmware"], warnings(world)) == ("9.8.7", set())
        assert held.added(kept(world.folder)) == [
            (messages.EV_GRANTED, messages.GRANTED),
            (messages.EV_LOCKED, 0),
            (messages.EV_DENIED, messages.UNKNOWN_PIN),
            (messages.EV_BOOT, HARD_RESET),
            (messages.EV_CLOCK_SET, 0),
            (messages.EV_UPDATED, messages.PROVEN),
        ]
        assert bench.opens("482913")
        command = update(world, new)  # it runs already
        assert command.message(lambda _: True) == {"done": "9.8.7"}


def test_version_that_crashes_is_left_for_the_one_before_which_opens_the_door(world: World) -> None:
    """Goal: also with its power cut between the starts, where each start looks like the first."""
    world.create(code="736450")
    before = world.own_fields()["firmware"]
    bad = build(world, "9.9.9", link="raise RuntimeError('a bad build')")
    with world.keypad.bench() as bench:
        held = kept(world.folder)
        mark = world.bridge.mark()
        command = update(world, bad)
        _in_state(command, "trial")
        world.bridge.link("offline", world.device_id, after=mark)
        bench.ask(power="off")
        bench.ask(power="on")
        assert command.process.wait(WAIT_S) == 2 and "version 9.9.9 did not prove itself" in command.said
        assert world.own_fields()["firmware"] == before
        assert "RuntimeError: a bad build" in world.own_fields()["crashes"][0]["text"]
        assert world.own_fields()["crashes"][0]["version"] == "9.9.9"
        added = held.added(kept(world.folder))
        assert added.count((messages.EV_UPDATED, messages.ROLLED_BACK)) == 1
        assert {kind for kind, _ in added} == {
            messages.EV_BOOT,
            messages.EV_CRASHED,
            messages.EV_UPDATED,
            messages.EV_CLOCK_SET,
        }
        assert bench.opens("736450")
    for console in world.data.glob("keypads/*/console.log"):
        console.write_text("")  # the tracebacks are the test's own


HANGS = """from doorpad_fw import pins
from machine import Pin

Pin(pins.LED_RED, Pin.OUT, value=pins.LED_RED_ACTIVE)  # tells the test that it was loaded
while True:
    pass
"""


def test_version_that_hangs_while_it_is_loaded_is_left_for_the_one_before(world: World) -> None:
    """Goal: nothing of a new version has to run for its trial to end. One bite of the watchdog is waited for."""
    world.create(code="640735")
    before = world.own_fields()["firmware"]
    hanging = build(world, "9.9.7", main=HANGS)
    with world.keypad.bench() as bench:
        place = len(bench.outputs)
        command = update(world, hanging)
        for start in range(3):
            place = bench.outputs.index(bench.see("led_red", 1, after=place)) + 1
            if start < 2:
                bench.ask(power="off")
            else:  # it never answers, and the watchdog ends it
                assert "lost its power" in bench.try_(heap=True)["error"]
            bench.ask(power="on")
        assert command.process.wait(WAIT_S) == 2 and "version 9.9.7 did not prove itself" in command.said
        assert world.own_fields()["firmware"] == before
        assert world.own_fields()["crashes"][0]["text"] == "the watchdog ended the program"
        assert bench.opens("640735")


def test_application_of_another_micropython_is_refused_before_anything_is_sent(world: World) -> None:
    folder = build(world, "9.9.8")
    module = folder / "doorpad_fw" / "clock.mpy"
    data = bytearray(module.read_bytes())
    data[1] += 1
    module.write_bytes(data)
    application.describe(folder, (ROOT / "firmware" / "doorpad_fw" / "version.py").read_text())
    command = update(world, folder)
    assert command.process.wait(WAIT_S) == 2
    assert "clock.mpy is compiled for .mpy version 7, not 6" in command.said
    bare = update(world, world.data)
    assert bare.process.wait(WAIT_S) == 2 and "holds no application" in bare.said
    unknown = Doorpad(["update", "0" * 16, "--config", str(world.config), "--json"], bare.log)
    assert unknown.process.wait(WAIT_S) == 2 and "names no such keypad" in unknown.said
