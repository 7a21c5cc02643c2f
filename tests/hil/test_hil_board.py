"""What a keypad notices about itself and around its door, as far as the hub sees it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from doorpad_link import messages
from hil_world import Bench, World, running
from kept_flash import kept

FAST = "offline_s = 1.0\npoll_s = 0.2\nhandshake_s = 1.0"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("board"), timing=FAST) as world:
        yield world


def restart(world: World, bench: Bench, between: Callable[[], object] = lambda: None) -> None:
    """Cut the keypad's power, do something to what it keeps, and give the power back."""
    mark = world.bridge.mark()
    bench.ask(power="off")
    world.bridge.link("offline", world.device_id, after=mark)
    between()
    bench.ask(power="on")
    world.bridge.link("online", world.device_id, after=mark)


def test_keypad_that_lost_a_copy_of_its_identity_is_told_until_its_next_start(world: World) -> None:
    assert world.own_fields()["health"] == []
    copy = world.folder / "nvs-doorpad" / "identity"
    before = copy.read_bytes()
    with world.keypad.bench() as bench:
        restart(world, bench, copy.unlink)
        assert world.own_fields()["health"] == ["identity_restored"]
        assert copy.read_bytes() == before
        restart(world, bench)
        assert world.own_fields()["health"] == []


def test_exit_button_and_opened_case_are_events_of_the_hub(world: World) -> None:
    with world.keypad.bench() as bench:
        restart(
            world,
            bench,
            lambda: (world.folder / "config.json").write_text('{"strike_ms": 150, "tamper": 1}'),
        )
        mark = world.bridge.mark()
        place = len(bench.outputs)
        bench.ask(contact="request_to_exit", active=True)
        bench.see("strike", 1, after=place)
        unlocked = world.bridge.event("lock.unlocked", after=mark)
        [told] = [it for it in world.events() if it.event_id == unlocked["event_id"]]
        assert (told.method, told.device_id) == ("manual", world.device_id)
        bench.ask(contact="tamper", active=True)
        world.bridge.event("device.tampered", after=mark)
        assert "no such input" in bench.try_(contact="window", active=True)["error"]


def test_jumper_and_long_press_reset_the_keypad_and_the_hub_brings_its_own_codes_back(world: World) -> None:
    own = world.create(code="482913")
    with world.keypad.bench() as bench:
        mark = world.bridge.mark()
        bench.ask(program="736450")
        world.bridge.event("access_code.unmanaged.created", after=mark)
        epoch = world.own_fields()["table_epoch"]
        bench.ask(contact="reset_jumper", active=True)
        bench.ask(switch="*", down=True)
        world.bridge.event("access_code.unmanaged.removed", after=mark)  # after 8 seconds and a restart
        world.bridge.event("access_code.set_on_device", own, after=mark)
        world.bridge.event("doorpad.factory_reset", after=mark)
        assert world.own_fields()["table_epoch"] != epoch
        assert (boots(world)[-1], world.own_fields()["health"]) == (2, [])  # it asked for this restart
        assert world.seam.access_codes.unmanaged.list(device_id=world.device_id) == []
        assert not bench.opens("736450")
        assert bench.opens("482913")


def boots(world: World) -> list[int]:
    """Reset causes of the keypad's starts, out of its flash."""
    return [it.reason for it in kept(world.folder).entries() if it.kind == messages.EV_BOOT]


def test_program_that_hangs_during_the_pulse_is_ended_and_the_strike_falls_back_before(world: World) -> None:
    """Goal: neither the end of the pulse nor that of a hang needs the program."""
    world.create(code="111333")
    settings = world.folder / "config.json"
    with world.keypad.bench() as bench:
        restart(world, bench, lambda: settings.write_text('{"strike_ms": 1000}'))
        mark, place = world.bridge.mark(), len(bench.outputs)
        bench.ask(press="111333#")
        on = bench.see("strike", 1, after=place)
        answer = bench.try_(hang=True)  # comes when the watchdog has ended the process
        assert "lost its power" in answer["error"]
        changes = [(it.level, it.ticks_ms) for it in bench.outputs[place:] if it.name == "strike"]
        assert [level for level, _ in changes][:2] == [1, 0]
        assert 990 <= changes[1][1] - on.ticks_ms < 6000, (
            changes
        )  # by the pulse, long before the watchdog's 8 s
        world.bridge.link("online", world.device_id, after=mark)
        assert boots(world)[-2:] == [1, 3]  # power-on, then watchdog, as MicroPython numbers them
        assert world.own_fields()["crashes"][0]["text"] == "the watchdog ended the program"
        assert bench.opens("111333")


