"""Stand-in for the ESP32 port's `machine`, as far as the firmware uses it."""

import asyncio
import os
import sys

import board
import time as _time
from uart import UART as UART

_path = sys.path
sys.path = ()
try:
    from machine import *  # noqa: F403
finally:
    sys.path = _path

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

_RTC_MEMORY = os.getcwd() + "/rtc_memory"
EXIT_RESET = 42  # the process' exit code when the firmware asks for a restart


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, number, mode=-1, pull=-1, *, value=None):
        self.number = number
        self._mode = mode
        if value is not None:
            board.drive(number, value)

    def value(self, level=None):
        if level is None:
            return board.read(self.number)
        board.drive(self.number, int(level))
        return None

    def irq(self, handler, trigger):
        on = board.on_falling if trigger == Pin.IRQ_FALLING else board.on_change
        on(self.number, lambda: handler(self))


class Timer:
    """Runs in the loop, where the port's comes between two byte codes."""

    ONE_SHOT = 0

    def __init__(self, number):
        self._armed = asyncio.Event()
        asyncio.create_task(self._run())

    def init(self, *, mode, period, callback):
        self._due = period, callback
        self._armed.set()

    async def _run(self):
        while True:
            await self._armed.wait()
            self._armed.clear()
            period_ms, callback = self._due
            await asyncio.sleep_ms(period_ms)
            callback(self)


def I2C(number, **wires):
    import ds3231  # here: a board that never looks for the chip has no room for it

    return ds3231.I2C(number, **wires)


class RTC:
    def datetime(self, fields=None):
        if fields is None:
            year, month, day, hour, minute, second, weekday, _ = _time.gmtime()
            return year, month, day, weekday, hour, minute, second, _time.millisecond() * 1000
        year, month, day, _weekday, hour, minute, second, microsecond = fields
        _time.set_clock(_time.mktime((year, month, day, hour, minute, second, 0, 0)), microsecond // 1000)
        return None

    def memory(self, *data):
        import rtc_memory  # here: it is asked for at a start, and has no room later

        del sys.modules["rtc_memory"]
        return rtc_memory.memory(_RTC_MEMORY, *data)


class WDT:
    """The board's host counts the time and ends the process: a watchdog in here would hang with the program."""

    def __init__(self, timeout):
        self._timeout_ms = timeout
        self.feed()

    def feed(self):
        board.tell({"watchdog_ms": self._timeout_ms})


def reset():
    sys.exit(EXIT_RESET)


def reset_cause():
    return int(os.getenv("DOORPAD_RESET_CAUSE") or PWRON_RESET)
