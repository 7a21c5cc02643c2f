"""A hub's end of the doorpad link, written from protocol/README.md and nothing else: no line of doorpad takes part.

One request at a time, blocking, on a serial port that is a file. `python independent_client.py PORT HOST_ID KEY`
(hexadecimal) opens a session and prints the keypad's state.
"""

import hashlib
import json
import os
import secrets
import select
import sys
import time
import tty
import zlib
from typing import Any, Self

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HELLO, HELLO_R, AUTH, AUTH_R, REQ, REP, HINT, ALERT = range(8)
STATE, PUT, SINCE, EVENTS = 16, 21, 24, 30
WAIT_S = (0.4, 0.8, 1.6, 3.2, 3.2, 3.2)  # section 3: six sends, the wait doubled up to 3.2 s


class Silent(Exception):
    """Nobody answered, however often we asked."""


def cobs(data: bytes) -> bytes:
    groups = []
    for part in data.split(b"\0"):
        while len(part) >= 254:
            groups.append(b"\xff" + part[:254])
            part = part[254:]
        groups.append(bytes((len(part) + 1,)) + part)
    # A group of 254 bytes has no zero behind it, so at the very end an empty group after it says nothing.
    if len(groups) > 1 and groups[-1] == b"\x01" and groups[-2][0] == 0xFF:
        groups.pop()
    return b"".join(groups)


def uncobs(data: bytes) -> bytes | None:
    out = bytearray()
    while data:
        size = data[0]
        if size == 0 or size > len(data):
            return None
        out += data[1:size]
        data = data[size:]
        if size < 255 and data:
            out.append(0)
    return bytes(out)


def pack(kind: int, session: int, counter: int, body: bytes, *, from_keypad: bool = False) -> bytes:
    return framed(header(kind, session, counter, from_keypad=from_keypad) + body)


def header(kind: int, session: int, counter: int, *, from_keypad: bool = False) -> bytes:
    address = 0x80 if from_keypad else 0
    return bytes((1 << 5 | kind << 2, address)) + session.to_bytes(2, "big") + counter.to_bytes(4, "big")


def framed(inner: bytes) -> bytes:
    return b"\0" + cobs(inner + zlib.crc32(inner).to_bytes(4, "little")) + b"\0"


def unpack(piece: bytes) -> tuple[bytes, bytes] | None:
    """Header and body of what stood between two zeros, or None for noise."""
    inner = uncobs(piece)
    if inner is None or len(inner) < 12 or zlib.crc32(inner[:-4]) != int.from_bytes(inner[-4:], "little"):
        return None
    return inner[:8], inner[8:-4]


class Keys:
    """What follows from the shared key and the two bodies of the handshake (section 2)."""

    def __init__(self, key: bytes, hello: bytes, hello_r: bytes) -> None:
        answer = cbor2.loads(hello_r)
        answer[5] = b""
        salt = hashlib.sha256(hello + cbor2.dumps(answer)).digest()

        def derived(label: str, size: int) -> bytes:
            return HKDF(SHA256(), length=size, salt=salt, info=b"doorpad link 1 " + label.encode()).derive(
                key
            )

        self.device_proof, self.host_proof = derived("device proof", 16), derived("host proof", 16)
        self.session = int.from_bytes(derived("session", 2), "big")
        self._salt = derived("salt", 8)
        self._ciphers = [AESCCM(derived(label, 16), tag_length=8) for label in ("to device", "to host")]

    def _nonce(self, head: bytes) -> bytes:
        return bytes((head[0] & 0x1C | head[1] >> 7,)) + self._salt + head[4:]

    def seal(self, kind: int, counter: int, value: Any, *, from_keypad: bool = False) -> bytes:
        head = header(kind, self.session, counter, from_keypad=from_keypad)
        sealed = self._ciphers[from_keypad].encrypt(self._nonce(head), cbor2.dumps(value), head)
        return framed(head + sealed)

    def open(self, head: bytes, sealed: bytes) -> Any:
        """The value in a sealed body, or None if it is not from this session."""
        if int.from_bytes(head[2:4], "big") != self.session:
            return None
        try:
            return cbor2.loads(self._ciphers[head[1] >> 7].decrypt(self._nonce(head), sealed, head))
        except InvalidTag:
            return None


