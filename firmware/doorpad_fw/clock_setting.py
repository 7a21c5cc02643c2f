"""How a host sets the clock: the operations TIME and CLOCK (protocol/README.md, section 4, "Time").

Needed a few times an hour: it does not stay on the heap in between (seldom.py). That loading it takes its time costs
a host little: the keypad reads its clock afterwards, within the round trip that bounds the reading.
"""

from doorpad_link import messages
from doorpad_link.messages import UNIX_OF_2000, UNIX_OF_2100
from micropython import const

from doorpad_fw import seldom

_SENT_MS_MAX = const(15_000)  # a request may be as old as six sends of it take
_ADJUST_MS_MAX = const(86_400_000)  # a clock that is off by more is set
_DRIFT_PPB_MAX = const(500_000)


def set_time(clock, unix_s, ms, floor, source):
    """Take the time from a host, as Clock.move does."""
    return clock.move((unix_s - UNIX_OF_2000, ms), floor, source, _SENT_MS_MAX)


def adjust(clock, by_ms, error_ms, drift_ppb, wander_ppb, floor, source):
    """Move a trusted clock by so much, as a host has measured that it is off, and learn how the crystal runs.

    `error_ms`: how well it was measured. Returns as Clock.move does.
    """
    seconds, ms = clock.now()
    ms += by_ms
    moved_s = clock.move((seconds + ms // 1000, ms % 1000), floor, source, error_ms)
    if moved_s is not None:
        clock.drift_ppb = drift_ppb
        clock.wander_ppb = wander_ppb
    return moved_s


def serve(op, clock, journal, door, maker, body):
    """Do TIME or CLOCK; return (status, result)."""
    if op == messages.OP_TIME:
        unix_s, ms = body
        if not 0 <= ms < 1000 or not UNIX_OF_2000 <= unix_s < UNIX_OF_2100:
            return messages.INVALID, None
        was_trusted = clock.trusted
        moved_s = set_time(clock, unix_s, ms, journal.floor, maker)
        return _moved(clock, moved_s, was_trusted, journal, door, maker) or (messages.OK, None)
    if body is not None:
        by_ms, error_ms, drift_ppb, wander_ppb = body
        if (
            not clock.trusted
            or abs(by_ms) > _ADJUST_MS_MAX
            or not 0 <= error_ms <= _ADJUST_MS_MAX
            or abs(drift_ppb) > _DRIFT_PPB_MAX
            or not 0 <= wander_ppb <= _DRIFT_PPB_MAX
            or clock.now_s() + by_ms // 1000
            >= UNIX_OF_2100 - UNIX_OF_2000 - 1  # with the milliseconds of both
        ):
            return messages.INVALID, None
        moved_s = adjust(clock, by_ms, error_ms, drift_ppb, wander_ppb, journal.floor, maker)
        refusal = _moved(clock, moved_s, True, journal, door, maker)
        if refusal is not None:
            return refusal
    now_s, ms = clock.now()
    time_s, error_ms, source = None, 0, 0
    if now_s:
        time_s, error_ms, source = now_s + UNIX_OF_2000, clock.error_ms(), clock.source
    return messages.OK, [time_s, ms, error_ms, clock.drift_ppb, clock.settings, source]


def _moved(clock, moved_s, was_trusted, journal, door, maker):
    if moved_s is None:
        return messages.TIME_BEHIND, journal.floor[0] + UNIX_OF_2000
    if not was_trusted or abs(moved_s) > 2:
        door.note(messages.EV_CLOCK_SET, 0, None, maker)
    if clock.has_chip:
        seldom.call("doorpad_fw.clock_chip", "store", clock)
    return None
