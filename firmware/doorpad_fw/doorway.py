"""Is the door open because it may be? Tells forced and held open from what contact and strike do. No I/O."""

from doorpad_link.messages import EV_DOOR_CLOSED, EV_FORCED, EV_HELD_OPEN
from micropython import const
from time import ticks_add, ticks_diff

_GRACE_MS = const(2000)  # a door that was opened at the last moment of the pulse


class Doorway:
    """Each call returns the journal kind of what it found, 0 for nothing. `now_ms`: ticks.

    `settings`: "strike_ms" and "held_open_s".
    """

    def __init__(self, settings):
        self._settings = settings
        self._may_open = False
        self._may_open_until_ms = 0
        self._open = None  # not known before the first report
        self._since_ms = 0
        self._alarm = False

    def unlocked(self, now_ms):
        self._may_open = True
        self._may_open_until_ms = ticks_add(now_ms, self._settings["strike_ms"] + _GRACE_MS)

    def contact(self, is_open, now_ms):
        self._lapse(now_ms)
        first = self._open is None
        self._open = is_open
        self._since_ms = now_ms
        if is_open:
            if first or self._may_open:
                return 0
            self._alarm = True
            return EV_FORCED
        if self._alarm:
            self._alarm = False
            return EV_DOOR_CLOSED
        return 0

    def tick(self, now_ms):
        """Let time pass; call it at least every few days of ticks."""
        self._lapse(now_ms)
        held_open_ms = self._settings["held_open_s"] * 1000
        if self._open and not self._alarm and ticks_diff(now_ms, self._since_ms) >= held_open_ms:
            self._alarm = True
            return EV_HELD_OPEN
        return 0

    def _lapse(self, now_ms):
        if self._may_open and ticks_diff(now_ms, self._may_open_until_ms) >= 0:
            self._may_open = False
