"""A host opens and closes the door: once for each attempt, never late, and in the journal with who it was."""

import esp32_time

import asyncio

import board
from doorpad_fw import pins
from doorpad_link import cbor, messages

from cases import cases, equal
from journal_entries import entries_after
from keypad_parts import STRIKE_MS, Keypad

HEAP = "400K"  # one keypad after the other
HOST = 2
AHEAD_MS = 3_000
OPEN, SO = messages.STRIKE_OPEN, messages.STRIKE_WAS_SO

_strike = []  # (level, virtual ms)
board.watch(lambda name, level: name == "strike" and _strike.append((level, esp32_time.now_ms())))


def _id(number):
    return b"attempt-" + bytes([0] * 7 + [number])


def _ask(keypad, opens, attempt, ahead_ms=AHEAD_MS, boot=None):
    boot = keypad.journal.boot if boot is None else boot
    until_ms = (keypad.door.uptime_ms() + ahead_ms) & 0xFFFF_FFFF
    body = [opens, boot, until_ms, attempt]
    return keypad.operations.serve(HOST, messages.OP_STRIKE, cbor.decode(cbor.encode(body)))


def _journal(keypad):
    return [
        (entry.kind, entry.reason, entry.access_code_id, entry.maker)
        for entry in entries_after(keypad.journal, 0)
        if entry.kind in (messages.EV_HOST_STRIKE, messages.EV_LOCKED)
    ]


def _with_keypad(work, **settings):
    """Run `await work(keypad)`; return (keypad, [(level, ms since the start)])."""

    async def run():
        keypad = Keypad(**settings)
        _strike.clear()
        start_ms = esp32_time.now_ms()
        await work(keypad)
        return keypad, [(level, ms - start_ms) for level, ms in _strike]

    return esp32_time.run(run())


async def _seconds(keypad, count):
    for _ in range(count):
        await asyncio.sleep_ms(1000)
        keypad.door.tick()


def test_attempt_opens_for_the_strike_time_and_its_end_is_noted():
    async def work(keypad):
        equal(_ask(keypad, 1, _id(1)), (messages.OK, True))
        await _seconds(keypad, 4)

    keypad, [on, off] = _with_keypad(work)
    equal((on[0], off[0]), (pins.STRIKE_ACTIVE, 1 - pins.STRIKE_ACTIVE))
    assert STRIKE_MS - 2 <= off[1] - on[1] <= STRIKE_MS, (on, off)
    equal(
        _journal(keypad),
        [(messages.EV_HOST_STRIKE, OPEN, _id(1), HOST), (messages.EV_LOCKED, 0, bytes(16), 0)],
    )


def test_attempt_that_comes_again_is_known_and_opens_nothing():
    async def twice(keypad):
        equal(_ask(keypad, 1, _id(1), 10_000), (messages.OK, True))
        await _seconds(keypad, 4)
        equal(_ask(keypad, 1, _id(1), 6_000), (messages.ALREADY, None))
        await _seconds(keypad, 4)

    keypad, levels = _with_keypad(twice)
    equal(len(levels), 2)
    equal(len([it for it in _journal(keypad) if it[0] == messages.EV_HOST_STRIKE]), 1)


@cases(-1, -1000, -2147483648, 10_001, 2147483648)
def test_attempt_that_comes_too_late_or_is_meant_for_too_far_ahead_opens_nothing(ahead_ms):
    async def work(keypad):
        await _seconds(keypad, 2)
        equal(_ask(keypad, 1, _id(1), ahead_ms), (messages.EXPIRED, None))
        await _seconds(keypad, 1)

    keypad, levels = _with_keypad(work)
    equal((levels, _journal(keypad)), ([], []))


@cases(0, 1)
def test_attempt_within_its_moment_opens_to_the_last_millisecond(ahead_ms):
    async def work(keypad):
        equal(_ask(keypad, 1, _id(1), ahead_ms), (messages.OK, True))

    _with_keypad(work)


