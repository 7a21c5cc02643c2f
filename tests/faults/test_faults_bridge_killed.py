"""The bridge is killed while a code is made, changed or deleted: no acknowledged state is lost or done twice.

Three keypads and one data folder see all of it, one kill after the other. Each kill meets three changes, each
at a moment of its own. The next bridge is started before the kill, so that it takes over at once: it waits for
the data folder, which the killed one gives up by its death.
"""

import asyncio
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import pytest
from doorpad import keyring
from doorpad.link import operations
from doorpad.link.connection import Connection
from fault_changes import KINDS, Change, check_events, check_slots, moment_s
from hil_world import Doorpad, Keypad, World, running
from httpx_retries import Retry
from seam import Seam

KILLS = 18  # of three changes each
LINES_MAX = 5  # of JSON, that three changes make a bridge say at least


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("killed"), keypads=len(KINDS), timing="poll_s = 0.5") as world:
        yield world


@pytest.fixture(scope="module")
def heirs(world: World) -> list[Doorpad]:
    """The bridge, if any, that waits for the present one to be killed."""
    return []


@pytest.fixture(scope="module")
def outcomes() -> Counter[str]:
    """How many kills found the request answered, and how many did not."""
    return Counter()


@pytest.mark.parametrize("seed", range(KILLS))
def test_bridge_killed_during_changes_loses_and_doubles_nothing(
    world: World, heirs: list[Doorpad], outcomes: Counter[str], seed: int
) -> None:
    chance = random.Random(seed)
    keypads = chance.sample(world.keypads, len(KINDS))
    changes = [Change(kind, keypad, seed) for kind, keypad in zip(KINDS, keypads, strict=True)]
    for change in changes:
        change.prepare(world)
    if seed % 3:
        ask_and_kill_at_a_moment(world, changes, chance)
    else:
        ask_and_kill_at_a_line(world, changes, chance)
    assert world.bridge.process.returncode == -signal.SIGKILL
    outcomes.update("answered" if change.acknowledged else "unanswered" for change in changes)
    world.start_bridge(heirs.pop() if heirs else None)
    heirs.append(world.launch())
    happened = [change.settle(world) for change in changes]
    outcomes.update("done" if it else "not done" for it in happened)
    with ThreadPoolExecutor(len(changes)) as pool:
        list(pool.map(partial(check, world), changes, happened))


def ask_and_kill_at_a_moment(world: World, changes: list[Change], chance: random.Random) -> None:
    """Send each request its own time before the kill. These pauses are the harm, not a wait for anything."""
    moments = sorted(((moment_s(chance), place) for place in range(len(changes))), reverse=True)
    asking = []
    for (before_s, place), (next_s, _) in pairwise([*moments, (0.0, 0)]):
        asking.append(start_asking(world, changes[place]))
        time.sleep(before_s - next_s)
    world.bridge.kill()
    for thread in asking:
        thread.join()


def ask_and_kill_at_a_line(world: World, changes: list[Change], chance: random.Random) -> None:
    """Send all requests, and kill at the n-th thing that the bridge tells of them."""
    mark = world.bridge.mark()
    asking = [start_asking(world, change) for change in changes]
    world.bridge.message(lambda _: True, after=mark + chance.randrange(LINES_MAX))
    world.bridge.kill()
    for thread in asking:
        thread.join()


def start_asking(world: World, change: Change) -> threading.Thread:
    once = Seam(api_key=world.api_key, endpoint=world.endpoint, retries=Retry(total=0))
    thread = threading.Thread(target=change.ask, args=(once,))
    thread.start()
    return thread


def check(world: World, change: Change, happened: bool) -> None:
    with change.keypad.bench() as bench:
        change.check(world, bench, happened)
    check_slots(world, change.keypad)


def test_the_kills_came_at_every_stage(outcomes: Counter[str]) -> None:
    """Guards the tests above: a kill that always comes too early, or too late, proves nothing."""
    assert outcomes["answered"] + outcomes["unanswered"] == KILLS * len(KINDS)
    assert outcomes["answered"] and outcomes["unanswered"] and outcomes["done"] and outcomes["not done"], (
        outcomes
    )


def test_after_all_kills_the_keypads_hold_the_codes_of_the_hub_and_no_other(
    world: World, heirs: list[Doorpad]
) -> None:
    check_events(world)
    wanted = {}
    for keypad in world.keypads:
        codes = world.seam.access_codes.list(device_id=keypad.device_id)
        wanted[keypad] = sorted((code.access_code_id, code.code) for code in codes)
    for heir in heirs:
        heir.kill()
    assert world.bridge.stop() == 0
    for keypad in world.keypads:
        assert sorted(asyncio.run(read_table(world, keypad))) == wanted[keypad]


async def read_table(world: World, keypad: Keypad) -> list[tuple[str | None, str | None]]:
    """The used slots as the keypad itself has them: access-code id and PIN."""
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
