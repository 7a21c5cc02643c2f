"""The key matrix: asleep until a column falls, then scanned until every key is up again.

Idle, all rows are low, so any key pulls its column low and interrupts. A scan that ran all the time
would cost a hub of emulated keypads most of a core, and a battery its charge.
"""

import asyncio

from machine import Pin
from micropython import const
from time import sleep_us, ticks_ms

from doorpad_fw.presses import Presses

_SCAN_MS = const(4)
_SCAN_STUCK_MS = const(10)  # a stuck key must not cost what a finger does; two scans see a press of 24 ms
_SETTLE_US = const(10)  # a column's pull-up charges the line through some 45 kOhm


class Matrix:
    """Scans `rows` (output pin numbers) against `columns` (input pin numbers); `keys`: a text a row."""

    def __init__(self, rows, columns, keys):
        self._rows = [Pin(n, Pin.OPEN_DRAIN, value=0) for n in rows]
        self._columns = [Pin(n, Pin.IN, Pin.PULL_UP) for n in columns]
        self._keys = keys
        self._pressed = asyncio.ThreadSafeFlag()
        self._presses = Presses()
        self.scans = 0  # counts, and wraps
        self.touches = 0  # likewise: moves whenever a key may have gone down
        for column in self._columns:
            column.irq(self._wake, Pin.IRQ_FALLING)

    def _wake(self, _pin):
        self.touch()
        self._pressed.set()

    def touch(self):
        """Count a touch, also of another keypad."""
        self.touches = (self.touches + 1) & 0xFFFF

    def nudge(self):
        """Have it scan once, so that whoever watches sees it alive."""
        self._pressed.set()

    def _scan(self):
        # The keys that are down, as a text; all rows low again on return.
        self.scans = (self.scans + 1) & 0xFFFF
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

    async def run(self, on_press):
        """Call `on_press(kind, key)` for everything that presses.py finds. Never returns."""
        presses = self._presses
        while True:
            await self._pressed.wait()
            while True:
                for kind, key in presses.take(self._scan(), ticks_ms()):
                    on_press(kind, key)
                if presses.idle(ticks_ms()):
                    break
                await asyncio.sleep_ms(_SCAN_STUCK_MS if presses.waiting() else _SCAN_MS)
