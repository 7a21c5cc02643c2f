"""The keypad's clock, and whether it can be trusted. Seconds since 2000, as MicroPython counts them.

A start without power has no time. The clock is trusted once a host has set it in this start; until then
`time_bound` codes are refused. It never goes back behind what the journal has recorded: a host with a
dead battery must not make an ended code open again.
"""

import time
from doorpad_link.messages import UNIX_OF_2000
from machine import RTC
from micropython import const

_BEHIND_S_MAX = const(60)  # a host this little behind is followed, down to the floor


class Clock:
    def __init__(self):
        self._rtc = RTC()
        self.trusted = False

    def now_s(self):
        """Seconds since 2000, or 0 while the clock is not trusted."""
        return time.time() if self.trusted else 0

    def now(self):
        """(Seconds since 2000, milliseconds), or (0, 0) while the clock is not trusted."""
        while self.trusted:
            seconds = time.time()
            ms = self._rtc.datetime()[7] // 1000
            if seconds == time.time():
                return seconds, ms
        return 0, 0

    def set(self, unix_s, ms, floor_s):
        """Take the time from a host; `floor_s`: the newest time in the journal.

        Returns by how many seconds the clock moved, or None if the offered time lies more than a minute
        before the floor: then nothing changes.
        """
        wanted_s = unix_s - UNIX_OF_2000
        if wanted_s < floor_s - _BEHIND_S_MAX:
            return None
        if wanted_s < floor_s:
            wanted_s, ms = floor_s, 0
        moved_s = wanted_s - time.time()
        year, month, day, hour, minute, second, weekday, _ = time.gmtime(wanted_s)
        self._rtc.datetime((year, month, day, weekday, hour, minute, second, ms * 1000))
        self.trusted = True
        return moved_s
