"""How much of a lockout had passed when the keypad started, where a clock went on without power (seldom.py).

Nobody else can say how long the power was away, so a lockout begins anew with a start that has no clock. What is
taken off here is too little rather than too much: both ends of the time may be off, and a host may have moved the
clock by what is not worth an entry.
"""

from doorpad_link import messages
from micropython import const

_ENTRIES = const(336)  # of the journal that are looked at: whoever has made more since waits for longer
_AT_ONCE = const(16)
_SHUT = const(64)  # lockout.py, and the longest
_SHUT_MS_MAX = const(900_000)
_UNTOLD_MS = const(
    3_000
)  # a move of the clock by up to 2 s, and how much worse than its chip it may have been

# Of an entry: journal.py.
_SEQUENCE = const(0)
_TIME = const(1)
_KIND = const(2)
_MAKER = const(6)
_LOCKOUT = const(7)
_MS = const(11)


def ms(journal, clock):
    """Milliseconds that have passed for certain, up to 15 minutes; 0 if none is running. The clock is trusted."""
    since = _since(journal) if journal.lockout & _SHUT else None
    if since is None:
        return 0
    seconds, of_second_ms = clock.now()
    passed_ms = (seconds - since[0]) * 1000 + of_second_ms - since[1]
    return max(0, min(passed_ms - 2 * clock.error_ms() - _UNTOLD_MS, _SHUT_MS_MAX))


def _since(journal):
    """(Seconds, milliseconds) of the first entry since which the lockout stood as it does, by the present clock."""
    since = None
    state = number = -1
    cursor = max(journal.head - _ENTRIES, 0)
    while True:
        entries = journal.after(cursor, _AT_ONCE)
        if not entries:
            return since
        for entry in entries:
            was_moved = entry[_KIND] == messages.EV_CLOCK_SET and entry[_MAKER] != messages.MAKER_KEYPAD
            # Where entries are lost, what they said may have been a lockout's end.
            if was_moved or entry[_LOCKOUT] != state or entry[_SEQUENCE] != number + 1:
                since = None
            if since is None and entry[_TIME]:
                since = entry[_TIME], entry[_MS]
            state = entry[_LOCKOUT]
            number = entry[_SEQUENCE]
        cursor = number
