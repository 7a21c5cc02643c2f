"""Local programming: the dialogue at the keypad after the master PIN. No I/O.

master PIN #        begin
1 # PIN #           add an ongoing code
2 # PIN #           delete the code with this PIN
*                   end; so does a pause of 30 seconds
"""

from micropython import const
from time import ticks_diff

_PAUSE_MS_MAX = const(30_000)

# Actions that the dialogue asks for.
NONE = const(0)
ADD = const(1)
DELETE = const(2)
REFUSE = const(3)  # no such command

_OFF = const(0)
_COMMAND = const(1)
_ADD_PIN = const(2)
_DELETE_PIN = const(3)


class Programming:
    def __init__(self):
        self._state = _OFF
        self._last_ms = 0

    @property
    def active(self):
        return self._state != _OFF

    def begin(self, now_ms):
        self._state = _COMMAND
        self._last_ms = now_ms

    def end(self):
        self._state = _OFF

    def touch(self, now_ms):
        """A key was pressed: the pause begins anew."""
        self._last_ms = now_ms

    def entered(self, number):
        """Take an entered number; return the action, to be done with this number as its PIN."""
        if self._state == _OFF:
            return REFUSE
        if self._state == _COMMAND:
            if number == b"1":
                self._state = _ADD_PIN
            elif number == b"2":
                self._state = _DELETE_PIN
            else:
                return REFUSE
            return NONE
        action = ADD if self._state == _ADD_PIN else DELETE
        self._state = _COMMAND
        return action

    def expire(self, now_ms):
        """End after too long a pause; return True if that happened now."""
        if self.active and ticks_diff(now_ms, self._last_ms) >= _PAUSE_MS_MAX:
            self._state = _OFF
            return True
        return False
