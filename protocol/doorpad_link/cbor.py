"""The part of CBOR (RFC 8949) that the link uses: integers, byte and text strings, arrays, true, false, null.

Everything else is refused, as are indefinite lengths, longer than needed heads and trailing bytes: one
value has one encoding, and no input makes the decoder recurse or allocate beyond what it was given.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEPTH_MAX = 4
_INT_MAX = 0xFFFF_FFFF


class CborError(ValueError):
    """The bytes are not an item of the link's CBOR, or the value cannot be one."""


def _head(out: bytearray, major: int, number: int) -> None:
    if number < 24:
        out.append(major | number)
    elif number < 0x100:
        out.append(major | 24)
        out.append(number)
    elif number < 0x1_0000:
        out.append(major | 25)
        out.extend(number.to_bytes(2, "big"))
    elif number <= _INT_MAX:
        out.append(major | 26)
        out.extend(number.to_bytes(4, "big"))
    else:
        raise CborError("integer beyond 32 bits")


def encode_onto(out: bytearray, value: object) -> None:
    """Append one item. Raises CborError for types or integers outside of the link's CBOR."""
    if value is None:
        out.append(0xF6)
    elif value is True:
        out.append(0xF5)
    elif value is False:
        out.append(0xF4)
    elif isinstance(value, int):
        if value >= 0:
            _head(out, 0x00, value)
        else:
            _head(out, 0x20, -1 - value)
    elif isinstance(value, (bytes, bytearray)):
        _head(out, 0x40, len(value))
        out.extend(value)
    elif isinstance(value, str):
        text = value.encode()
        _head(out, 0x60, len(text))
        out.extend(text)
    elif isinstance(value, (list, tuple)):
        _head(out, 0x80, len(value))
        for item in value:
            encode_onto(out, item)
    else:
        raise CborError("no CBOR form for a value of this type")


def encode(value: object) -> bytes:
    """Encode one item. Raises CborError for types or integers outside of the link's CBOR."""
    out = bytearray()
    encode_onto(out, value)
    return bytes(out)


def _text(data: bytes) -> str:
    try:
        text = str(data, "utf-8")
    except UnicodeError:
        raise CborError("text is not UTF-8") from None
    # MicroPython lets overlong forms, surrogates and numbers beyond Unicode pass; CPython has refused them above.
    codes = [ord(letter) for letter in text]
    if (
        any(0xD800 <= code < 0xE000 or code > 0x10FFFF for code in codes)
        or "".join([chr(code) for code in codes]).encode() != data
    ):
        raise CborError("text is not UTF-8")
    return text


class _Reader:
    def __init__(self, data: "bytes | memoryview") -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> "bytes | memoryview":
        end = self.at + count
        if end > len(self.data):
            raise CborError("item is cut off")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def number(self, info: int) -> int:
        if info < 24:
            return info
        if info > 26:
            raise CborError("length or integer of a form that the link does not use")
        width = 1 << (info - 24)
        number = int.from_bytes(self.take(width), "big")
        if number < (24, 0x100, 0x1_0000)[info - 24]:
            raise CborError("head longer than needed")
        return number

    def item(self, depth: int) -> object:
        first = self.take(1)[0]
        major = first >> 5
        info = first & 31
        if major == 0:
            return self.number(info)
        if major == 1:
            return -1 - self.number(info)
        if major == 2:
            return bytes(self.take(self.number(info)))
        if major == 3:
            return _text(bytes(self.take(self.number(info))))
        if major == 4:
            if depth == DEPTH_MAX:
                raise CborError("nested too deeply")
            count = self.number(info)
            if count > len(self.data) - self.at:
                raise CborError("array longer than its bytes")
            return [self.item(depth + 1) for _ in range(count)]
        if first == 0xF6:
            return None
        if first == 0xF5:
            return True
        if first == 0xF4:
            return False
        raise CborError("a type that the link does not use")


def decode(data: "bytes | memoryview") -> object:
    """Decode exactly one item: int, bytes, str, bool, None, or a list of them. Raises CborError."""
    reader = _Reader(data)
    value = reader.item(0)
    if reader.at != len(data):
        raise CborError("bytes after the item")
    return value


def decode_list(data: "bytes | memoryview", size_min: int = 0) -> "list[Any] | None":
    """Decode a list of at least so many items, for a later version may add some; None if it is anything else."""
    try:
        value = decode(data)
    except CborError:
        return None
    return value if isinstance(value, list) and len(value) >= size_min else None


def is_bytes(value: object, size: int) -> bool:
    """Whether a decoded item is a byte string of this size."""
    return isinstance(value, bytes) and len(value) == size
