"""A clock that stands still: no food for the watchdog, no opening for a window, and safe mode goes on without it."""

import esp32_time

import asyncio
import os

import board
import machine
import time
from doorpad_fw import crash, main, pins
from doorpad_fw.inputs import Inputs
from doorpad_fw.matrix import Matrix
from doorpad_fw.watchdog import TIMEOUT_MS, Watchdog
from doorpad_link import messages

from cases import equal
from keypad_parts import Keypad
from strike_watch import strike
from whole_keypad import Whole

HEAP = "900K"
NOW_S = 853_315_200  # 2027-01-15T08:00:00Z
UNIX_OF_2000 = 946_684_800
BOUND = messages.ENABLED | messages.TIME_BOUND

_fed_ms = []
board.on_tell(lambda message: _fed_ms.append(esp32_time.now_ms()) if "watchdog_ms" in message else None)


class _Link:
    """A link as the main loop sees it: told of changes, it moves."""

    turns = 0

    def changed(self):
        self.turns += 1


def _in_main_loop(steps):
    """Run `steps(keypad)` beside the loop that ticks and feeds."""

    async def play():
        keypad = Keypad()
        keypad.add(1, b"1111")
        keypad.add(2, b"2222", BOUND, NOW_S - 3600, NOW_S + 3600)
        keypad.clock.move((NOW_S, 0), (0, 0), 1, 0)
        matrix = Matrix(pins.KEYPAD_ROWS, pins.KEYPAD_COLUMNS, pins.KEYPAD_KEYS)
        beside = keypad.door, Inputs(keypad.settings), matrix, _Link(), keypad.clock, Watchdog()
        tasks = [
            asyncio.create_task(matrix.run(lambda kind, key: None)),
            asyncio.create_task(main._tick(*beside)),
        ]
        try:
            await steps(keypad)
        finally:
            esp32_time.run_clock()
            for task in tasks:
                task.cancel()

    esp32_time.run(play())


async def _feedings(seconds):
    before = len(_fed_ms)
    await asyncio.sleep(seconds)
    return len(_fed_ms) - before


def test_watchdog_is_fed_each_second_while_the_clock_runs_and_not_while_it_stands():
    async def steps(_keypad):
        assert await _feedings(60) >= 58
        time.stop()
        await asyncio.sleep(1)  # a last look finds what it had moved before
        equal(await _feedings(2 * TIMEOUT_MS // 1000), 0)
        esp32_time.run_clock()
        assert await _feedings(60) >= 58

    _in_main_loop(steps)


def test_clock_that_moves_only_because_a_host_sets_it_feeds_nothing_and_is_not_trusted():
    async def steps(keypad):
        time.stop()
        await asyncio.sleep(5)
        before = len(_fed_ms)
        for n in range(10):
            keypad.clock.move((NOW_S + 10 * n, 500), (0, 0), 1, 0)
            await asyncio.sleep(1)
            equal((keypad.clock.trusted, len(_fed_ms) - before), (False, 0), n)

    _in_main_loop(steps)


def test_clock_that_is_set_back_and_forth_while_it_runs_feeds_on_and_stays_trusted():
    async def steps(keypad):
        for n in range(60):
            before = len(_fed_ms)
            keypad.clock.move((NOW_S + (n % 3) * 86_400 - n, 0), (0, 0), 1, 0)
            await asyncio.sleep(2)
            assert len(_fed_ms) > before and keypad.clock.trusted, n

    _in_main_loop(steps)


def test_clock_that_shows_the_same_second_in_one_minute_after_the_other_stays_trusted():
    async def steps(keypad):
        for n in range(20):
            time.skew(59)
            await asyncio.sleep(1)
            assert keypad.clock.trusted, n

    _in_main_loop(steps)


def test_clock_that_the_bench_holds_within_a_second_stays_trusted():
    async def steps(keypad):
        time.freeze(time.time() + UNIX_OF_2000)
        for n in range(60):
            await asyncio.sleep(1)
            assert keypad.clock.trusted, n
        time.freeze(None)

    _in_main_loop(steps)


def test_clock_that_takes_off_the_fastest_drift_feeds_on():
    async def steps(keypad):
        keypad.clock.drift_ppb = 500_000
        assert await _feedings(3600) >= 3580
        assert keypad.clock.trusted

    _in_main_loop(steps)


def test_stopped_clock_refuses_codes_with_a_window_and_opens_for_the_others():
    async def steps(keypad):
        keypad.enter("2222#")
        equal(keypad.entries()[-1], (messages.EV_GRANTED, messages.GRANTED, 2))
        time.stop()
        await asyncio.sleep(5)
        keypad.enter("2222#")
        equal(keypad.entries()[-1], (messages.EV_DENIED, messages.CLOCK_UNKNOWN, 2))
        keypad.enter("1111#")
        equal(keypad.entries()[-1], (messages.EV_GRANTED, messages.GRANTED, 1))
        esp32_time.run_clock()
        await asyncio.sleep(5)
        keypad.enter("2222#")  # how long it stood nobody knows: a host has to say the time
        equal(keypad.entries()[-1], (messages.EV_DENIED, messages.CLOCK_UNKNOWN, 2))

    _in_main_loop(steps)


async def _press(keys):
    for key in keys:
        for down in (True, False):
            board.switch(key, down)
            await asyncio.sleep_ms(50)


def test_safe_mode_with_a_stopped_clock_lives_on_and_decides():
    whole = Whole()
    equal(whole.put(1, b"4711")[0], messages.OK)
    whole.unmount()
    whole._mount()
    with open(crash.FILE, "w") as file:
        file.write("[%d, false, 0, 0]\n" % crash.ALONE_AT)
    os.putenv("DOORPAD_RESET_CAUSE", str(machine.SOFT_RESET))  # after a power cut it would try its link

    async def play():
        program = asyncio.create_task(main._run())
        await asyncio.sleep(1)
        time.stop()
        assert await _feedings(120) >= 118
        strike.clear()
        await _press("4711#")
        await asyncio.sleep(7)
        equal(strike, [1, 0])
        strike.clear()
        await _press("4712#")
        await asyncio.sleep(7)
        equal(strike, [])
        assert not program.done()
        program.cancel()

    try:
        esp32_time.run(play())
    finally:
        os.unsetenv("DOORPAD_RESET_CAUSE")
        esp32_time.run_clock()
        whole.unmount()


def test_only_with_its_link_a_keypad_wants_its_clock_to_move():
    matrix, link, clock = object(), object(), object()
    equal(main.watched(matrix, link, clock), (matrix, link, clock))
    equal(main.watched(matrix, None, clock), (matrix,))
