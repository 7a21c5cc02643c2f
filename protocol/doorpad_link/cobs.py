"""Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999): no 00 inside, one byte more per 254.

Built on `find` and slices, which run in C under MicroPython too: a loop over bytes costs ten times more,
and `split` would make a list as long as a hostile input has zeros.
"""


def encode_onto(out: bytearray, data: "bytes | bytearray") -> None:
    """Append `data` without a single 00 byte; the delimiters are not included."""
    view = memoryview(data)
    at = 0
    size = len(data)
    while True:
        zero = data.find(b"\x00", at)
        end = size if zero < 0 else zero
        while end - at >= 254:
            out.append(255)
            out.extend(view[at : at + 254])
            at += 254
            if at == size:
                return  # a full group ends the data: no empty group may follow it
        out.append(end - at + 1)
        out.extend(view[at:end])
        if zero < 0:
            return
        at = zero + 1


def encode(data: bytes) -> bytes:
    """Return `data` without a single 00 byte; the delimiters are not included."""
    out = bytearray()
    encode_onto(out, data)
    return bytes(out)


def decode_in_place(data: memoryview) -> int:
    """Put what `encode` was given in the place of its output; return how many bytes it is, -1 if it is no output."""
    size = len(data)
    at = written = 0
    while at < size:
        code = data[at]
        end = at + code
        if code == 0 or end > size:
            return -1
        data[written : written + code - 1] = data[at + 1 : end]
        written += code - 1
        at = end
        if code < 255 and at < size:
            data[written] = 0
            written += 1
    return written if size else -1


def decode(data: bytes) -> "bytes | None":
    """Return what `encode` was given, or None if `data` is not its output."""
    buffer = bytearray(data)
    size = decode_in_place(memoryview(buffer))
    return None if size < 0 else bytes(buffer[:size])
