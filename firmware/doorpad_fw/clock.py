"""The keypad's clock, whether it can be trusted, and how far it may be off. Seconds since 2000.

A start without power has no time. The clock is trusted once a host has set it in this start (clock_setting.py);
until then `time_bound` codes are refused. It never goes back behind what the journal has recorded: a host with a
dead battery must not make an ended code open again.

Between two settings it runs on the board's crystal. A host that has seen how fast that one runs says so, and `tick`
takes it off. How far off the clock may be then grows with time, at a rate that the host knows too.

A clock that stands still is not trusted: a code would never end. That a host sets it does not make it run.
"""

import time
from machine import RTC
from micropython import const
from time import ticks_diff, ticks_ms

from doorpad_fw import seldom

_BEHIND_S_MAX = const(60)  # a host this little behind is followed, down to the floor
_WANDER_PPB = const(100_000)  # of a crystal that nobody has measured; ten times what its data sheet says
_CHIP_S = const(3600)  # between looks at the clock chip
_STILL_MS_MAX = const(3000)  # three ticks; long before the watchdog bites
_MS_OF_PPB_S = const(1_000_000)  # parts per billion, times seconds, to milliseconds


class Clock:
    def __init__(self):
        self._rtc = RTC()
        self.trusted = False
        self.settings = 0  # how often it was set in this start
        self.source = 0  # who set it last, as a maker number
        self.drift_ppb = 0  # how fast the crystal is known to run; taken off
        self.wander_ppb = _WANDER_PPB  # how much more or less it may be
        self._set_s = 0  # when it was set
        self._error_ms = 0  # how far off it may have been then
        self._off_ms = 0  # drift taken off since
        self.has_chip = False  # a DS3231 keeps the time too: clock_chip.py
        self._chip_read_s = 0  # when it was last asked
        self.turns = 0  # moves with each tick that finds the clock moved by itself, and wraps
        self._seen = None  # what the clock showed at the last look or setting
        self._seen_ms = ticks_ms()  # when it was last found moved

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

    def error_ms(self):
        """How far off a trusted clock may be now, either way."""
        return self._error_ms + (time.time() - self._set_s) * self.wander_ppb // _MS_OF_PPB_S

    def move(self, wanted, floor, source, error_ms):
        """Take the time `wanted`, to `error_ms` either way; `floor`: the newest in the journal, both as `now` gives.

        Returns by how many seconds the clock moved, or None if the offered time lies more than a minute
        before the floor: then nothing changes.
        """
        if wanted[0] < floor[0] - _BEHIND_S_MAX:
            return None
        if wanted < floor:
            error_ms += (floor[0] - wanted[0]) * 1000 + floor[1] - wanted[1]
            wanted = floor
        moved_s = wanted[0] - time.time()
        self._write(wanted)
        self.trusted = True
        self.settings += 1
        self.source = source
        self._set_s = wanted[0]
        self._error_ms = error_ms
        self._off_ms = 0
        return moved_s

    def _write(self, wanted):
        year, month, day, hour, minute, second, weekday, _ = time.gmtime(wanted[0])
        self._rtc.datetime((year, month, day, weekday, hour, minute, second, wanted[1] * 1000))
        self._seen = self._rtc.datetime()

    def tick(self, floor):
        """See that the clock runs, take off what it has run fast or slow. Call it about every second."""
        now_ms, seen = ticks_ms(), self._rtc.datetime()
        if seen != self._seen:
            self._seen, self._seen_ms = seen, now_ms
            self.turns = (self.turns + 1) & 0xFFFF
        elif ticks_diff(now_ms, self._seen_ms) > _STILL_MS_MAX:
            self.trusted = False
        if self.has_chip and self.trusted and time.time() - self._chip_read_s >= _CHIP_S:
            self._chip_read_s = time.time()
            seldom.call("doorpad_fw.clock_chip", "restore", self, floor)
        if not (self.trusted and self.drift_ppb):
            return
        seconds, ms = self.now()
        off_ms = (seconds - self._set_s) * self.drift_ppb // _MS_OF_PPB_S
        ms -= off_ms - self._off_ms
        wanted = (seconds + ms // 1000, ms % 1000)
        if off_ms != self._off_ms and wanted >= floor:
            self._write(wanted)
            self._off_ms = off_ms
