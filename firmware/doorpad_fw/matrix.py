"""The key matrix: asleep until a column falls, then scanned until every key is up again.

Idle, all rows are low, so any key pulls its column low and interrupts. A scan that ran all the time
would cost a hub of emulated keypads most of a core, and a battery its charge.

A timer calls for the scans, not a task: the port runs what a timer calls between two byte codes of whatever runs, so
that a frame of the link, which takes many times as long as a quick finger, keeps none of its keys from being seen.
"""

import asyncio
import sys

from doorpad_link import messages
from machine import Pin, Timer
from micropython import const
from time import sleep_us, ticks_ms

from doorpad_fw import health
from doorpad_fw.presses import Presses

_TIMER = const(0)
_AT_ONCE_MS = const(1)  # by the timer as well: a scan must not be begun within another
_SCAN_MS = const(4)
_SCAN_STUCK_MS = const(10)  # a stuck key must not cost what a finger does; two scans see a press of 24 ms
_SETTLE_US = const(10)  # a column's pull-up charges the line through some 45 kOhm


class Matrix:
    """Scans `rows` (output pin numbers) against `columns` (input pin numbers); `keys`: a text a row."""

    def __init__(self, rows, columns, keys):
        self._rows = [Pin(n, Pin.OPEN_DRAIN, value=0) for n in rows]
        self._columns = [Pin(n, Pin.IN, Pin.PULL_UP) for n in columns]
        self._keys = keys
        self._timer = Timer(_TIMER)
        self._is_scanning = False  # a next scan is due
        self._is_watched = False  # whoever watches wants to know of the next scan
        self._due = asyncio.ThreadSafeFlag()
        self._presses = Presses()
        self._found: "list[tuple[int, str]]" = []  # what is still to be told
        self.turns = 0  # counts, and wraps
        self.touches = 0  # likewise: moves whenever a key may have gone down
        for column in self._columns:
            column.irq(self._wake, Pin.IRQ_FALLING)

    def _wake(self, _pin):
        self.touch()
        self._begin()

    def _begin(self):
        if not self._is_scanning:
            self._is_scanning = True
            self._ask_for_scan(_AT_ONCE_MS)

    def _ask_for_scan(self, in_ms):
        self._timer.init(mode=Timer.ONE_SHOT, period=in_ms, callback=self._scan_once)

    def touch(self):
        """Count a touch, also of another keypad."""
        self.touches = (self.touches + 1) & 0xFFFF

    def nudge(self):
        """Have it scan once, so that whoever watches sees it alive: `turns` moves when timer and task do."""
        self._is_watched = True
        self._begin()

    def _scan(self):
        # The keys that are down, as a text; all rows low again on return.
        down = ""
        for row in self._rows:
            row.value(1)
        for row, keys in zip(self._rows, self._keys):
            row.value(0)
            sleep_us(_SETTLE_US)
            for column, key in zip(self._columns, keys):
                if not column.value():
                    down += key
            row.value(1)
        for row in self._rows:
            row.value(0)
        return down

    def _scan_once(self, _timer):
        presses = self._presses
        now_ms = ticks_ms()
        found = ()
        try:
            found = presses.take(self._scan(), now_ms)
            self._found += found
        except MemoryError as error:
            health.report(messages.HEALTH_MEMORY)
            sys.print_exception(error)
        self._is_scanning = not presses.idle(now_ms)
        if self._is_scanning:
            self._ask_for_scan(_SCAN_STUCK_MS if presses.waiting() else _SCAN_MS)
        if found or self._is_watched:
            self._is_watched = False
            self._due.set()

    async def run(self, on_press):
        """Call `on_press(kind, key)` for everything that presses.py finds. Never returns."""
        while True:
            await self._due.wait()
            self.turns = (self.turns + 1) & 0xFFFF
            found, self._found = self._found, []
            for kind, key in found:
                on_press(kind, key)
