"""AES-128-CCM with an 8-byte tag and a 13-byte nonce: AES-CCM-16-64-128 of RFC 9053, section 4.2.

The hub has it in OpenSSL. Stock MicroPython has only AES-ECB and AES-CBC, both in C: the MAC of RFC 3610
is the last block of a CBC pass, and the key stream is one ECB pass over all counter blocks, so a
frame costs three C calls and one big-integer XOR instead of a loop over its bytes.
"""

import sys

KEY_BYTES = 16
NONCE_BYTES = 13
TAG_BYTES = 8

if sys.implementation.name == "micropython":
    from cryptolib import aes

    from doorpad_link.hkdf import equal

    _ECB = 1
    _CBC = 2

    def _padded(data: bytes) -> bytes:
        return data + bytes(-len(data) % 16)

    def _xor(left: bytes, right: bytes) -> bytes:
        size = len(left)
        return (int.from_bytes(left, "big") ^ int.from_bytes(right[:size], "big")).to_bytes(size, "big")

    class Aead:
        """Seals and opens under one key. A nonce must never seal two different messages."""

        def __init__(self, key: bytes) -> None:
            self._key = key

        def _mac(self, nonce: bytes, plain: bytes, aad: bytes) -> bytes:
            # B_0: flags (AAD present, M = 8, L = 2), nonce, message length.
            blocks = b"\x59" + nonce + len(plain).to_bytes(2, "big")
            blocks += _padded(len(aad).to_bytes(2, "big") + aad) + _padded(plain)
            last: bytes = aes(self._key, _CBC, bytes(16)).encrypt(blocks)[-16:]
            return last[:TAG_BYTES]

        def _stream(self, nonce: bytes, size: int) -> bytes:
            count = 1 + (size + 15) // 16
            blocks = b"".join([b"\x01" + nonce + n.to_bytes(2, "big") for n in range(count)])
            stream: bytes = aes(self._key, _ECB).encrypt(blocks)
            return stream

        def seal(self, nonce: bytes, plain: bytes, aad: bytes) -> bytes:
            """Return ciphertext and tag."""
            stream = self._stream(nonce, len(plain))
            sealed = _xor(plain, stream[16:]) if plain else b""
            return sealed + _xor(self._mac(nonce, plain, aad), stream)

        def open(self, nonce: bytes, sealed: bytes, aad: bytes) -> "bytes | None":
            """Return the plain text, or None if anything was altered."""
            size = len(sealed) - TAG_BYTES
            if size < 0:
                return None
            stream = self._stream(nonce, size)
            plain = _xor(sealed[:size], stream[16:]) if size else b""
            tag = _xor(self._mac(nonce, plain, aad), stream)
            return plain if equal(tag, sealed[size:]) else None

else:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESCCM

    class Aead:  # type: ignore[no-redef]
        """Seals and opens under one key. A nonce must never seal two different messages."""

        def __init__(self, key: bytes) -> None:
            self._ccm = AESCCM(key, tag_length=TAG_BYTES)

        def seal(self, nonce: bytes, plain: bytes, aad: bytes) -> bytes:
            """Return ciphertext and tag."""
            return self._ccm.encrypt(nonce, plain, aad)

        def open(self, nonce: bytes, sealed: bytes, aad: bytes) -> "bytes | None":
            """Return the plain text, or None if anything was altered."""
            if len(sealed) < TAG_BYTES:
                return None
            try:
                return self._ccm.decrypt(nonce, sealed, aad)
            except InvalidTag:
                return None
