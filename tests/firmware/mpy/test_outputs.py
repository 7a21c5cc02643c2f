"""Strike, LEDs and buzzer on the stand-in board: the strike's pulse, and feedback that tells nothing of a PIN."""

import esp32_time

import asyncio

import board
from doorpad_fw import health, pins
from doorpad_fw.outputs import LOAD_MS_MAX, STRIKE_MS_MAX, Outputs, pulse_ticks
from doorpad_link import messages

from cases import cases, equal

_levels = []  # (name, level, virtual ms)
board.watch(lambda name, level: _levels.append((name, level, esp32_time.now_ms())))


def _watch(work, strike_ms=5000, after_ms=20_000, quiet=0, make=Outputs):
    """Run `await work(outputs)` and `after_ms` more; return [(name, level, ms since the start)]."""

    async def run():
        outputs = make({"strike_ms": strike_ms, "quiet": quiet})
        _levels.clear()
        start_ms = esp32_time.now_ms()
        await work(outputs)
        await asyncio.sleep_ms(after_ms)
        return [(name, level, ms - start_ms) for name, level, ms in _levels]

    return esp32_time.run(run())


def test_pieces_of_a_pulse_fit_the_peripheral_and_sum_to_its_duration():
    for duration_ms in range(1, LOAD_MS_MAX + 1, 7):
        pieces = pulse_ticks(duration_ms)
        # One tick is 255 / 80 MHz = 3.1875 us = 51/16 us. Never shorter than asked, and less than a tick longer.
        spare = sum(pieces) * 51 - duration_ms * 16_000
        assert 0 <= spare < 51, (duration_ms, spare)
        assert all(1 <= piece <= 32_767 for piece in pieces), duration_ms
        assert len(pieces) <= 48, duration_ms


@cases(100, 101, 1000, 5000)
def test_strike_is_energised_for_its_time_and_released_without_the_program(strike_ms):
    async def open_(outputs):
        outputs.open_strike(_rested)

    active, idle = pins.STRIKE_ACTIVE, 1 - pins.STRIKE_ACTIVE
    (on, off) = [change for change in _watch(open_, strike_ms) if change[0] == "strike"]
    equal((on[:2], off[:2]), (("strike", active), ("strike", idle)))
    equal(off[2] - on[2], strike_ms)


