"""A keypad whose hub was killed: it keeps to the second by itself, and the hub learns of all of it later, once."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hil_world import World, running

# The keypad's clock never goes back by more than a minute behind its journal: the window ends within that.
AROUND_S = 30


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("alone")) as world:
        yield world


def text(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat()


def door_events(world: World, access_code_id: str) -> list[tuple[str, str, str, str]]:
    """Every unlock and every denial of a code: id, type, code, time."""
    kinds = ["lock.unlocked", "lock.access_denied"]
    return [
        (it.event_id, it.event_type, it.access_code_id, it.occurred_at)
        for it in world.events(event_types=kinds, access_code_id=access_code_id)
    ]


def test_keypad_without_its_hub_keeps_the_window_and_its_journal(world: World) -> None:
    with world.keypad.bench() as bench:
        now_s = int(time.time())
        starts_s, ends_s = now_s - AROUND_S, now_s + AROUND_S
        code_id = world.create(code="482913", starts_at=text(starts_s), ends_at=text(ends_s))
        world.bridge.kill()
        expected = []
        for at_s, opens in [
            (starts_s - 1, False),
            (starts_s, True),
            (ends_s - 1, True),
            (ends_s, False),
        ]:
            bench.ask(freeze=at_s)
            assert bench.opens("482913") == opens, at_s
            kind = "lock.unlocked" if opens else "lock.access_denied"
            expected.append((kind, code_id, datetime.fromtimestamp(at_s, UTC)))
        bench.ask(freeze=None)
        world.start_bridge()
        told = door_events(world, code_id)
        seconds = [(kind, code, datetime.fromisoformat(at)) for _, kind, code, at in told]
        assert [(kind, code, at.replace(microsecond=0)) for kind, code, at in seconds] == expected
        assert len({event_id for event_id, *_ in told}) == len(expected)
        world.restart_bridge()
        assert door_events(world, code_id) == told


def test_keypad_that_lost_its_power_too_refuses_windows_until_a_hub_has_told_it_the_time(
    world: World,
) -> None:
    with world.keypad.bench() as bench:
        now_s = int(time.time())
        bound = world.create(code="736450", starts_at=text(now_s - 3600), ends_at=text(now_s + 3600))
        world.create(code="591024")
        world.bridge.kill()
        bench.ask(power="off")
        bench.ask(power="on")
        assert not bench.opens("736450")
        assert bench.opens("591024")
        world.start_bridge()
        assert bench.opens("736450")
        world.bridge.event("lock.unlocked", bound)
        (denied,) = world.events(event_type="lock.access_denied", access_code_id=bound)
        assert denied.reason["reason_code"] == "credential_error"
