"""HMAC (RFC 2104) and HKDF (RFC 5869) over SHA-256. MicroPython has the hash in C, but no `hmac`."""

import hashlib

_BLOCK_BYTES = 64
_INNER = int.from_bytes(b"\x36" * _BLOCK_BYTES, "big")
_OUTER = int.from_bytes(b"\x5c" * _BLOCK_BYTES, "big")


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class Hmac:
    """HMAC-SHA-256 under one key; both pads are prepared once, for they cost more than the hashes."""

    def __init__(self, key: bytes) -> None:
        if len(key) > _BLOCK_BYTES:
            key = sha256(key)
        key = key + bytes(_BLOCK_BYTES - len(key))
        # One big-integer XOR: a loop over the bytes takes a list of 64 and ten times as long on the keypad.
        number = int.from_bytes(key, "big")
        self._inner = (number ^ _INNER).to_bytes(_BLOCK_BYTES, "big")
        self._outer = (number ^ _OUTER).to_bytes(_BLOCK_BYTES, "big")

    def digest(self, message: bytes) -> bytes:
        return sha256(self._outer + sha256(self._inner + message))


def extract(salt: bytes, secret: bytes) -> bytes:
    """HKDF-Extract: a 32-byte pseudo-random key."""
    return Hmac(salt).digest(secret)


def expand(prk: bytes, info: bytes, size: int) -> bytes:
    """HKDF-Expand for up to 32 bytes, all that the link needs."""
    if size > 32:
        raise ValueError("expand gives at most 32 bytes")
    return Hmac(prk).digest(info + b"\x01")[:size]


def equal(left: "bytes | bytearray | memoryview", right: "bytes | bytearray | memoryview") -> bool:
    """Compare without telling by the time taken where the first difference is."""
    if len(left) != len(right):
        return False
    difference = 0
    for a, b in zip(left, right):  # noqa: B905 - MicroPython's zip has no `strict`
        difference |= a ^ b
    return difference == 0
