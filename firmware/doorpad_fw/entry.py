"""From key presses to an entered number: digits, `#` enters, `*` clears, a pause forgets. No I/O."""

from micropython import const
from time import ticks_diff

PAUSE_MS_MAX = const(10_000)
_DIGITS_MAX = const(16)  # more than any PIN has: a longer entry is wrong, not cut to fit

# What a key did.
MORE = const(0)
CLEARED = const(1)
ENTERED = const(2)
IGNORED = const(3)  # `#` with nothing before it, or a key without a meaning: A to D of a 4x4 keypad


class Entry:
    def __init__(self):
        self._digits = b""
        self._last_ms = 0
        self.entered = b""  # the number that ENTERED completed, ASCII digits

    @property
    def has_begun(self):
        return bool(self._digits)

    def key(self, key, now_ms):
        """Take one key ("0" to "9", "*", "#", "A" to "D"); return what it did. `now_ms`: ticks."""
        self.expire(now_ms)
        if key > "9":
            return IGNORED
        self._last_ms = now_ms
        if key == "*":
            self._digits = b""
            return CLEARED
        if key == "#":
            self.entered = self._digits
            self._digits = b""
            return ENTERED if self.entered else IGNORED
        if len(self._digits) <= _DIGITS_MAX:
            self._digits += key.encode()
        return MORE

    def expire(self, now_ms):
        """Forget what was typed if the pause since the last key was too long; return True if so."""
        if self._digits and ticks_diff(now_ms, self._last_ms) >= PAUSE_MS_MAX:
            self._digits = b""
            return True
        return False
