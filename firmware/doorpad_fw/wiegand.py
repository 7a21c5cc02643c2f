"""A keypad on a Wiegand line: each key a burst of 4 or of 8 bits, a low pulse on D0 for a zero and on D1 for a one.

A burst has no frame but the rest after it. Its bits are taken by interrupts; the ESP32's port runs their handlers
between two byte codes of whatever else runs, so they come late by a millisecond at most, and in order.
"""

import asyncio

from machine import Pin
from micropython import const
from time import ticks_diff, ticks_ms

_KEYS = "0123456789*#"
_GAP_MS = const(25)  # bits are 1 to 2 ms apart, and by SIA AC-01 20 ms at most
_RING = const(64)  # bits of eight keys that come while the program does something else


def key_of(word, bits):
    """Return the key that a burst of `bits` bits tells, "" for none: what is no key is noise or a card.

    4 bits are the key's number, highest first, 10 for `*` and 11 for `#`. Of 8 bits the first four are its
    complement (HID 5355 and PINpad).
    """
    if bits == 8:
        if word >> 4 ^ word & 15 != 15:
            return ""
        word &= 15
    elif bits != 4:
        return ""
    return _KEYS[word] if word < len(_KEYS) else ""


class Wiegand:
    """Takes the pulses on the pins D0 and D1, given as `lines`. `on_pulse()` is called at each.

    `bits`: of a key, 4 or 8. Of a key of 8 that noise has shortened, 4 could look like another one.
    """

    def __init__(self, lines, bits, on_pulse):
        self._bits = bits
        self._on_pulse = on_pulse
        self._pulsed = asyncio.ThreadSafeFlag()
        # A ring: the handlers write at `_in`, and only `run` reads and moves `_out`.
        self._bit = bytearray(_RING)
        self._at_ms = [0] * _RING
        self._in = self._out = 0
        d0, d1 = lines
        Pin(d0, Pin.IN).irq(self._zero, Pin.IRQ_FALLING)
        Pin(d1, Pin.IN).irq(self._one, Pin.IRQ_FALLING)

    def _zero(self, _pin):
        self._take(0, ticks_ms())

    def _one(self, _pin):
        self._take(1, ticks_ms())

    def _take(self, bit, now_ms):
        following = (self._in + 1) % _RING
        if following != self._out:  # else it is full: the burst that lacks bits is no key
            self._bit[self._in] = bit
            self._at_ms[self._in] = now_ms
            self._in = following
        self._on_pulse()
        self._pulsed.set()

    async def run(self, on_key):
        """Call `on_key(key)` for each key that was told. Never returns."""
        word = bits = last_ms = 0
        while True:
            rest_ms = _GAP_MS - ticks_diff(ticks_ms(), last_ms)
            if self._out != self._in:
                at_ms, bit = self._at_ms[self._out], self._bit[self._out]
                over = bits and ticks_diff(at_ms, last_ms) >= _GAP_MS
                if not over:
                    word, bits, last_ms = (word << 1 | bit) & 0xFF, bits + 1, at_ms
                    self._out = (self._out + 1) % _RING
                    continue
            elif bits and rest_ms > 0:
                await asyncio.sleep_ms(rest_ms)
                continue
            elif not bits:
                await self._pulsed.wait()
                continue
            key = key_of(word, bits) if bits == self._bits else ""
            word = bits = 0
            if key:
                on_key(key)
