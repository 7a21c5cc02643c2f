"""Keypads lose their power while codes are made, changed or deleted: in a flash operation, or at any moment.

The emulator gives the power back at once. Six keypads at a time are harmed, two for each kind of change.
"""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fault_changes import KINDS, Change, check_events, check_slots, moment_s
from hil_world import Bench, Keypad, World, running

AT_A_TIME = 6
KEYPADS = 2 * AT_A_TIME  # one that was just harmed may start more slowly: the emulator slows down crash loops
SEEDS = 9
OPERATIONS_MAX = 4  # flash operations that a change and an entry in the journal take at most
CONTROL = "5970"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("power"), keypads=KEYPADS, timing="poll_s = 0.5") as world:
        for keypad in world.keypads:
            world.create(device_id=keypad.device_id, code=CONTROL)
        yield world


@pytest.fixture(scope="module")
def kills() -> Counter[str]:
    return Counter()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_power_cut_during_a_change_loses_and_doubles_nothing(
    world: World, kills: Counter[str], seed: int
) -> None:
    first = seed % 2 * AT_A_TIME
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        harmed = [
            pool.submit(harm, world, world.keypads[first + place], seed * AT_A_TIME + place)
            for place in range(AT_A_TIME)
        ]
    kills.update(it.result() for it in harmed)
    check_events(world)


def test_every_cut_was_made(world: World, kills: Counter[str]) -> None:
    """Guards the test above: what was not harmed proves nothing."""
    assert kills == {"torn write": SEEDS * AT_A_TIME // 2, "killed": SEEDS * AT_A_TIME // 2}
    for keypad in world.keypads:
        check_slots(world, keypad)


def harm(world: World, keypad: Keypad, number: int) -> str:
    """Ask for a change, cut the power meanwhile, and check what became of it; returns how it was cut."""
    chance = random.Random(number)
    change = Change(KINDS[number % len(KINDS)], keypad, number)
    change.prepare(world)
    torn = number // len(KINDS) % 2 == 0
    with keypad.bench() as bench:
        pid = bench.ask(about=True)["pid"]
        change.after = world.bridge.mark()
        if torn:
            bench.ask(cut_at=1 + chance.randrange(OPERATIONS_MAX))
            change.ask(world.seam)
            while bench.ask(about=True)["pid"] == pid:
                bench.try_(press=CONTROL + "#")  # entries in the journal, until the cut comes
        else:
            asking = threading.Thread(target=change.ask, args=(world.seam,))
            asking.start()
            time.sleep(moment_s(chance))  # the moment of the kill, not a wait for anything
            os.kill(pid, signal.SIGKILL)
            asking.join()
        wait_for_power(bench, pid)
        assert change.acknowledged  # the hub answers whatever a keypad does
        assert change.settle(world)
        mark = world.bridge.mark()
        change.check(world, bench, happened=True)
        if change.kind != "delete":
            # The journal too: one right PIN, one event.
            world.bridge.event("lock.unlocked", change.code_id, after=mark)
            assert world.event_types(str(change.code_id)).count("lock.unlocked") == 1
        else:
            assert bench.opens(CONTROL)  # ends the count of wrong PINs
    return "torn write" if torn else "killed"


def wait_for_power(bench: Bench, pid: int) -> None:
    """Until another process runs the firmware."""
    while True:
        bench.ask(
            power="on"
        )  # answers once it runs; the emulator may not have noticed the end of the old one
        if bench.ask(about=True)["pid"] not in (pid, None):
            return