def test_keypad_whose_clock_stands_still_is_started_again_and_the_hub_is_told_why(world: World) -> None:
    world.create(code="224466")
    with world.keypad.bench() as bench:
        mark = world.bridge.mark()
        restart(world, bench)
        began = world.bridge.message(lambda message: message["type"] == "statistics", after=mark)
        bench.ask(stop_clock=True)
        assert bench.opens("224466")  # meanwhile, and without a look at the time
        world.bridge.message(  # the outage is too short to be told: a new session tells of it
            lambda message: (
                message["type"] == "statistics" and message["hub"]["sessions"] > began["hub"]["sessions"]
            ),
            after=mark,
        )
        assert boots(world)[-2:] == [1, 3]
        told = world.own_fields()
        assert (told["health"], told["crashes"][0]["text"]) == (
            ["crashed"],
            "the watchdog ended the program",
        )
        assert bench.opens("224466")


def crash(bench: Bench) -> None:
    """Let a task of the program die; returns once the keypad has started again."""
    assert "lost its power" in bench.try_(**{"raise": True})["error"]
    bench.ask(power="on")  # it never went: answered when the program runs


def forgive(world: World) -> None:
    """Take the tracebacks out of the consoles: they are the test's own."""
    for console in world.data.glob("keypads/*/console.log"):
        console.write_text("")


def test_crash_is_told_by_the_hub_and_leaves_the_codes_as_they_were(world: World) -> None:
    world.create(code="551177")
    with world.keypad.bench() as bench:
        crash(bench)
        # It is too short an outage to be told; the first thing that each session reads for all to see is this.
        world.bridge.message(lambda message: message["type"] == "statistics", after=world.bridge.mark())
        told = world.own_fields()
        assert told["health"] == ["crashed"]
        newest = told["crashes"][0]
        assert newest["version"] == told["firmware"]
        assert "RuntimeError: the bench let a task die" in newest["text"]
        assert boots(world)[-1] == 2  # asked for by the program
        assert bench.opens("551177")
    forgive(world)


def test_panic_is_told_from_a_restart_that_was_asked_for(world: World) -> None:
    world.create(code="773311")
    with world.keypad.bench() as bench:
        restart(world, bench)
        assert "lost its power" in bench.try_(panic=True)["error"]
        bench.ask(power="on")
        world.bridge.message(lambda message: message["type"] == "statistics", after=world.bridge.mark())
        told = world.own_fields()
        assert told["health"] == ["crashed"]
        assert told["crashes"][0]["text"] == "the chip reset itself: a panic"
        assert boots(world)[-2:] == [1, 2]  # by the cause alone it is a restart like any other
        assert bench.opens("773311")


def test_keypad_that_has_crashed_fifty_times_in_a_row_decides_without_its_link(
    tmp_path: Path, long: bool
) -> None:
    """With --long all fifty are real; else six are, and the count is set in between."""
    with running(tmp_path, timing=FAST) as alone, alone.keypad.bench() as bench:
        alone.create(code="482913")
        mark = alone.bridge.mark()
        for _ in range(5):
            crash(bench)
        alone.bridge.link("offline", alone.device_id, after=mark)
        assert bench.opens("482913") and not bench.opens("482914")
        log = alone.folder / "crash.log"
        [first, *kept] = log.read_text().splitlines()
        assert json.loads(first) == [5, False, 5, 5]
        assert [line.split()[0] for line in kept] == ["2", "3", "4", "5"]
        if not long:  # each crash takes some seconds
            log.write_text("[49, false, 49, 49]\n")
        for _ in range(45 if long else 1):
            crash(bench)
        assert json.loads(log.read_text().splitlines()[0])[0] == 50
        assert bench.opens("482913") and not bench.opens("482914")
        carried = bench.ask(about=True)["carried"]
        restart_mark = alone.bridge.mark()
        bench.ask(power="off")
        bench.ask(power="on")  # a person's way to have the link tried at once
        alone.bridge.link("online", alone.device_id, after=restart_mark)
        assert carried != bench.ask(about=True)["carried"]
        assert alone.own_fields()["health"] == ["crashed", "safe_mode"]
        assert bench.opens("482913")
        forgive(alone)
