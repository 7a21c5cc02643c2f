"""Wrong-PIN lockout: counts tries, says when entry is shut. No I/O, no clock of its own.

The state fits a byte that every journal entry carries, so a power cut forgives nothing: a lockout that was
running starts again in full, but for what a clock chip has seen of it pass (served.py).

    bits 0..2  wrong tries since the last right one or lockout
    bits 3..5  lockouts in a row
    bit  6     entry is shut
"""

from micropython import const
from time import ticks_add, ticks_diff

_SHUT_MS_MAX = const(900_000)  # each further lockout doubles the first one, up to 15 minutes
_LEVEL_MAX = const(7)  # of three bits: 10 s, the shortest first one, has reached 640 s by then

assert _SHUT_MS_MAX < 1 << 29  # ticks_diff() is exact only below half of the ESP32's 2**30 ms period


class Lockout:
    """`settings`: "wrong_max", how many wrong tries shut the entry, and "lockout_s", for how long at first."""

    def __init__(self, packed, now_ms, settings):
        """`packed`: the state byte of the newest journal entry, 0 for none; `now_ms`: ticks when a lockout began."""
        self._settings = settings
        self.wrong = packed & 7
        self.level = packed >> 3 & 7
        self.shut = bool(packed & 64)
        self._until_ms = ticks_add(now_ms, self._duration_ms())

    def _duration_ms(self):
        return min(self._settings["lockout_s"] * 1000 << max(self.level - 1, 0), _SHUT_MS_MAX)

    def pack(self):
        return self.wrong | self.level << 3 | (64 if self.shut else 0)

    def wrong_pin(self, now_ms):
        """Count a wrong try; return True if it shut the entry."""
        self.wrong += 1
        if self.wrong < self._settings["wrong_max"]:
            return False
        self.wrong = 0
        self.level = min(self.level + 1, _LEVEL_MAX)
        self.shut = True
        self._until_ms = ticks_add(now_ms, self._duration_ms())
        return True

    def right_pin(self):
        self.wrong = 0
        self.level = 0

    def lapse(self, now_ms):
        """Open the entry again when its time is over; return True if that happened now.

        Call it at least every few days of ticks, or the end of a lockout is lost in their wrap.
        """
        if self.shut and ticks_diff(now_ms, self._until_ms) >= 0:
            self.shut = False
            return True
        return False
