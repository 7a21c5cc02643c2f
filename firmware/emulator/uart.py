"""Stand-ins for the ESP32's serial lines, on the inherited descriptor that leads to the cable.

What a receive buffer holds, and what is lost when it is full, is the cable's part, for bytes come while this process
stands still: bridge/doorpad/emulator/cable.py. Here is when the program is woken, and how long a write holds it up.
On a cable without a pace neither is modelled.
"""

import io
import os
import select

import board
import time

_POLL = 3  # requests of a stream's ioctl, and flags of the first, as py/stream.h numbers them
_GET_FILENO = 10
_POLL_READ = 1
_POLL_WRITE = 4
_TICK_MS = 10  # of the RTOS: without an interrupt a waiting program looks at the UART once in a tick
_BITS_PER_BYTE = 10
_US = 1_000_000
_CONSOLE_BAUD = 115_200
_CONSOLE_TX_BYTES = 128  # of the chip's own buffer

_paced = os.getenv("DOORPAD_LINK_PACED") == "1"
_lines = []


def overrun():
    """The bench says that the receive buffer is full and bytes are being lost."""
    for line in _lines:
        line.is_full = True


class _Line(io.IOBase):
    def __init__(self, baud, tx_bytes):
        self._fd = int(os.getenv("DOORPAD_LINK_FD"))
        self._file = open(self._fd, "r+b")
        self._poller = select.poll()
        self._poller.register(self._file, select.POLLIN)
        self._tx_bytes = tx_bytes
        self._sending = 0  # bytes in the transmit buffer at _sending_us
        self._sending_us = time.ticks_us()
        self._tick = 0
        self._is_awake = False
        self.is_full = False
        self._wakes_at_once = not _paced
        _lines.append(self)
        self._set_baud(baud)

    def _set_baud(self, baud):
        self._baud = baud
        board.tell({"baud": baud})

    def ioctl(self, request, argument):
        if request == _GET_FILENO and self._wakes_at_once:
            return self._fd
        if request != _POLL:
            return -1
        ready = argument & _POLL_WRITE  # always, as the port says
        if argument & _POLL_READ:
            tick = time.ticks_ms() // _TICK_MS
            if self._is_awake or tick != self._tick:
                self._tick = tick
                self._is_awake = self._has_bytes()
            if self._is_awake:
                ready |= _POLL_READ
        return ready

    def _has_bytes(self):
        for _ in self._poller.ipoll(0):
            return True
        return False

    def readinto(self, buffer):
        return self._file.readinto(buffer)

    def _drained(self):
        """How many bytes still wait to be sent."""
        now_us = time.ticks_us()
        sent = time.ticks_diff(now_us, self._sending_us) * self._baud // (_BITS_PER_BYTE * _US)
        if sent:
            self._sending = max(self._sending - sent, 0)
            self._sending_us = now_us
        return self._sending

    def write(self, data):
        if _paced:
            beyond = self._drained() + len(data) - self._tx_bytes
            self._sending += len(data)
            if beyond > 0:
                time.sleep_us(beyond * _BITS_PER_BYTE * _US // self._baud)
        view = memoryview(data)
        at = 0
        while at < len(data):
            written = self._file.write(view[at:])
            if written:
                at += written
            else:
                time.sleep_ms(1)
        return at


class UART(_Line):
    """`machine.UART` of the ESP32 port, as far as the firmware uses it."""

    IRQ_RXIDLE = 4096

    def __init__(self, number, baudrate, *, tx, rx, rxbuf, txbuf):
        super().__init__(baudrate, txbuf)
        self._rx_bytes = rxbuf

    def irq(self, handler, trigger):
        self._wakes_at_once = True

    def any(self):
        """All of the buffer if it has run over; else at least what this tells: none, or one."""
        if self.is_full:
            self.is_full = False
            return self._rx_bytes
        return 1 if self._has_bytes() else 0

    def txdone(self):
        return not _paced or self._drained() == 0

    def init(self, baudrate):
        """Change the speed: what was written goes out before, and what has come is forgotten."""
        while not self.txdone():
            time.sleep_us(100)
        piece = bytearray(64)
        while self._file.readinto(piece):
            pass
        self._set_baud(baudrate)


class Console(_Line):
    """`sys.stdin` and `sys.stdout` of the ESP32 port, which are UART0, with their `buffer`."""

    def __init__(self):
        super().__init__(_CONSOLE_BAUD, _CONSOLE_TX_BYTES)
        self.buffer = self
        self._interrupt = 3  # Ctrl-C
        self._is_polled = False

    def ioctl(self, request, argument):
        if request == _GET_FILENO and not self._is_polled:
            # The first poll object is the program's own, which looks and does not wait. Through the descriptor that
            # takes no time; the unix port would take a millisecond for each look at anything else.
            self._is_polled = True
            return self._fd
        return super().ioctl(request, argument)

    def kbd_intr(self, byte):
        self._interrupt = byte

    def readinto(self, buffer):
        """Wait for all of the buffer, as the port does."""
        view = memoryview(buffer)
        at = 0
        while at < len(buffer):
            size = self._file.readinto(view[at:])
            if size == 0:
                return 0  # the emulator is gone
            if size:
                at += size
            else:
                time.sleep_ms(1)
        if self._interrupt in bytes(buffer):
            raise KeyboardInterrupt
        return at
