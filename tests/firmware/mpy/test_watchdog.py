"""The watchdog is fed only when every part has moved, and the parts move by themselves while they are well."""

import esp32_time

import asyncio

import board
from doorpad_fw import pins
from doorpad_fw.matrix import Matrix
from doorpad_fw.watchdog import TIMEOUT_MS, Watchdog

from cases import equal
from whole_keypad import Whole

HEAP = "700K"

_fed = []
board.on_tell(lambda message: _fed.append(message["watchdog_ms"]) if "watchdog_ms" in message else None)


def test_it_runs_from_its_making_on():
    _fed.clear()
    Watchdog()
    equal(_fed, [TIMEOUT_MS])


def test_start_feeds_it_while_all_of_flash_is_read():
    whole = esp32_time.call(Whole)
    whole.unmount()
    assert whole.fed > 8, whole.fed  # the records of 4,096 slots, 512 at a time, and each segment


def test_part_that_stands_still_keeps_it_hungry_until_it_moves():
    dog = Watchdog()
    _fed.clear()
    # (counters, fed?)
    for counters, fed in (
        ((1, 1, 1), True),
        ((2, 2, 2), True),
        ((2, 3, 3), False),
        ((2, 4, 4), False),
        ((3, 4, 4), True),
        ((4, 4, 5), False),
        ((5, 5, 4), False),
        ((5, 5, 6), True),
        ((0, 0, 0), True),
    ):
        before = len(_fed)
        equal(dog.look(*counters), fed, counters)
        equal(len(_fed) - before, int(fed), counters)


def test_idle_matrix_moves_when_nudged_and_tells_no_key():
    told = []

    async def play():
        matrix = Matrix(pins.KEYPAD_ROWS, pins.KEYPAD_COLUMNS, pins.KEYPAD_KEYS)
        scanning = asyncio.create_task(matrix.run(lambda kind, key: told.append(key)))
        await asyncio.sleep_ms(1000)
        equal(matrix.turns, 0, "idle, it sleeps")
        for _ in range(3):
            before = matrix.turns
            matrix.nudge()
            await asyncio.sleep_ms(1000)
            assert matrix.turns != before
        scanning.cancel()
        await asyncio.sleep_ms(0)
        before = matrix.turns
        matrix.nudge()
        await asyncio.sleep_ms(1000)
        equal(matrix.turns, before, "its task is gone")

    esp32_time.run(play())
    equal(told, [])
