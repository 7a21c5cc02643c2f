"""The link's bytes, made a second time from its specification with other people's code: cbor2, OpenSSL, zlib."""

import hashlib
import zlib
from typing import Any

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HELLO, HELLO_R, AUTH, AUTH_R, REQ, REP, HINT, ALERT = range(8)
SEALED = (AUTH_R, REQ, REP, HINT)
TAG_BYTES = 8


def cobs(data: bytes) -> bytes:
    """Byte by byte, as the paper tells it; a full group that ends the data stands without an empty one after it."""
    out = bytearray()
    group = bytearray()
    for index, byte in enumerate(data):
        if byte:
            group.append(byte)
            if len(group) == 254:
                out += bytes((255,)) + group
                group.clear()
                if index == len(data) - 1:
                    return bytes(out)
        else:
            out += bytes((len(group) + 1,)) + group
            group.clear()
    return bytes(out + bytes((len(group) + 1,)) + group)


def uncobs(data: bytes) -> bytes:
    """What `cobs` was given. Byte by byte again."""
    out = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        assert code and at + code <= len(data), "a group beyond the end"
        out += data[at + 1 : at + code]
        at += code
        if code < 255 and at < len(data):
            out.append(0)
    return bytes(out)


def parse(piece: bytes) -> tuple[bytes, bytes]:
    """Header and body of what stands between two zeros; fails if it is no intact frame."""
    inner = uncobs(piece)
    assert len(inner) >= 12 and zlib.crc32(inner[:-4]).to_bytes(4, "little") == inner[-4:], piece.hex()
    return inner[:8], inner[8:-4]


def header(kind: int, session: int, counter: int, *, from_device: bool) -> bytes:
    address = 0x80 if from_device else 0
    return bytes((1 << 5 | kind << 2, address)) + session.to_bytes(2, "big") + counter.to_bytes(4, "big")


def frame(head: bytes, body: bytes) -> bytes:
    inner = head + body
    return b"\0" + cobs(inner + zlib.crc32(inner).to_bytes(4, "little")) + b"\0"


def split_proof(hello_r: bytes) -> tuple[bytes, bytes, bytes]:
    """The body of a HELLO_R with an empty string for its proof, its key id, and its proof."""
    items = cbor2.loads(hello_r)
    return cbor2.dumps([*items[:5], b"", *items[6:]]), items[4], items[5]


class Keys:
    """Section 2 of the specification: what follows from a key and the two bodies of the handshake."""

    def __init__(self, psk: bytes, hello: bytes, hello_r_without_proof: bytes) -> None:
        self._psk = psk
        self._salt = hashlib.sha256(hello + hello_r_without_proof).digest()

    def _expand(self, label: str, size: int) -> bytes:
        info = b"doorpad link 1 " + label.encode()
        return HKDF(SHA256(), length=size, salt=self._salt, info=info).derive(self._psk)

    @property
    def device_proof(self) -> bytes:
        return self._expand("device proof", 16)

    @property
    def host_proof(self) -> bytes:
        return self._expand("host proof", 16)

    @property
    def session(self) -> int:
        return int.from_bytes(self._expand("session", 2), "big")

    def sealed(self, kind: int, counter: int, value: Any, *, from_device: bool) -> bytes:
        """A whole frame with a sealed body."""
        head = header(kind, self.session, counter, from_device=from_device)
        return frame(head, self._ccm(head).encrypt(self._nonce(head), cbor2.dumps(value), head))

    def opened(self, head: bytes, sealed: bytes) -> bytes | None:
        """The body of a sealed frame, or None if these are not its keys."""
        try:
            return self._ccm(head).decrypt(self._nonce(head), sealed, head)
        except InvalidTag:
            return None

    def _ccm(self, head: bytes) -> AESCCM:
        return AESCCM(self._expand("to host" if head[1] else "to device", 16), tag_length=TAG_BYTES)

    def _nonce(self, head: bytes) -> bytes:
        kind, from_device = head[0] >> 2 & 7, head[1] >> 7
        return bytes((kind << 2 | from_device,)) + self._expand("salt", 8) + head[4:]


def next_key(psk: bytes, shared: bytes, host_id: bytes, hub_public: bytes, keypad_public: bytes) -> bytes:
    """Section 5: the key that follows, from the X25519 secret."""
    info = b"doorpad link 1 next key" + host_id + hub_public + keypad_public
    return HKDF(SHA256(), length=32, salt=psk, info=info).derive(shared)


def key_id(psk: bytes) -> bytes:
    return hashlib.sha256(b"doorpad key id" + psk).digest()[:4]
