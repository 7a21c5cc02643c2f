"""The bridge is killed while a code is made, changed or deleted: nothing acknowledged is lost, nothing is done twice.

One keypad and one data folder see all of it, one kill after the other. The next bridge is started before the
kill, so that it takes over at once: it waits for the data folder, which the killed one gives up by its death.
"""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from doorpad import keyring
from doorpad.link import operations
from doorpad.link.connection import Connection
from fault_changes import KINDS, Change, check_events, check_slots, moment_s
from hil_world import Bench, Doorpad, World, running
from httpx_retries import Retry
from seam import Seam

KILLS = 51


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("killed"), timing="poll_s = 0.5") as world:
        yield world


@pytest.fixture
def bench(world: World) -> Iterator[Bench]:
    with world.keypad.bench() as bench:
        yield bench


@pytest.fixture(scope="module")
def heirs(world: World) -> list[Doorpad]:
    """The bridge, if any, that waits for the present one to be killed."""
    return []


@pytest.fixture(scope="module")
def outcomes() -> Counter[str]:
    """How many kills found the request answered, and how many did not."""
    return Counter()


@pytest.mark.parametrize("seed", range(KILLS))
def test_bridge_killed_during_a_change_loses_and_doubles_nothing(
    world: World, bench: Bench, heirs: list[Doorpad], outcomes: Counter[str], seed: int
) -> None:
    chance = random.Random(seed)
    change = Change(KINDS[seed % len(KINDS)], world.keypad, seed)
    change.prepare(world)
    once = Seam(api_key=world.api_key, endpoint=world.endpoint, retries=Retry(total=0))
    asking = threading.Thread(target=change.ask, args=(once,))
    mark = world.bridge.mark()
    asking.start()
    if chance.random() < 0.3:  # at the n-th thing that the bridge tells of it
        told = chance.randrange(2)
        world.bridge.message(lambda _: True, after=mark + told)
    else:
        time.sleep(moment_s(chance))  # the moment of the kill, not a wait for anything
    world.bridge.kill()
    asking.join()
    assert world.bridge.process.returncode == -9
    outcomes["answered" if change.acknowledged else "unanswered"] += 1
    world.start_bridge(heirs.pop() if heirs else None)
    heirs.append(world.launch())
    happened = change.settle(world)
    outcomes["done" if happened else "not done"] += 1
    change.check(world, bench, happened)
    check_slots(world, world.keypad)


def test_the_kills_came_at_every_stage(outcomes: Counter[str]) -> None:
    """Guards the tests above: a kill that always comes too early, or too late, proves nothing."""
    assert outcomes["answered"] + outcomes["unanswered"] == KILLS
    assert outcomes["answered"] and outcomes["unanswered"] and outcomes["done"] and outcomes["not done"], (
        outcomes
    )


def test_after_all_kills_the_keypad_holds_the_codes_of_the_hub_and_no_other(
    world: World, heirs: list[Doorpad]
) -> None:
    check_events(world)
    codes = world.seam.access_codes.list(device_id=world.device_id)
    wanted = sorted((code.access_code_id, code.code) for code in codes)
    for heir in heirs:
        heir.kill()
    assert world.bridge.stop() == 0
    assert sorted(asyncio.run(read_table(world))) == wanted


async def read_table(world: World) -> list[tuple[str | None, str | None]]:
    """The used slots as the keypad itself has them: access-code id and PIN."""
    keypad = world.keypad
    key = keyring.load(world.data / "keys", keypad.serial)
    connection, _ = await Connection.open(str(keypad.link), 115_200, key, keypad.serial)
    found = []
    first: int | None = 1
    while first is not None:
        page = await operations.changed_since(connection, 0, first)
        found += [(slot.access_code_id, slot.code) for slot in page.slots if slot.op_id is not None]
        first = page.following
    connection.close()
    return found
