"""What a pseudo-terminal and a socket know about themselves, and Python's `termios` does not tell."""

import fcntl
import struct
import sys
import termios

# Linux keeps any speed as a number, in `struct termios2`; `tcgetattr` knows the usual ones by constants only.
# asm-generic/termbits.h: four flags, the line discipline, 19 control characters, input and output speed.
_TERMIOS2 = struct.Struct("@4IB19s2I")
_TCGETS2 = 0x802C542A
_TCSETS2 = 0x402C542B
_CFLAG = 2
_CBAUD = 0o010017
_BOTHER = 0o010000


def baud(fd: int) -> int:
    """The speed that a terminal's user has set for sending, in bits a second."""
    if sys.platform != "linux":
        return int(termios.tcgetattr(fd)[5])
    fields = _TERMIOS2.unpack(fcntl.ioctl(fd, _TCGETS2, bytes(_TERMIOS2.size)))
    return int(fields[-1])


def set_baud(fd: int, speed: int) -> None:
    """Set both speeds of a terminal."""
    if sys.platform != "linux":
        attributes = termios.tcgetattr(fd)
        attributes[4] = attributes[5] = speed
        termios.tcsetattr(fd, termios.TCSANOW, attributes)
        return
    fields = list(_TERMIOS2.unpack(fcntl.ioctl(fd, _TCGETS2, bytes(_TERMIOS2.size))))
    fields[_CFLAG] = fields[_CFLAG] & ~_CBAUD | _BOTHER
    fields[-2:] = speed, speed
    fcntl.ioctl(fd, _TCSETS2, _TERMIOS2.pack(*fields))


def unread_bytes(fd: int) -> int:
    """How many bytes lie at an end of a socket pair and were not read."""
    (count,) = struct.unpack("@i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))
    return int(count)
