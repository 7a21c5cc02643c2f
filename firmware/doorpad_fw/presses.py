"""What was meant by the keys that are down: presses without bounce and ghosts, long ones, stuck keys. No I/O.

Debouncing goes by time stamps, not by counting scans: a flash erase stops everything for 45 ms and more.
"""

from micropython import const
from time import ticks_add, ticks_diff

_STABLE_MS = const(8)  # contacts bounce for up to 5 ms
_LONG_MS = const(8000)
_STUCK_MS = const(30_000)  # no finger stays so long: dirt, frost or a bent contact

PRESSED = const(0)
LONG = const(1)  # down alone for 8 seconds
STUCK = const(2)  # down for 30 seconds: not looked at again before it was up
FREED = const(3)

_NOTHING = ()


class Presses:
    """Takes every scan of the matrix: which keys are down, as a text, and when."""

    def __init__(self):
        self._seen = ""
        self._since_ms = 0
        self._stable = ""  # the keys that are down, debounced
        self._down_ms = {}  # since when each of them is
        self._long_told = False
        self.stuck = ""

    def take(self, down, now_ms):
        """Take one scan; return [(PRESSED, LONG, STUCK or FREED, key), ...], mostly none. `now_ms`: ticks."""
        if down != self._seen:
            self._seen, self._since_ms = down, now_ms
        stable_ms = ticks_diff(now_ms, self._since_ms)
        if stable_ms < _STABLE_MS:
            return _NOTHING
        if not down and not self._stable:
            # Moved on, for days at rest are beyond what ticks can tell.
            self._since_ms = ticks_add(now_ms, -_STABLE_MS)
            return _NOTHING
        found: "list[tuple[int, str]]" = []
        if down != self._stable:
            self._change(down, now_ms, found)
        live = [key for key in down if key not in self.stuck]
        if len(live) != 1:
            self._long_told = False
        elif not self._long_told and stable_ms >= _LONG_MS:
            self._long_told = True
            found.append((LONG, live[0]))
        for key in live:
            if ticks_diff(now_ms, self._down_ms[key]) >= _STUCK_MS:
                self.stuck += key
                found.append((STUCK, key))
        return found

    def _change(self, down, now_ms, found):
        new = [key for key in down if key not in self._stable]
        for key in self._stable:
            if key not in down:
                del self._down_ms[key]
                if key in self.stuck:
                    self.stuck = self.stuck.replace(key, "")
                    found.append((FREED, key))
        for key in new:
            self._down_ms[key] = now_ms
        self._stable = down
        self._long_told = False
        # Two new keys at once, or three with the ghost that they make, are no entry anyone meant.
        if len(new) == 1:
            found.append((PRESSED, new[0]))

    def idle(self, now_ms):
        """Whether every key is up, and has been for long enough that none can be bouncing."""
        return not self._seen and not self._stable and ticks_diff(now_ms, self._since_ms) >= _STABLE_MS

    def waiting(self):
        """Whether only stuck keys are down, one or more: without any, the next scan may see a key that bounces."""
        return bool(self.stuck) and self._seen == self._stable and len(self._stable) == len(self.stuck)