class Client:
    """An open session. `hints`: what the keypad said unasked; `last`: the newest request's frame and its reply's."""

    def __init__(self, port: str, host_id: bytes, key: bytes) -> None:
        self._fd = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._fd)
        self._held = b""
        self._counter = 0
        self._keys: Keys | None = None
        self.hints: list[Any] = []
        self.last = (b"", b"")
        self._handshake(host_id, key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def _handshake(self, host_id: bytes, key: bytes) -> None:
        hello = cbor2.dumps([1, 1, secrets.token_bytes(16), host_id])
        _, hello_r, _ = self._exchange(pack(HELLO, 0, 0, hello), HELLO_R, 0)
        answer = cbor2.loads(hello_r)
        assert answer[0] == 1, "another protocol than the one that was offered"
        assert answer[4] == hashlib.sha256(b"doorpad key id" + key).digest()[:4], (
            "the keypad holds another key"
        )
        keys = Keys(key, hello, hello_r)
        assert secrets.compare_digest(answer[5], keys.device_proof), "the keypad does not have the key"
        self.device_id, self.boot_id = answer[2], answer[3]
        self._keys = keys
        head, sealed, _ = self._exchange(pack(AUTH, 0, 0, cbor2.dumps([keys.host_proof])), AUTH_R, 0)
        status, *self.capabilities = keys.open(head, sealed)
        assert status == 0

    def request(self, operation: int, arguments: Any) -> tuple[int, Any]:
        """Status and result of one request. Raises Silent."""
        assert self._keys is not None
        self._counter += 1
        wire = self._keys.seal(REQ, self._counter, [operation, arguments])
        head, sealed, piece = self._exchange(wire, REP, self._counter)
        replied, status, result, *_ = self._keys.open(head, sealed)
        assert replied == operation
        self.last = (wire, piece)
        return status, result

    def repeat(self) -> bytes:
        """Send the newest request once more, bit for bit; returns the frame of the reply to that."""
        return self._exchange(self.last[0], REP, self._counter)[2]

    def wait_for_hint(self, wanted: Any, limit_s: float) -> None:
        """Wait for this very hint; others may come before, for what we wrote ourselves. Raises Silent."""
        deadline = time.monotonic() + limit_s
        while wanted not in self.hints:
            if self._receive(deadline) is None:
                raise Silent(f"no hint {wanted}, only {self.hints}")

    def _exchange(self, wire: bytes, kind: int, counter: int) -> tuple[bytes, bytes, bytes]:
        """Send until the answer comes; returns its header, its body, and all of it as it stood on the line."""
        for wait_s in WAIT_S:
            os.write(self._fd, wire)
            deadline = time.monotonic() + wait_s
            while (frame := self._receive(deadline, kind, counter)) is not None:
                if frame:
                    return frame
        raise Silent(f"no answer of kind {kind} to {len(WAIT_S)} sends")

    def _receive(self, deadline: float, kind: int = -1, counter: int = 0) -> Any:
        """The awaited frame as (header, body, piece); () for any other; None if there is none by the deadline."""
        while b"\0" not in self._held:
            ready, _, _ = select.select([self._fd], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                return None
            self._held += os.read(self._fd, 4096)
        piece, _, self._held = self._held.partition(b"\0")
        found = unpack(piece)
        if found is None or not found[0][1] & 0x80:
            return ()
        (head, body) = found
        sort, number = head[0] >> 2 & 7, int.from_bytes(head[4:], "big")
        opened = self._keys.open(head, body) if self._keys and sort in (AUTH_R, REP, HINT) else None
        if sort == HINT and opened is not None:
            self.hints.append(opened)
        is_awaited = (sort, number) == (kind, counter) and (sort in (HELLO_R, ALERT) or opened is not None)
        return (head, body, piece) if is_awaited else ()


def next_key(vector: dict[str, Any]) -> str:
    """The key that the hub of a stored key change goes on with, from its private key (section 5)."""
    raw = {
        name: bytes.fromhex(text)
        for name, text in vector.items()
        if name.startswith(("hub_", "key", "next_"))
    }
    private = X25519PrivateKey.from_private_bytes(raw["hub_private"])
    assert private.public_key().public_bytes_raw() == raw["hub_public"]
    shared = private.exchange(X25519PublicKey.from_public_bytes(raw["keypad_public"]))
    said = b"next key" + raw["next_host_id"] + raw["hub_public"] + raw["keypad_public"]
    return HKDF(SHA256(), length=32, salt=raw["key"], info=b"doorpad link 1 " + said).derive(shared).hex()


def vector_frames(vector: dict[str, Any]) -> dict[str, str]:
    """The frames that a stored session of protocol/vectors has to consist of, made anew from its keys and nonces."""
    raw = {
        name: bytes.fromhex(text)
        for name, text in vector.items()
        if isinstance(text, str) and name != "about"
    }
    hello = cbor2.dumps([1, 1, raw["host_nonce"], raw["host_id"]])
    key_id = hashlib.sha256(b"doorpad key id" + raw["key"]).digest()[:4]
    answer = [1, raw["device_nonce"], raw["device_id"], raw["boot_id"], key_id, b""]
    keys = Keys(raw["key"], hello, cbor2.dumps(answer))
    answer[5] = keys.device_proof
    frames = {
        "HELLO": pack(HELLO, 0, 0, hello),
        "HELLO_R": pack(HELLO_R, 0, 0, cbor2.dumps(answer), from_keypad=True),
        "AUTH": pack(AUTH, 0, 0, cbor2.dumps([keys.host_proof])),
    }
    for name in list(vector["frames"])[3:]:
        stored = unpack(bytes.fromhex(vector["frames"][name]).strip(b"\0"))
        assert stored is not None, name
        value = keys.open(*stored)
        assert value is not None, f"{name} does not open"
        kind, counter = stored[0][0] >> 2 & 7, int.from_bytes(stored[0][4:], "big")
        frames[name] = keys.seal(kind, counter, value, from_keypad=bool(stored[0][1]))
    return {name: wire.hex() for name, wire in frames.items()}


if __name__ == "__main__":
    with Client(sys.argv[1], bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])) as client:
        print(json.dumps(client.request(STATE, None), default=bytes.hex))
