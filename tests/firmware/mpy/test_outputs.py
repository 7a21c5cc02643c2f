"""Strike, LEDs and buzzer on the stand-in board: the strike's pulse, and feedback that tells nothing of a PIN."""

import esp32_time

import asyncio

import board
from doorpad_fw import pins
from doorpad_fw.outputs import STRIKE_MS_MAX, Outputs, pulse_ticks

from cases import cases, equal

_levels = []  # (name, level, virtual ms)
board.watch(lambda name, level: _levels.append((name, level, esp32_time.now_ms())))


def _watch(work, strike_ms=5000, after_ms=20_000):
    """Run `await work(outputs)` and `after_ms` more; return [(name, level, ms since the start)]."""

    async def run():
        outputs = Outputs({"strike_ms": strike_ms})
        _levels.clear()
        start_ms = esp32_time.now_ms()
        await work(outputs)
        await asyncio.sleep_ms(after_ms)
        return [(name, level, ms - start_ms) for name, level, ms in _levels]

    return esp32_time.run(run())


def test_pieces_of_a_pulse_fit_the_peripheral_and_sum_to_its_duration():
    for duration_ms in range(0, STRIKE_MS_MAX + 1, 7):
        pieces = pulse_ticks(duration_ms)
        # One tick is 255 / 80 MHz = 3.1875 us = 51/16 us. Never longer than asked, and at most 0.1 ms shorter.
        short_us = duration_ms * 1000 - sum(pieces) * 51 / 16
        assert (0 <= short_us < 100) if duration_ms else pieces == [1], (duration_ms, short_us)
        assert all(1 <= piece <= 32_767 for piece in pieces), duration_ms
        assert len(pieces) <= 120, duration_ms


@cases(100, 101, 1000, 5000, 12000)
def test_strike_is_energised_for_its_time_and_released_without_the_program(strike_ms):
    async def open_(outputs):
        outputs.open_strike()

    active, idle = pins.STRIKE_ACTIVE, 1 - pins.STRIKE_ACTIVE
    (on, off) = [change for change in _watch(open_, strike_ms) if change[0] == "strike"]
    equal((on[:2], off[:2]), (("strike", active), ("strike", idle)))
    assert strike_ms - 2 <= off[2] - on[2] <= strike_ms, off[2] - on[2]


def test_second_grant_during_the_pulse_does_not_lengthen_it():
    async def open_twice(outputs):
        outputs.open_strike()
        await asyncio.sleep_ms(4000)
        outputs.open_strike()

    strike = [change for change in _watch(open_twice) if change[0] == "strike"]
    equal([change[1] for change in strike], [1, 0])
    assert strike[1][2] - strike[0][2] <= 5000, strike


def test_grant_after_the_pulse_opens_again():
    async def open_twice(outputs):
        outputs.open_strike()
        await asyncio.sleep_ms(5001)
        outputs.open_strike()

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
