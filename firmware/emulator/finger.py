"""A quick finger: 15 keys a second, with bouncing contacts.

A busy machine that stalls this process makes it slower, or the firmware would have seen nothing of a key. A stall of
the board itself, as of flash that erases, does not: keys go down and up meanwhile, and nobody is there to see.
"""

import asyncio

import board
import time

_HOLD_MS = 25
_GAP_MS = 25
_PERIOD_MS = 66  # of both, with the bouncing
_BOUNCES_MS = (1, 1, 2)  # each twice: 8 ms at either edge
_BOUNCING_MS_MAX = 8
_STEP_MS = 2  # the most that passes for the finger from one wake-up to the next


def _bounce(key, down):
    began_ms = time.ticks_ms()
    for pause_ms in _BOUNCES_MS:
        board.switch(key, down)
        yield pause_ms
        if time.ticks_diff(time.ticks_ms(), began_ms) >= _BOUNCING_MS_MAX:
            break  # a stall has stretched the pauses: longer bouncing is another press
        board.switch(key, not down)
        yield pause_ms
    board.switch(key, down)


def _pulses(bursts):
    # The bits of a burst at once: a busy machine would stretch the 2 ms between them to more than a burst's end.
    for bits in bursts:
        for bit in bits:
            board.pulse(int(bit))
        yield _PERIOD_MS


class Finger:
    def __init__(self):
        self._script = None  # yields the milliseconds until it goes on
        self._left_ms = 0
        self._touched_ms = self._pressed_ms = 0

    def _press(self, keys):
        for key in keys:
            self._touched_ms = time.ticks_ms()
            yield from _bounce(key, True)
            self._pressed_ms = time.ticks_ms()
            yield _HOLD_MS
            yield from _bounce(key, False)
            yield _GAP_MS

    def _let_pass(self, ms):
        self._left_ms -= ms
        while self._script and self._left_ms <= 0:
            try:
                self._left_ms += next(self._script)
            except StopIteration:
                self._script = None

    async def press(self, keys):
        """Press one after the other; return of the last the ticks before its contact bounced, and after."""
        await self._play(self._press(keys))
        return {"touched_ms": self._touched_ms, "pressed_ms": self._pressed_ms}

    async def send(self, bursts):
        """Press the keys of a Wiegand keypad, given as the bits that it sends."""
        await self._play(_pulses(bursts))

    async def _play(self, script):
        self._script = script
        self._left_ms = 0
        time.on_stall(self._let_pass)
        before_ms = time.ticks_ms()
        while self._script:
            now_ms = time.ticks_ms()
            self._let_pass(min(time.ticks_diff(now_ms, before_ms), _STEP_MS))
            before_ms = now_ms
            await asyncio.sleep_ms(1)
