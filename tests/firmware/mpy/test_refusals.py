"""What a guesser can learn: every refusal is the same to eye and ear, and no power cut shortens a lockout."""

import esp32_time

import asyncio

import board
import time
from doorpad_fw import pins
from doorpad_link import messages

from cases import cases, equal
from keypad_parts import MASTER, Keypad

HEAP = "400K"
NOW_UNIX = 1_800_000_000
NOW_S = NOW_UNIX - 946_684_800
BOUND = messages.ENABLED | messages.TIME_BOUND
ONCE = messages.ENABLED | messages.COUNTED
LOCKOUT_MS = 30_000

_seen = []
board.drive(pins.STRIKE, 1 - pins.STRIKE_ACTIVE)  # as boot.py does first
board.watch(lambda name, level: _seen.append((esp32_time.now_ms(), name, level)))


def _trust(keypad):
    time.freeze(NOW_UNIX)
    keypad.clock.move((NOW_S, 0), (0, 0), 1, 0)


def _use_up(keypad):
    keypad.enter("4711#")


def _lock_out(keypad):
    for _ in range(5):
        keypad.enter("0000#")


def _wear_out(keypad):
    for place in range(2, 12):
        keypad.flash.stuck[64 * place + 9] = 0xFF


# (reason, flags, window, what happens before): whoever enters 4711 is refused for the reason.
REFUSALS = {
    messages.UNKNOWN_PIN: (None, (0, 0), None),
    messages.DISABLED: (0, (0, 0), None),
    messages.CLOCK_UNKNOWN: (BOUND, (NOW_S - 1, NOW_S + 1), None),
    messages.TOO_EARLY: (BOUND, (NOW_S + 1, NOW_S + 2), _trust),
    messages.TOO_LATE: (BOUND, (NOW_S - 1, NOW_S), _trust),
    messages.USED_UP: (ONCE, (0, 0), _use_up),
    messages.CANNOT_SPEND: (ONCE, (0, 0), _wear_out),
    messages.LOCKED_OUT: (messages.ENABLED, (0, 0), _lock_out),
}


def _show(reason, quiet, pin="4711"):
    """Enter the PIN, a key each 200 ms; return what outputs do, [(ms since the first key, name, level)]."""
    flags, window, before = REFUSALS[reason]
    shown = []

    async def run():
        keypad = Keypad(quiet=quiet)
        if flags is not None:
            keypad.add(7, b"4711", flags, *window)
        if before:
            before(keypad)
        await asyncio.sleep_ms(5000)  # whatever that began has ended
        _seen.clear()
        start_ms = esp32_time.now_ms()
        for key in pin + "#":
            keypad.door.key(key)
            await asyncio.sleep_ms(200)
        await asyncio.sleep_ms(5000)
        equal(keypad.entries()[-1][:2], (messages.EV_DENIED, reason))
        shown.extend((at_ms - start_ms, name, level) for at_ms, name, level in _seen)
        time.freeze(None)

    esp32_time.run(run())
    return shown


@cases(0, 1)
def test_every_refusal_looks_sounds_and_lasts_the_same(quiet):
    wanted = _show(messages.UNKNOWN_PIN, quiet)
    assert [it for it in wanted if it[1] == "led_red" and it[2]], wanted
    assert not [it for it in wanted if it[1] in ("strike", "led_green") and it[2]], wanted
    equal(bool([it for it in wanted if it[1] == "buzzer" and it[2]]), not quiet)
    for reason in REFUSALS:
        equal(_show(reason, quiet), wanted, "reason %d" % reason)


def test_master_pin_in_a_lockout_looks_as_any_other():
    equal(_show(messages.LOCKED_OUT, 0, MASTER.decode()), _show(messages.UNKNOWN_PIN, 0, "12345678"))


def test_only_an_unknown_pin_is_counted():
    for reason in REFUSALS:
        if reason in (messages.UNKNOWN_PIN, messages.LOCKED_OUT):
            continue
        flags, window, before = REFUSALS[reason]

        async def run():
            keypad = Keypad()
            keypad.add(7, b"4711", flags, *window)  # noqa: B023 - it is called at once
            for _ in range(10):
                if before:  # noqa: B023
                    before(keypad)  # noqa: B023
                keypad.enter("4711#")
            kinds = [kind for kind, _, _ in keypad.entries()]
            assert messages.EV_LOCKOUT not in kinds, (reason, kinds)  # noqa: B023
            time.freeze(None)

        esp32_time.run(run())


def test_power_cut_in_any_second_of_a_lockout_does_not_shorten_it():
    for second in range(31):
        _seen.clear()

        async def run():
            keypad = Keypad()
            keypad.add(7, b"4711")
            began_ms = esp32_time.now_ms()
            _lock_out(keypad)
            await asyncio.sleep_ms(second * 1000)  # noqa: B023 - it is called at once
            if second < 30:  # noqa: B023
                keypad.door.tick()
            keypad = Keypad(keypad.flash)
            while not [it for it in _seen if it[1:] == ("strike", 1)]:
                keypad.door.tick()
                keypad.enter("4711#")
                await asyncio.sleep_ms(500)
            opened_ms = [at_ms for at_ms, name, level in _seen if (name, level) == ("strike", 1)][0]
            assert opened_ms - began_ms >= LOCKOUT_MS, (second, opened_ms - began_ms)  # noqa: B023
            # And not longer than one more of the same: a keypad that is switched on and off opens again, too.
            assert opened_ms - began_ms <= second * 1000 + LOCKOUT_MS + 500  # noqa: B023
            await asyncio.sleep_ms(5000)

        esp32_time.run(run())
