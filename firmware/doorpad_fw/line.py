"""The serial line to the host: a UART of its own, or the console, which is the prompt's as well.

The console is UART0, behind the USB socket of a development kit. Its ring of 260 bytes cannot be enlarged, a read
waits for every byte that it was asked for, and a write stands still once the 128 bytes in the chip are full. Hence
small frames to this keypad, a read that asks before each byte, and a write in pieces.
"""

import asyncio
import select
from sys import stdin, stdout  # the emulator puts its own line in their place, and in that of kbd_intr

from doorpad_link.device import TURN_MS, WINDOW
from doorpad_link.frame import MTU_BYTES, WRAPPING_BYTES
from machine import UART
from micropython import const, kbd_intr
from time import ticks_add, ticks_diff, ticks_us

from doorpad_fw import pins

# Of each buffer: what comes while an erase stops everything, and a window of replies.
_UART_BYTES = const(4096)
_UART_CREDIT_BYTES = const(3584)  # what a host may have under way; the rest is for what is read late
_BAUD_MIN = const(9600)
_BAUD_MAX = const(921_600)
_CONSOLE_BAUD = const(115_200)  # the prompt's, in a stock image
_CONSOLE_RING_BYTES = const(260)  # MICROPY_HW_STDIN_RINGBUF of the port
_CONSOLE_CREDIT_BYTES = const(200)
_PIECE_BYTES = const(96)
_PIECE_US = const(8334)  # what a piece takes at the console's 115,200 baud


def limits(settings):
    """Return (MTU, window, credit) of the line: AUTH_R tells them (protocol/README.md, section 3)."""
    if settings["console"]:
        return _CONSOLE_CREDIT_BYTES - WRAPPING_BYTES, WINDOW, _CONSOLE_CREDIT_BYTES
    return MTU_BYTES, 1 if settings["half_duplex"] else WINDOW, _UART_CREDIT_BYTES


def open_line(settings):
    """Return the line that the settings choose."""
    return ConsoleLine() if settings["console"] else UartLine(settings)


def _woken(_uart):
    # An interrupt that wakes the loop: without one it looks at the UART once in 10 ms.
    pass


class UartLine:
    """UART1 or 2. `overruns`: how often the receive buffer was found full, so that bytes may be lost.

    `half_duplex`: both sides send on one pair of wires, and hear themselves. The transceiver takes the wires by
    itself while bytes are sent; a pin for that would be one more than a plain ESP32 has to give.
    """

    def __init__(self, settings):
        self.half_duplex = bool(settings["half_duplex"])
        self.baud = settings["baud"]  # at the start
        self._uart = UART(
            pins.LINK_UART,
            self.baud,
            tx=pins.LINK_TX,
            rx=pins.LINK_RX,
            rxbuf=_UART_BYTES,
            txbuf=_UART_BYTES,
        )
        self._uart.irq(_woken, UART.IRQ_RXIDLE)
        self._reader = asyncio.StreamReader(self._uart)
        self.overruns = 0

    async def read(self, buffer):
        """Wait for bytes; return how many there are in `buffer` now. 0: the line is gone."""
        size = None
        while size is None:
            size = await self._reader.readinto(buffer)
        if size and size + self._uart.any() >= _UART_BYTES:
            self.overruns += 1
        return size

    async def write(self, data):
        if self.half_duplex:
            await self._silence()
        self._uart.write(data)

    async def _silence(self):
        heard = -1
        while heard != self._uart.any():  # at most until the buffer is full
            heard = self._uart.any()
            await asyncio.sleep_ms(TURN_MS + 1)  # of this millisecond nobody knows how much has passed

    def can_run_at(self, baud):
        return _BAUD_MIN <= baud <= _BAUD_MAX

    async def run_at(self, baud):
        """Change the speed once what was written has left. What comes meanwhile is lost."""
        while not self._uart.txdone():
            await asyncio.sleep_ms(1)
        self._uart.init(baud)
        self._uart.irq(_woken, UART.IRQ_RXIDLE)


class ConsoleLine:
    """UART0. Bytes of the host interrupt nothing any more, for 03 stands in many a frame."""

    half_duplex = False

    def __init__(self):
        kbd_intr(-1)
        self.baud = _CONSOLE_BAUD
        self._reader = asyncio.StreamReader(stdin.buffer)
        self._ready = select.poll()
        self._ready.register(stdin.buffer, select.POLLIN)
        self._byte = bytearray(1)
        self._writing = asyncio.Lock()
        self._sent_us = ticks_us()  # when the last piece has left the chip
        self._in_a_row = 0  # bytes that were read since the ring was empty
        self.overruns = 0

    async def read(self, buffer):
        """Wait for bytes; return how many there are in `buffer` now. 0: the line is gone."""
        got = None
        while got is None:
            got = await self._reader.readinto(self._byte)
        size = 0
        while got:
            buffer[size] = self._byte[0]
            size += 1
            self._in_a_row += 1
            if self._in_a_row == _CONSOLE_RING_BYTES:
                self.overruns += 1
            if not self._is_ready():
                self._in_a_row = 0
                break
            if size == len(buffer):
                break
            got = stdin.buffer.readinto(self._byte)
        return size

    def can_run_at(self, baud):
        return False  # the speed is the prompt's

    def _is_ready(self):
        for _ in self._ready.ipoll(0):
            return True
        return False

    async def write(self, data):
        view = memoryview(data)
        async with self._writing:
            for start in range(0, len(data), _PIECE_BYTES):
                early_us = ticks_diff(self._sent_us, ticks_us())
                # More seems to be left when nothing was written for 8.9 minutes.
                if 0 < early_us <= _PIECE_US:
                    await asyncio.sleep_ms(early_us // 1000 + 1)
                stdout.buffer.write(view[start : start + _PIECE_BYTES])
                self._sent_us = ticks_add(ticks_us(), _PIECE_US)
