"""Which speed the line runs at: raised on request, and back at its first one when the other end is not heard.

Whoever raises it can lose the other end: an adapter that cannot follow, a lost answer, a hub that starts anew. So a
raised speed has to be proven within half a second, and is given up where bytes keep coming and no frame is among
them, as at another speed they do. Few hubs ask for another speed: link.py imports this when one does.
"""

import asyncio
import sys

from doorpad_link import messages
from micropython import const
from time import ticks_diff, ticks_ms

TRIAL_MS = const(500)  # in which a sealed request has to come (protocol/README.md, section 3)
LOST_MS = const(700)  # of bytes without an intact frame: the longest one takes 540 ms at 19,200 baud
# Between such bytes: a hub that nobody answers repeats within 3.2 s. What is older is noise of long ago.
_PAUSE_MS = const(4000)
_LOOK_MS = const(100)


class Trust:
    """Whether a raised speed is to be kept. Pure: told the time and what was counted, it says so.

    Args:
        now_ms: when the line began to run at the speed.
        counted: (bytes, intact frames, sealed requests that opened) from the other end, since the start.
    """

    def __init__(self, now_ms, counted):
        self._is_proven = False
        self._since_ms = now_ms  # of the trial, or of bytes without a frame
        self._last_ms = 0  # of such bytes
        self._counted = counted
        self._is_doubtful = False

    def ends(self, now_ms, counted):
        """Whether to go back to the first speed now. `counted`: as before."""
        before, self._counted = self._counted, counted
        if not self._is_proven:
            if counted[2] == before[2]:
                return ticks_diff(now_ms, self._since_ms) >= TRIAL_MS
            self._is_proven = True
        if self._is_doubtful and ticks_diff(now_ms, self._last_ms) > _PAUSE_MS:
            self._is_doubtful = False  # at the look that finds it so: days later ticks could not tell
        if counted[1] != before[1]:
            self._is_doubtful = False
        elif counted[0] != before[0]:
            if not self._is_doubtful:
                self._is_doubtful = True
                self._since_ms = now_ms
            self._last_ms = now_ms
            return ticks_diff(now_ms, self._since_ms) >= LOST_MS
        return False


class Speed:
    """The speed of one line. `counted`: gives what Trust is told."""

    def __init__(self, line, counted):
        self._line = line
        self._counted = counted
        self._first = line.baud
        self._watching = None
        self.asked = 0  # the speed to change to once the answer is out; 0: none

    def ask(self, body):
        """Take the arguments of SPEED; return the status to answer."""
        try:
            [baud] = body
            if not self._line.can_run_at(baud):
                return messages.UNSUPPORTED
        except (TypeError, ValueError) as error:
            sys.print_exception(error)
            return messages.INVALID
        self.asked = baud
        return messages.OK

    async def change(self):
        """The answer is out: run at what was asked for, on trial unless it is the first speed."""
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None
        baud, self.asked = self.asked, 0
        await self._line.run_at(baud)
        if baud != self._first:
            self._watching = asyncio.create_task(self._watch(Trust(ticks_ms(), self._counted())))

    async def _watch(self, trust):
        while not trust.ends(ticks_ms(), self._counted()):
            await asyncio.sleep_ms(_LOOK_MS)
        await self._line.run_at(self._first)
        self._watching = None
