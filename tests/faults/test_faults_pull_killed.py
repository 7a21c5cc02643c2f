"""The bridge is killed after it has given a spare code away, and before or while the keypad is told of it.

Whoever was given the code has it: the keypad gets its window once, and one event says so.
"""

import random
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from fault_changes import moment_s
from hil_world import Bench, World, running
from httpx_retries import Retry
from seam import Seam
from spare_codes import booking, full_pool, pull, unplugged, until

FAST = "poll_s = 0.2\noffline_s = 1.0\nhandshake_s = 1.0\nport_s = 0.1"
KILLS = 6


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("pull"), timing=FAST) as world:
        yield world


@pytest.fixture
def bench(world: World) -> Iterator[Bench]:
    with world.keypad.bench() as bench:
        yield bench


def booked(world: World) -> tuple[str, dict[str, str]]:
    """The id of a code that its keypad holds, and the spare ones beside it."""
    mark = world.bridge.mark()
    code_id: str = booking(world).access_code_id
    world.bridge.event("access_code.set_on_device", code_id, after=mark)
    return code_id, full_pool(world)


def check(world: World, bench: Bench, code_id: str, backup_id: str, pin: str) -> None:
    """The backup is on the keypad in the window of its original, told once, and goes with it."""
    until(lambda: "access_code.set_on_device" in world.event_types(backup_id))
    backup, original = (world.seam.access_codes.get(access_code_id=it) for it in (backup_id, code_id))
    assert (backup.code, backup.status, backup.is_backup) == (pin, "set", True)
    assert (backup.starts_at, backup.ends_at) == (original.starts_at, original.ends_at)
    assert original.pulled_backup_access_code_id == backup_id
    assert world.event_types(backup_id) == ["access_code.created", "access_code.set_on_device"]
    pulled = [
        it
        for it in world.events(access_code_id=code_id)
        if it.event_type.endswith("backup_access_code_pulled")
    ]
    assert [it.backup_access_code_id for it in pulled] == [backup_id]
    assert bench.opens(pin)
    mark = world.bridge.mark()
    world.seam.access_codes.delete(access_code_id=code_id)
    world.bridge.event("access_code.deleted", backup_id, after=mark)
    assert not bench.opens(pin)


def test_bridge_killed_between_a_pull_and_its_write_writes_it_once_in_its_next_life(
    world: World, bench: Bench
) -> None:
    code_id, spare = booked(world)
    generation = world.own_fields()["generation"]
    original = world.seam.access_codes.get(access_code_id=code_id)
    with unplugged(world, bench):  # the keypad cannot be told
        backup = pull(world, original)
        world.bridge.kill()
        world.start_bridge(online=False)
    world.bridge.event("access_code.set_on_device", backup.access_code_id)
    assert len(full_pool(world)) == len(spare)  # and one was made up
    assert world.own_fields()["generation"] == generation + 2
    check(world, bench, code_id, backup.access_code_id, spare[backup.access_code_id])


@pytest.mark.parametrize("seed", range(KILLS))
def test_bridge_killed_at_a_moment_of_a_pull_gives_one_code_away_and_writes_it_once(
    world: World, bench: Bench, seed: int
) -> None:
    code_id, spare = booked(world)
    generation = world.own_fields()["generation"]
    original = world.seam.access_codes.get(access_code_id=code_id)
    once = Seam(api_key=world.api_key, endpoint=world.endpoint, retries=Retry(total=0))
    given: list[str] = []

    def ask() -> None:
        try:
            backup = once.access_codes.pull_backup_access_code(access_code_id=code_id)
        except httpx.TransportError:  # killed before it had answered
            return
        given.append(backup.access_code_id)

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(moment_s(random.Random(seed)))
    world.bridge.kill()
    asking.join()
    world.start_bridge()
    backup_id = pull(world, original).access_code_id  # asked for again, as by whoever got no answer
    assert not given or given == [backup_id]
    until(lambda: "access_code.set_on_device" in world.event_types(backup_id))
    assert len(full_pool(world)) == len(spare)
    assert world.own_fields()["generation"] == generation + 2
    check(world, bench, code_id, backup_id, spare[backup_id])
