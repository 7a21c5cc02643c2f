"""AES-128-CCM with an 8-byte tag and a 13-byte nonce: AES-CCM-16-64-128 of RFC 9053, section 4.2.

The hub has it in OpenSSL. Stock MicroPython has only AES-ECB and AES-CBC, both in C: the MAC of RFC 3610
is the last block of a CBC pass, and the key stream is one ECB pass over all counter blocks. Both go over a frame in
pieces, through buffers that are there from the start: a keypad's heap has room for a frame, but not always in one
piece for a second.
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
    _BLOCK = 16
    _PIECE = 256
    _counters = bytearray(_PIECE)
    _stream = bytearray(_PIECE)
    _scratch = bytearray(_PIECE)
    _zeros = bytes(_BLOCK)

    def _xor(target: "bytearray | memoryview", stream: "bytes | memoryview") -> None:
        size = len(target)
        mixed = int.from_bytes(target, "big") ^ int.from_bytes(stream, "big")
        target[:] = mixed.to_bytes(size, "big")

    class Aead:
        """Seals and opens under one key. A nonce must never seal two different messages."""

        def __init__(self, key: bytes) -> None:
            self._key = key
            self._ecb = aes(key, _ECB)

        def _mac(self, nonce: bytes, size: int, aad: bytes) -> "tuple[aes, bytes]":
            # B_0: flags (AAD present, M = 8, L = 2), nonce, message length. Returns the MAC, and what it is so far.
            head = (b"\x59" if aad else b"\x19") + nonce + size.to_bytes(2, "big")
            if aad:
                head += len(aad).to_bytes(2, "big") + aad
            mac = aes(self._key, _CBC, _zeros)
            last: bytes = mac.encrypt(head + bytes(-len(head) % _BLOCK))
            return mac, last[-_BLOCK:-TAG_BYTES]

        def _start(self, nonce: bytes) -> bytes:
            # The counter blocks with their nonce; returns what masks the tag.
            for at in range(0, _PIECE, _BLOCK):
                _counters[at] = 1
                _counters[at + 1 : at + 14] = nonce
                _counters[at + 14] = 0
            _counters[15] = 0
            mask: bytes = self._ecb.encrypt(memoryview(_counters)[:_BLOCK])
            return mask[:TAG_BYTES]

        def _crypt(self, piece: memoryview, first: int) -> None:
            size = -(-len(piece) // _BLOCK) * _BLOCK
            for at in range(0, size, _BLOCK):
                number = first + at // _BLOCK
                _counters[at + 14] = number >> 8
                _counters[at + 15] = number & 0xFF
            self._ecb.encrypt(memoryview(_counters)[:size], memoryview(_stream)[:size])
            _xor(piece, memoryview(_stream)[: len(piece)])

        def _digest(self, mac: "aes", piece: memoryview) -> bytes:
            # Goes on with the MAC; returns what it is after this piece.
            size = len(piece)
            padded = -(-size // _BLOCK) * _BLOCK
            _scratch[:size] = piece
            _scratch[size:padded] = _zeros[: padded - size]
            view = memoryview(_scratch)[:padded]
            mac.encrypt(view, view)
            return bytes(view[padded - _BLOCK : padded - _BLOCK + TAG_BYTES])

        def seal_end(self, nonce: bytes, buffer: bytearray, start: int, aad: bytes) -> None:
            """Seal the end of a buffer in place, from `start` on, and append the tag."""
            size = len(buffer) - start
            mac, digest = self._mac(nonce, size, aad)
            tag = bytearray(self._start(nonce))
            plain = memoryview(buffer)[start:]
            for at in range(0, size, _PIECE):
                piece = plain[at : at + _PIECE]
                digest = self._digest(mac, piece)
                self._crypt(piece, 1 + at // _BLOCK)
            _xor(tag, digest)
            buffer.extend(tag)

        def seal(self, nonce: bytes, plain: bytes, aad: bytes) -> bytes:
            """Return ciphertext and tag."""
            buffer = bytearray(plain)
            self.seal_end(nonce, buffer, 0, aad)
            return bytes(buffer)

        def open(
            self, nonce: bytes, sealed: "bytearray | memoryview", aad: bytes
        ) -> "bytes | memoryview | None":
            """Return the plain text, or None if anything was altered. It takes the place of what was sealed."""
            size = len(sealed) - TAG_BYTES
            if size < 0:
                return None
            mac, digest = self._mac(nonce, size, aad)
            tag = bytearray(self._start(nonce))
            plain = memoryview(sealed)[:size]
            for at in range(0, size, _PIECE):
                piece = plain[at : at + _PIECE]
                self._crypt(piece, 1 + at // _BLOCK)
                digest = self._digest(mac, piece)
            _xor(tag, digest)
            return plain if equal(tag, memoryview(sealed)[size:]) else None

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

        def seal_end(self, nonce: bytes, buffer: bytearray, start: int, aad: bytes) -> None:
            """Seal the end of a buffer in place, from `start` on, and append the tag."""
            buffer[start:] = self._ccm.encrypt(nonce, bytes(buffer[start:]), aad)

        def open(
            self, nonce: bytes, sealed: "bytearray | memoryview", aad: bytes
        ) -> "bytes | memoryview | None":
            """Return the plain text, or None if anything was altered. It may take the place of what was sealed."""
            if len(sealed) < TAG_BYTES:
                return None
            try:
                return self._ccm.decrypt(nonce, sealed, aad)
            except InvalidTag:
                return None
