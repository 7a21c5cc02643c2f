"""The hardware watchdog, fed only while every part of the main loop moves.

A loop that hangs cannot feed; one in which a single task has died or waits for ever must not. Each part has a
counter that moves at least once a second: it is nudged where it would otherwise sleep.
"""

from machine import WDT
from micropython import const

TIMEOUT_MS = const(8000)  # as boot.py


class Watchdog:
    """Runs from here on, and cannot be stopped."""

    def __init__(self):
        self._wdt = WDT(timeout=TIMEOUT_MS)
        self._seen: "tuple[int, ...]" = ()

    def feed(self):
        """Feed in any case: during work of bounded length before the main loop runs."""
        self._wdt.feed()

    def look(self, *counters):
        """Feed if every counter has moved since the last feeding. Return whether it did."""
        for before, now in zip(self._seen, counters):
            if before == now:
                return False
        self._seen = counters
        self._wdt.feed()
        return True
