"""Frames: `00 COBS(header[8] | body | CRC-32) 00`, and the splitter that finds them in a byte stream.

The CRC tells noise from attack: a frame with a bad CRC was disturbed, a frame with a good CRC and a bad
tag was made by somebody without the key. CRC-32 is a C call in MicroPython, a CRC-16 would be a loop.
"""

import binascii

from doorpad_link import cobs

VERSION = 1
MTU_BYTES = 1024  # decoded: header, body, tag, CRC
HEADER_BYTES = 8
_CRC_BYTES = 4

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


def pack(header: Header, body: bytes) -> bytes:
    """Return the frame as it goes on the wire, delimiters included. Raises ValueError beyond the MTU."""
    inner = header.pack() + body
    if len(inner) + _CRC_BYTES > MTU_BYTES:
        raise ValueError("frame of %d bytes is beyond the MTU" % (len(inner) + _CRC_BYTES))
    inner += binascii.crc32(inner).to_bytes(4, "little")
    return b"\x00" + cobs.encode(inner) + b"\x00"


def unpack(encoded: bytes) -> "tuple[Header, bytes] | None":
    """Return header and body of what stood between two delimiters, or None if it is no intact frame."""
    inner = cobs.decode(encoded)
    if inner is None or not HEADER_BYTES + _CRC_BYTES <= len(inner) <= MTU_BYTES:
        return None
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
        self._rejected = bytearray()
        self._held = bytearray()
        self._skipping = False
        self._limit = MTU_BYTES + MTU_BYTES // 254 + 1
        self.dropped = 0  # pieces that were no intact frame

    def feed(self, data: bytes) -> "list[tuple[Header, bytes]]":
        """Take bytes; return the intact frames they complete as (header, body)."""
        frames: list[tuple[Header, bytes]] = []
        at = 0
        while True:
            zero = data.find(b"\x00", at)
            end = len(data) if zero < 0 else zero
            if not self._skipping:
                self._held.extend(data[at:end])
                if len(self._held) > self._limit:
                    self._skipping = True
                    self._reject()
            if zero < 0:
                return frames
            at = zero + 1
            if self._skipping:
                self._skipping = False
                self.dropped += 1
            elif self._held:
                found = unpack(bytes(self._held))
                if found is None:
                    self.dropped += 1
                    self._reject()
                else:
                    frames.append(found)
                    self._held = bytearray()

    def _reject(self) -> None:
        if self._keep_bytes:
            self._rejected = (self._rejected + self._held)[-self._keep_bytes :]
        self._held = bytearray()

    def unframed(self) -> bytes:
        """The newest bytes that were no frame, or are none yet; `keep_bytes` at most."""
        return bytes((self._rejected + self._held)[-self._keep_bytes :]) if self._keep_bytes else b""
