"""A host opens or closes the door: at most once for each attempt, and never late.

An attempt names the keypad's start and a moment of it, in milliseconds since that start, after which it is refused.
So one that was held up on its way opens nothing, and one that comes again is known: those whose moment has not
passed are remembered, and a restart, which forgets them, refuses them all.
"""

from doorpad_link import messages
from doorpad_link.cbor import is_bytes
from micropython import const
from time import ticks_ms

from doorpad_fw.slots import Slot

_AHEAD_MS_MAX = const(10_000)
_ATTEMPTS_MAX = const(8)  # of all hosts, within those seconds


def _left_ms(until_ms, now_ms):
    left_ms = (until_ms - now_ms) & 0xFFFF_FFFF
    return left_ms if left_ms <= _AHEAD_MS_MAX else -1


def _end_pulse(outputs):
    # Let the strike fall back before its time, whose end is then not noted.
    outputs.pulse.cancel()
    outputs.pulse = None
    outputs.strike.deinit()
    outputs.take_strike()


def move(door, journal, attempts, maker, body):
    """Do one attempt; return (status, result). `attempts`: (id, until_ms) of those that may still come again."""
    opens, boot, until_ms, attempt_id = body
    if opens not in (0, 1) or not is_bytes(attempt_id, 16):
        return messages.INVALID, None
    now_ms = door.uptime_ms()
    if boot != journal.boot or _left_ms(until_ms, now_ms) < 0:
        return messages.EXPIRED, None
    attempts[:] = [it for it in attempts if _left_ms(it[1], now_ms) >= 0]
    if any(it[0] == attempt_id for it in attempts):
        return messages.ALREADY, None
    if len(attempts) >= _ATTEMPTS_MAX:
        return messages.NO_SPACE, None
    attempts.append((attempt_id, until_ms))
    was_open = door.outputs.is_unlocked
    if opens:
        door.unlock(ticks_ms())
    elif was_open:
        _end_pulse(door.outputs)
    moved = was_open != bool(opens)
    reason = (messages.STRIKE_OPEN if opens else 0) | (0 if moved else messages.STRIKE_WAS_SO)
    named = Slot(0, 0, 0, 0, 0, maker, bytes(8), attempt_id, None)  # the journal has no other place for an id
    door.note(messages.EV_HOST_STRIKE, reason, named, maker)
    return messages.OK, moved