@cases(5_100, 12_000, 30_000, 60_000)
def test_longer_pulse_than_the_peripheral_plays_at_once_is_played_in_parts_with_hardly_a_rest(strike_ms):
    async def open_(outputs):
        outputs.open_strike(_rested)
        await asyncio.sleep_ms(strike_ms)

    changes = [change for change in _watch(open_, strike_ms) if change[0] == "strike"]
    equal([level for _, level, _ in changes], [1, 0] * (len(changes) // 2))
    times = [ms for _, _, ms in changes]
    assert strike_ms - 20 <= times[-1] - times[0] <= strike_ms + 20, times
    for on_ms, off_ms in zip(times[::2], times[1::2]):
        assert off_ms - on_ms <= LOAD_MS_MAX, times
    for off_ms, on_ms in zip(times[1::2], times[2::2]):
        assert on_ms - off_ms <= 5, times


def test_longest_pulse_that_may_be_set_is_a_minute():
    equal(STRIKE_MS_MAX, 60_000)


def test_pulse_in_parts_ends_with_the_part_that_plays_when_the_program_hangs():
    # What is not run again is the task that gives the next part: the peripheral alone ends the one that it has.
    async def open_and_hang(outputs):
        outputs._see_to_its_end = _never
        outputs.open_strike(_rested)

    strike = [change for change in _watch(open_and_hang, 60_000, after_ms=70_000) if change[0] == "strike"]
    equal([level for _, level, _ in strike], [1, 0])
    assert strike[1][2] - strike[0][2] <= LOAD_MS_MAX, strike


def _rested():
    pass


async def _never(on_rest):
    pass


def test_magnet_holds_the_door_by_its_current_and_lets_go_for_the_pulse():
    class Magnet(Outputs):
        strike_active = 0

    async def open_(outputs):
        equal(board.read(pins.STRIKE), 1, "held")
        outputs.open_strike(_rested)
        await asyncio.sleep_ms(1000)
        equal(board.read(pins.STRIKE), 0, "let go")

    try:
        _watch(open_, make=Magnet)
        equal(board.read(pins.STRIKE), 1, "held again")
    finally:
        board.drive(pins.STRIKE, 1 - pins.STRIKE_ACTIVE)


@cases(0, 1, 80, 4000, 4999)
def test_grant_during_the_pulse_lets_its_time_begin_anew_with_hardly_a_rest(after_ms):
    async def open_twice(outputs):
        outputs.open_strike(_rested)
        await asyncio.sleep_ms(after_ms)
        outputs.open_strike(_rested)

    strike = [change for change in _watch(open_twice) if change[0] == "strike"]
    times = [ms for _, _, ms in strike]
    assert after_ms + 4980 <= times[-1] - times[0] <= after_ms + 5020, times
    equal([level for _, level, _ in strike], [1, 0, 1, 0] if after_ms > 20 else [1, 0])
    for off_ms, on_ms in zip(times[1::2], times[2::2]):
        assert on_ms - off_ms <= 5, times


def test_end_of_a_pulse_is_told_once_at_the_moment_of_it():
    told = []

    async def open_twice(outputs):
        def rested():
            told.append((esp32_time.now_ms(), outputs.is_unlocked))

        outputs.open_strike(rested)
        await asyncio.sleep_ms(3000)
        outputs.open_strike(rested)

    start_ms = esp32_time.now_ms()
    strike = [change for change in _watch(open_twice) if change[0] == "strike"]
    [(told_ms, unlocked)] = told
    equal((board.read(pins.STRIKE), unlocked), (0, False))
    assert 0 <= told_ms - start_ms - strike[-1][2] <= 5, (told, strike)


def test_part_of_a_pulse_that_the_heap_has_no_room_for_ends_it_and_is_told():
    async def open_(outputs):
        outputs.open_strike(_rested)
        outputs._play_part = _no_room

    health.bits = 0
    strike = [change for change in _watch(open_, 60_000) if change[0] == "strike"]
    equal(([level for _, level, _ in strike], health.bits), ([1, 0], messages.HEALTH_MEMORY))


def _no_room(left_ms):
    raise MemoryError


def test_grant_after_the_pulse_opens_again():
    async def open_twice(outputs):
        outputs.open_strike(_rested)
        await asyncio.sleep_ms(5001)
        outputs.open_strike(_rested)

    equal([change[1] for change in _watch(open_twice) if change[0] == "strike"], [1, 0, 1, 0])


def test_outputs_are_idle_when_made():
    async def nothing(outputs):
        pass

    _watch(nothing)
    levels = {name: board.read(pin) for pin, name in board.OUTPUTS.items()}
    equal(levels, {"strike": 0, "led_green": 0, "led_red": 0, "buzzer": 0})


def test_feedback_ends_dark_and_silent_however_it_is_interrupted():
    async def hurry(outputs):
        for signal in (outputs.granted, outputs.refused, outputs.accepted, outputs.key_pressed):
            for other in (outputs.granted, outputs.refused, outputs.accepted, outputs.key_pressed):
                signal()
                await asyncio.sleep_ms(60)
                other()
                await asyncio.sleep_ms(10)

    changes = _watch(hurry)
    assert {name for name, _, _ in changes} == {"led_green", "led_red", "buzzer"}, changes
    equal([board.read(pin) for pin in board.OUTPUTS], [0, 0, 0, 0])


def test_programming_light_stays_on_through_its_key_presses():
    lit = []

    async def program(outputs):
        outputs.programming(True)
        for signal in (outputs.key_pressed, outputs.accepted, outputs.refused):
            signal()
            await asyncio.sleep_ms(1000)
            lit.append(board.read(pins.LED_GREEN))
        outputs.programming(False)

    _watch(program)
    equal((lit, board.read(pins.LED_GREEN)), ([1, 1, 1], 0))


def test_quiet_mode_makes_no_sound_and_says_everything_by_light():
    told = []

    async def all_signals(outputs):
        for signal in (outputs.key_pressed, outputs.granted, outputs.refused, outputs.accepted):
            before = len(_levels)
            signal()
            await asyncio.sleep_ms(2000)
            told.append([(name, level) for name, level, _ in _levels[before:]])
        before = len(_levels)
        outputs.count(20)
        await asyncio.sleep_ms(5000)
        told.append([(name, level) for name, level, _ in _levels[before:]])

    changes = _watch(all_signals, quiet=1)
    assert not [change for change in changes if change[0] == "buzzer"], changes
    red, green = [("led_red", 1), ("led_red", 0)], [("led_green", 1), ("led_green", 0)]
    equal(told, [[], green, red * 2, green * 2, red * 3])
