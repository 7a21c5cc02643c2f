"""Virtual time with the ESP32's ticks, which wrap at 2**30 ms (12.4 days). Import this before any firmware.

Clock, ticks and asyncio's sleeps stand still until every task waits, then jump to the next thing due: a
lockout of 15 minutes passes at once, and no test depends on the machine's speed.
"""

import asyncio
import asyncio.core as core
import asyncio.event

import time

PERIOD_MS = 1 << 30  # of ticks_us, too: 17.9 minutes
# asyncio's queue, in C, stamps what is ready with real ticks: virtual ones far ahead of them keep that "now".
_ahead_ms = time.ticks_ms() + (1 << 40)
_now_ms = 0  # virtual, does not wrap
_offset_ms = 0
waits = 0  # how often everything slept until something was due


def ticks_ms():
    """What the firmware reads."""
    return (_now_ms + _offset_ms) % PERIOD_MS


def ticks_us():
    """What the firmware reads; these wrap at the same number."""
    return _now_ms * 1000 % PERIOD_MS


def ticks_add(ticks, delta):
    assert -PERIOD_MS // 2 < delta < PERIOD_MS // 2, "the ESP32 refuses such a delta"
    return (ticks + delta) % PERIOD_MS


def ticks_diff(end, start):
    return (end - start + PERIOD_MS // 2) % PERIOD_MS - PERIOD_MS // 2


def set_ticks(ticks):
    """Have the firmware read these ticks now."""
    global _offset_ms
    _offset_ms = ticks - _now_ms


def now_ms():
    """Virtual milliseconds since the start; they do not wrap."""
    return _now_ms


def advance(ms):
    """Let time pass in one step, as while the flash is erased."""
    global _now_ms
    _now_ms += ms


class _Nothing:
    """In place of asyncio's poll: nothing comes from outside, so time jumps to the next task."""

    map = ()

    def wait_io_event(self, dt):
        global waits
        if dt > 0:
            waits += 1
            advance(dt)


class _Flag(asyncio.Event):
    """ThreadSafeFlag without a poll: here interrupts come from tasks."""

    async def wait(self):
        await super().wait()
        self.clear()


def run_clock():
    """Have the clock run again from where `time.stop` has left it."""
    time._base_ticks += now_ms() - time._ticks_ms()
    time._ticks_ms = now_ms


def run(coroutine):
    """Run to the end in a loop of its own; what else was started is left where it stands."""
    asyncio.new_event_loop()
    core._io_queue = _Nothing()
    return asyncio.run(coroutine)


def call(function, rest_ms=0):
    """Return `function()`, called where tasks can be made, after `rest_ms` in which what it began may end."""

    async def play():
        result = function()
        await asyncio.sleep_ms(rest_ms)
        return result

    return run(play())


core.ticks = lambda: _ahead_ms + _now_ms
asyncio.ThreadSafeFlag = _Flag
time.ticks_ms = ticks_ms
time.ticks_us = ticks_us
time.ticks_add = ticks_add
time.ticks_diff = ticks_diff
time.sleep_us = lambda us: None
time._ticks_ms = now_ms  # what the stand-in's own clock counts by
time._base_ticks = 0
