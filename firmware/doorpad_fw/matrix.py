"""The key matrix: asleep until a column falls, then scanned until every key is up again.

Idle, all rows are low, so any key pulls its column low and interrupts. A scan that ran all the time
would cost a hub of emulated keypads most of a core, and a battery its charge. Debouncing goes by time
stamps, not by counting scans: a flash erase stops everything for 45 ms.
"""

import asyncio

from machine import Pin
from micropython import const
from time import sleep_us, ticks_diff, ticks_ms

_SCAN_MS = const(4)
_STABLE_MS = const(8)  # contacts bounce for up to 5 ms
_LONG_MS = const(8000)
_SETTLE_US = const(10)  # a column's pull-up charges the line through some 45 kOhm


class Matrix:
    """Scans `rows` (output pin numbers) against `columns` (input pin numbers); `keys`: a text a row."""

    def __init__(self, rows, columns, keys):
        self._rows = [Pin(n, Pin.OPEN_DRAIN, value=0) for n in rows]
        self._columns = [Pin(n, Pin.IN, Pin.PULL_UP) for n in columns]
        self._keys = keys
        self._pressed = asyncio.ThreadSafeFlag()
        self.scans = 0  # counts, and wraps
        for column in self._columns:
            column.irq(self._wake, Pin.IRQ_FALLING)

    def _wake(self, _pin):
        self._pressed.set()

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

    async def run(self, on_key, on_long=lambda key: None):
        """Call `on_key(key)` once for every press, when the press has been stable. Never returns.

        `on_long(key)`: also called, once, for a key that has been down alone for 8 seconds.
        """
        while True:
            await self._pressed.wait()
            await self._until_released(on_key, on_long)

    async def _until_released(self, on_key, on_long):
        stable = ""  # the keys that are down, debounced
        long_told = False
        seen = ""
        since_ms = ticks_ms()
        while True:
            down = self._scan()
            now_ms = ticks_ms()
            if down != seen:
                seen, since_ms = down, now_ms
            elif seen != stable and ticks_diff(now_ms, since_ms) >= _STABLE_MS:
                # Two new keys at once, or three with a ghost, are no entry anyone meant.
                new = [key for key in seen if key not in stable]
                stable = seen
                if len(new) == 1:
                    on_key(new[0])
            if len(seen) != 1 or seen != stable:
                long_told = False
            elif not long_told and ticks_diff(now_ms, since_ms) >= _LONG_MS:
                long_told = True
                on_long(seen)
            if not seen and not stable and ticks_diff(now_ms, since_ms) >= _STABLE_MS:
                return
            await asyncio.sleep_ms(_SCAN_MS)
