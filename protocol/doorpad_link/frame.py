"""Frames: `00 COBS(header[8] | body | CRC-32) 00`, and the splitter that finds them in a byte stream.

The CRC tells noise from attack: a frame with a bad CRC was disturbed, a frame with a good CRC and a bad
tag was made by somebody without the key. CRC-32 is a C call in MicroPython, a CRC-16 would be a loop.
"""

import binascii

from doorpad_link import cobs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = 1
MTU_BYTES = 1024  # decoded: header, body, tag, CRC
WRAPPING_BYTES = MTU_BYTES // 254 + 1 + 2  # most that COBS and the delimiters add to a frame
WIRE_BYTES_MAX = MTU_BYTES + WRAPPING_BYTES  # of a frame as it goes on the line
HEADER_BYTES = 8
_CRC_BYTES = 4
INNER_BYTES_MAX = MTU_BYTES - _CRC_BYTES

# Frame types.
HELLO = 0
HELLO_R = 1
AUTH = 2
AUTH_R = 3
REQ = 4
REP = 5
HINT = 6
ALERT = 7

FROM_DEVICE = 0x80  # in the address byte


class Header:
    """The first eight bytes of a frame, big-endian. `counter` is 0 to 2**32 - 1, `session` 0 to 65535."""

    def __init__(self, kind: int, session: int, counter: int, from_device: bool) -> None:
        self.kind = kind
        self.session = session
        self.counter = counter
        self.from_device = from_device

    def pack(self) -> bytes:
        return (
            bytes((VERSION << 5 | self.kind << 2, FROM_DEVICE if self.from_device else 0))
            + self.session.to_bytes(2, "big")
            + self.counter.to_bytes(4, "big")
        )


def close(inner: bytearray, wire: bytearray) -> None:
    """Make the frame of `inner`, a header and a body: it gets its CRC, and `wire` becomes what goes on the line,
    delimiters included. Raises ValueError beyond the MTU.
    """
    if len(inner) > INNER_BYTES_MAX:
        raise ValueError("frame of %d bytes is beyond the MTU" % (len(inner) + _CRC_BYTES))
    inner.extend(binascii.crc32(inner).to_bytes(4, "little"))
    wire[:] = b"\x00"
    cobs.encode_onto(wire, inner)
    wire.append(0)


def pack(header: Header, body: bytes, mtu_bytes: int = MTU_BYTES) -> bytes:
    """Return the frame as it goes on the wire, delimiters included. Raises ValueError beyond the MTU."""
    if HEADER_BYTES + len(body) + _CRC_BYTES > mtu_bytes:
        raise ValueError("a body of %d bytes is beyond the MTU of %d" % (len(body), mtu_bytes))
    wire = bytearray()
    close(bytearray(header.pack() + body), wire)
    return bytes(wire)


def _unpack(encoded: memoryview) -> "tuple[Header, memoryview] | None":
    # Header and body of what stood between two delimiters, or None if it is no intact frame. Both are then in place
    # of the encoded bytes.
    size = cobs.decode_in_place(encoded)
    if not HEADER_BYTES + _CRC_BYTES <= size <= MTU_BYTES:
        return None
    inner = encoded[:size]
    if binascii.crc32(inner[:-_CRC_BYTES]) != int.from_bytes(inner[-_CRC_BYTES:], "little"):
        return None
    if inner[0] >> 5 != VERSION or inner[0] & 3 or inner[1] & 0x7F:
        return None
    header = Header(
        inner[0] >> 2 & 7,
        int.from_bytes(inner[2:4], "big"),
        int.from_bytes(inner[4:8], "big"),
        bool(inner[1] & FROM_DEVICE),
    )
    return header, inner[HEADER_BYTES:-_CRC_BYTES]


class Splitter:
    """Cuts a byte stream at its 00 bytes. Holds at most one frame's worth of bytes, whatever comes.

    Args:
        keep_bytes: how much of what was no frame to keep, for a person to read. A keypad keeps none.
    """

    def __init__(self, keep_bytes: int = 0) -> None:
        self._keep_bytes = keep_bytes
        self._rejected = b""
        self._buffer = memoryview(bytearray(WIRE_BYTES_MAX - 2))
        self.held = 0  # bytes in the buffer
        self._skipping = False
        self.dropped = 0  # pieces that were no intact frame

    def feed(self, data: bytes) -> "Iterator[tuple[Header, memoryview]]":
        """Take bytes; yield (header, body) of the intact frames they complete, a body valid until the next."""
        view = memoryview(data)
        at = 0
        while True:
            zero = data.find(b"\x00", at)
            end = len(data) if zero < 0 else zero
            if not self._skipping:
                if self.held + end - at > len(self._buffer):
                    self._skipping = True
                    self._reject(bytes(self._buffer[: self.held]) + data[at:end] if self._keep_bytes else b"")
                else:
                    self._buffer[self.held : self.held + end - at] = view[at:end]
                    self.held += end - at
            if zero < 0:
                return
            at = zero + 1
            if self._skipping:
                self._skipping = False
                self.dropped += 1
            elif self.held:
                encoded = self._buffer[: self.held]
                text = bytes(encoded) if self._keep_bytes else b""
                found = _unpack(encoded)
                self.held = 0
                if found is None:
                    self.dropped += 1
                    self._reject(text)
                else:
                    yield found

    def _reject(self, text: bytes) -> None:
        if self._keep_bytes:
            self._rejected = (self._rejected + text)[-self._keep_bytes :]
        self.held = 0

    def unframed(self) -> bytes:
        """The newest bytes that were no frame, or are none yet; `keep_bytes` at most."""
        return (self._rejected + self._buffer[: self.held])[-self._keep_bytes :] if self._keep_bytes else b""
