"""Local programming: the dialogue at the keypad after the master PIN. No I/O.

master PIN #          begin
1 # PIN #             add an ongoing code
2 # PIN #             delete the code with this PIN
3 # OLD # NEW #       give a code another PIN
4 #                   tell by beeps how many codes there are
5 # NEW # NEW #       change the master PIN
6 # DAYS # PIN #      add a code for so many days from now on
7 # PIN #             add a code that opens once
8 # DAYS # PIN #      add a code that opens once, within so many days
9 # PIN #             add a code that opens, and tells the hub that whoever entered it was forced to
*                     end; so does a pause of 30 seconds
"""

from micropython import const
from time import ticks_diff

_PAUSE_MS_MAX = const(30_000)

# Actions that the dialogue asks for.
NONE = const(0)
ADD = const(1)
DELETE = const(2)
CHANGE = const(3)
COUNT = const(4)
MASTER = const(5)
ADD_FOR_DAYS = const(6)
ADD_ONCE = const(7)
ADD_ONCE_FOR_DAYS = const(8)
ADD_DURESS = const(9)
REFUSE = const(10)  # no such command

_NUMBERS = b"\x00\x01\x01\x02\x00\x02\x02\x01\x02\x01"  # that each command takes; commands are actions


class Programming:
    def __init__(self):
        self.active = False
        self._action = NONE  # the command whose numbers are being entered
        self._last_ms = 0
        self.numbers = []  # what the last action is to be done with

    def begin(self, now_ms):
        self.active = True
        self._action = NONE
        self._last_ms = now_ms

    def end(self):
        self.active = False
        self.numbers = []

    def touch(self, now_ms):
        """A key was pressed: the pause begins anew."""
        self._last_ms = now_ms

    def entered(self, number):
        """Take an entered number; return the action, to be done with `numbers`."""
        if not self.active:
            return REFUSE
        if self._action == NONE:
            action = number[0] - 48 if len(number) == 1 else NONE
            if action == NONE:
                return REFUSE
            self.numbers = []
            self._action = action
        else:
            self.numbers.append(number)
        if len(self.numbers) < _NUMBERS[self._action]:
            return NONE
        action = self._action
        self._action = NONE
        return action

    def expire(self, now_ms):
        """End after too long a pause; return True if that happened now."""
        if self.active and ticks_diff(now_ms, self._last_ms) >= _PAUSE_MS_MAX:
            self.end()
            return True
        return False
