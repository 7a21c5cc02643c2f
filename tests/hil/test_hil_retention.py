"""How long a hub remembers is what its configuration says."""

import time
from collections.abc import Iterator

import pytest
from hil_world import WAIT_S, World, running

TIMING = "poll_s = 0.2\noffline_s = 1.0\nhandshake_s = 1.0"
DAY_S = 86_400


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("retention"), timing=TIMING) as world:
        yield world


def test_bridge_forgets_the_events_and_attempts_that_its_configuration_calls_old(world: World) -> None:
    code_id = world.create()
    before = {it.event_id for it in world.events()}
    assert world.bridge.stop() == 0
    world.config.write_text("events_kept_days = 2\n" + world.config.read_text())
    world.clock.move(DAY_S)
    world.start_bridge()
    young = world.seam.access_codes.create(device_id=world.device_id).access_code_id
    world.bridge.event("access_code.set_on_device", young)
    assert world.bridge.stop() == 0
    world.clock.move(2 * DAY_S + 60)
    world.start_bridge()
    deadline_s = time.monotonic() + WAIT_S
    while attempts := world.seam.action_attempts.list(device_id=world.device_id):  # nobody is told of that
        if len(attempts) == 1:
            break
        assert time.monotonic() < deadline_s
    (attempt,) = attempts
    assert attempt.result.access_code.access_code_id == young
    left = world.events()
    assert {it.event_type for it in left if it.event_id in before} <= {
        "connected_account.created",
        "connected_account.completed_first_sync",
    }
    assert world.event_types(code_id) == []
    assert "access_code.set_on_device" in world.event_types(young)
    assert world.seam.access_codes.get(access_code_id=code_id).status == "set"
