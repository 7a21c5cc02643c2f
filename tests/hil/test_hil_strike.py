"""Doors that an API client opens: by the official SDK, through link and firmware, to the strike and its events."""

from collections.abc import Iterator

import pytest
from hil_world import Bench, Message, World, running
from seam import SeamActionAttemptFailedError

LONG_MS = 12_000  # a pulse that no test waits out


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The line is quiet unless something happens: so a cut after the next byte cuts what the test does."""
    timing = "poll_s = 60\nstatistics_s = 3600"
    with running(tmp_path_factory.mktemp("strike"), "--strike-ms", str(LONG_MS), timing=timing) as world:
        yield world


def attempt_event(world: World, name: str, attempt_id: str, after: int = 0) -> Message:
    return world.bridge.message(
        lambda it: it.get("event_type") == name and it.get("action_attempt_id") == attempt_id, after=after
    )


def connected(world: World, after: int) -> None:
    """Returns when the keypad is online and its line quiet: what hub and keypad have counted is asked for last."""
    world.bridge.link("online", world.device_id, after=after)
    world.bridge.message(lambda it: it["type"] == "statistics", after=after)


def is_locked(world: World) -> bool:
    locked: bool = world.seam.locks.get(device_id=world.device_id).properties.locked
    return locked


def test_client_opens_the_door_and_every_edge_is_told_with_its_method(shared: World) -> None:
    mark = shared.bridge.mark()
    with shared.keypad.bench() as bench:
        place = len(bench.outputs)
        attempt = shared.seam.locks.unlock_door(
            device_id=shared.device_id,
            wait_for_action_attempt=False,  # the first answer tells
        )
        assert (attempt.status, attempt.action_type, attempt.error) == ("success", "UNLOCK_DOOR", None)
        bench.see("strike", 0, after=bench.outputs.index(bench.see("strike", 1, after=place)))
    unlocked = attempt_event(shared, "lock.unlocked", attempt.action_attempt_id, mark)
    assert (unlocked["method"], unlocked["access_code_id"]) == ("seamapi", None)
    attempt_event(shared, "action_attempt.unlock_door.succeeded", attempt.action_attempt_id, mark)
    assert shared.bridge.event("lock.locked", after=mark)["method"] == "automatic"
    assert is_locked(shared)
    assert shared.seam.action_attempts.get(action_attempt_id=attempt.action_attempt_id) == attempt


def test_client_opens_again_within_the_pulse_and_closes(world: World) -> None:
    mark = world.bridge.mark()
    with world.keypad.bench() as bench:
        place = len(bench.outputs)
        first = world.seam.locks.unlock_door(device_id=world.device_id)
        bench.see("strike", 1, after=place)
        attempt_event(world, "lock.unlocked", first.action_attempt_id, mark)
        assert not is_locked(world)
        again = world.seam.locks.unlock_door(device_id=world.device_id)
        attempt_event(world, "action_attempt.unlock_door.succeeded", again.action_attempt_id, mark)
        closed = world.seam.locks.lock_door(device_id=world.device_id)
        assert (closed.status, closed.action_type) == ("success", "LOCK_DOOR")
        locked = attempt_event(world, "lock.locked", closed.action_attempt_id, mark)
        assert locked["method"] == "seamapi"
        bench.see("strike", 0, after=place)
        bench.ask(about=True)
        strikes = [it.level for it in bench.outputs[place:] if it.name == "strike"]
        while strikes[-1]:  # the end of the pulse's first part came in between
            bench.see("strike", 0, after=len(bench.outputs))
            strikes = [it.level for it in bench.outputs[place:] if it.name == "strike"]
    assert is_locked(world)
    told = [
        it.event_type for it in world.events(device_id=world.device_id) if it.event_type.startswith("lock.")
    ]
    assert told == ["lock.unlocked", "lock.locked"], "opening again is no edge"


def test_keypad_that_is_away_is_not_opened_later(world: World) -> None:
    mark = world.bridge.mark()
    world.seam.devices.simulate.disconnect(device_id=world.device_id)
    world.bridge.link("disconnected", world.device_id, after=mark)
    with world.keypad.bench() as bench:
        place = len(bench.outputs)
        with pytest.raises(SeamActionAttemptFailedError, match="device_disconnected"):
            world.seam.locks.unlock_door(device_id=world.device_id)
        world.seam.devices.simulate.connect(device_id=world.device_id)
        connected(world, mark)
        world.create(code="482917")  # goes the way that an attempt would go
        assert "strike" not in {it.name for it in bench.outputs[place:]}
    failed = world.bridge.event("action_attempt.unlock_door.failed", after=mark)
    assert (failed["action_type"], failed["status"]) == ("UNLOCK_DOOR", "error")


def let_the_line_rest(world: World, bench: Bench) -> None:
    """Return once nothing is under way of what was asked before: the next byte is one of what is asked then."""
    carried = None
    while carried != (carried := bench.ask(about=True)["carried"]):
        for _ in range(20):  # the hub, which does one thing at a time, has come to rest meanwhile
            is_locked(world)


def cut_in(world: World, to: str) -> tuple[str, int]:
    """Open while the cable is cut at the next byte that way; returns the attempt and how often the strike moved."""
    mark = world.bridge.mark()
    with world.keypad.bench() as bench:
        let_the_line_rest(world, bench)
        place = len(bench.outputs)
        bench.ask(cut_after=1, to=to)
        attempt = world.seam.locks.unlock_door(device_id=world.device_id, wait_for_action_attempt=False)
        world.bridge.link("disconnected", world.device_id, after=mark)
        bench.ask(cable="in")
        connected(world, mark)
        outcome = "succeeded" if to == "hub" else "failed"
        attempt_event(world, f"action_attempt.unlock_door.{outcome}", attempt.action_attempt_id, mark)
        moved = [it.level for it in bench.outputs[place:] if (it.name, it.level) == ("strike", 1)]
        mark = world.bridge.mark()
        closed = world.seam.locks.lock_door(device_id=world.device_id)
        attempt_event(world, "action_attempt.lock_door.succeeded", closed.action_attempt_id, mark)
    return attempt.action_attempt_id, len(moved)


def test_opening_whose_answer_is_lost_is_found_in_the_journal(world: World) -> None:
    attempt_id, moved = cut_in(world, "hub")
    assert moved == 1
    attempt = world.seam.action_attempts.get(action_attempt_id=attempt_id)
    assert (attempt.status, attempt.result.was_confirmed_by_device) == ("success", True)
    told = [it for it in world.events(event_type="lock.unlocked") if it.action_attempt_id == attempt_id]
    assert len(told) == 1


def test_opening_that_is_lost_on_its_way_has_failed_and_is_not_done_later(world: World) -> None:
    attempt_id, moved = cut_in(world, "keypad")
    assert moved == 0
    with pytest.raises(SeamActionAttemptFailedError, match="was not done"):
        world.seam.action_attempts.get(action_attempt_id=attempt_id)


def test_opening_that_is_held_up_for_seconds_is_refused_by_the_keypad(world: World, long: bool) -> None:
    if not long:
        pytest.skip("waits for the link to be given up: --long")
    mark = world.bridge.mark()
    with world.keypad.bench() as bench:
        place = len(bench.outputs)
        bench.ask(cable="silent")
        attempt = world.seam.locks.unlock_door(device_id=world.device_id, wait_for_action_attempt=False)
        assert attempt.status == "pending"
        world.bridge.link("offline", world.device_id, after=mark)
        bench.ask(cable="in")
        world.bridge.link("online", world.device_id, after=mark)
        attempt_event(world, "action_attempt.unlock_door.failed", attempt.action_attempt_id, mark)
        assert "strike" not in {it.name for it in bench.outputs[place:]}


def test_start_of_the_keypad_ends_what_was_open(world: World) -> None:
    mark = world.bridge.mark()
    with world.keypad.bench() as bench:
        attempt = world.seam.locks.unlock_door(device_id=world.device_id)
        attempt_event(world, "lock.unlocked", attempt.action_attempt_id, mark)
        bench.ask(power="off")
        bench.ask(power="on")
        world.create(code="591024")  # whatever is asked of it next, the hub finds that it has started anew
        assert world.bridge.event("lock.locked", after=mark)["method"] == "automatic"
    assert is_locked(world)
