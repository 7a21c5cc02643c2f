"""Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999): no 00 inside, one byte more per 254.

Built on `find` and slices, which run in C under MicroPython too: a loop over bytes costs ten times more,
and `split` would make a list as long as a hostile input has zeros.
"""


def encode(data: bytes) -> bytes:
    """Return `data` without a single 00 byte; the delimiters are not included."""
    out = bytearray()
    at = 0
    size = len(data)
    while True:
        zero = data.find(b"\x00", at)
        end = size if zero < 0 else zero
        while end - at >= 254:
            out.append(255)
            out.extend(data[at : at + 254])
            at += 254
            if at == size:
                return bytes(out)  # a full group ends the data: no empty group may follow it
        out.append(end - at + 1)
        out.extend(data[at:end])
        if zero < 0:
            return bytes(out)
        at = zero + 1


def decode(data: bytes) -> "bytes | None":
    """Return what `encode` was given, or None if `data` is not its output."""
    out = bytearray()
    at = 0
    size = len(data)
    if not size:
        return None
    while at < size:
        code = data[at]
        end = at + code
        if code == 0 or end > size:
            return None
        out.extend(data[at + 1 : end])
        at = end
        if code < 255 and at < size:
            out.append(0)
    return bytes(out)