def test_attempt_for_another_start_of_the_keypad_opens_nothing():
    async def work(keypad):
        for boot in (keypad.journal.boot - 1, keypad.journal.boot + 1):
            equal(_ask(keypad, 1, _id(1), boot=boot), (messages.EXPIRED, None))

    _, levels = _with_keypad(work)
    equal(levels, [])


def test_attempt_in_the_pulse_lets_its_time_begin_anew():
    async def work(keypad):
        _ask(keypad, 1, _id(1))
        await _seconds(keypad, 2)
        equal(_ask(keypad, 1, _id(2)), (messages.OK, False))
        await _seconds(keypad, 5)

    keypad, levels = _with_keypad(work)
    equal([level for level, _ in levels], [1, 0, 1, 0])
    assert levels[2][1] - levels[1][1] <= 5, levels
    assert abs(levels[3][1] - levels[0][1] - 2000 - STRIKE_MS) <= 20, levels
    equal(
        [it[:2] for it in _journal(keypad)],
        [
            (messages.EV_HOST_STRIKE, OPEN),
            (messages.EV_HOST_STRIKE, OPEN | SO),
            (messages.EV_LOCKED, 0),
        ],
    )


@cases(3000, 30_000)
def test_closing_ends_the_pulse_at_once_and_is_the_only_end_noted(strike_ms):
    async def work(keypad):
        keypad.settings["strike_ms"] = strike_ms
        _ask(keypad, 1, _id(1))
        await _seconds(keypad, 1)
        equal(_ask(keypad, 0, _id(2)), (messages.OK, True))
        await _seconds(keypad, 40)
        equal(_ask(keypad, 0, _id(3)), (messages.OK, False))

    keypad, [on, off] = _with_keypad(work)
    assert off[1] - on[1] <= 1010, (on, off)
    equal(
        [it[:2] for it in _journal(keypad)],
        [
            (messages.EV_HOST_STRIKE, OPEN),
            (messages.EV_HOST_STRIKE, 0),
            (messages.EV_HOST_STRIKE, SO),
        ],
    )


def test_more_attempts_at_once_than_are_remembered_are_refused_until_time_has_passed():
    async def work(keypad):
        answers = [_ask(keypad, 1, _id(n), 10_000)[0] for n in range(9)]
        equal(answers, [messages.OK] * 8 + [messages.NO_SPACE])
        await _seconds(keypad, 11)
        equal(_ask(keypad, 1, _id(8), 10_000)[0], messages.OK)

    _with_keypad(work)


BODIES = (
    ("nothing", None),
    ("no list", 1),
    ("short", [1, 1, 3000]),
    ("neither open nor closed", [2, 1, 3000, bytes(16)]),
    ("text", ["1", 1, 3000, bytes(16)]),
    ("short id", [1, 1, 3000, bytes(15)]),
    ("text for an id", [1, 1, 3000, "x" * 16]),
    ("no number for an id", [1, 1, 3000, 16]),
    ("text for a time", [1, 1, "3000", bytes(16)]),
    ("no time", [1, 1, None, bytes(16)]),
)


def test_body_of_another_form_opens_nothing():
    async def work(keypad):
        for what, body in BODIES:
            equal(keypad.operations.serve(HOST, messages.OP_STRIKE, body), (messages.INVALID, None), what)

    keypad, levels = _with_keypad(work)
    equal((levels, _journal(keypad)), ([], []))


def test_code_at_the_keypad_is_followed_by_a_note_of_the_end():
    async def work(keypad):
        keypad.add(1, b"4711")
        keypad.enter("4711#")
        await _seconds(keypad, 4)
        keypad.enter("4711#")
        await asyncio.sleep_ms(STRIKE_MS + 5)
        keypad.enter("4711#")  # the end of the pulse before is noted first
        await _seconds(keypad, 4)

    keypad, _ = _with_keypad(work)
    kinds = [entry.kind for entry in entries_after(keypad.journal, 0)]
    equal(kinds, [messages.EV_GRANTED, messages.EV_LOCKED] * 3)
