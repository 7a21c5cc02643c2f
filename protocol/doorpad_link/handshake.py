"""Keys of a session, from the 32-byte key that one keypad and one hub share.

    HELLO    host -> keypad  [proto_min, proto_max, host_nonce[16], host_id[8]]
    HELLO_R  keypad -> host  [proto, device_nonce[16], device_id[8], boot_id[8], key_id[4], proof[16]]
    AUTH     host -> keypad  [proof[16]]
    AUTH_R   keypad -> host  sealed: [status, capabilities]

Both nonces and everything either side said stand in the transcript that salts HKDF-SHA-256, so a
changed byte gives other keys, and no recorded handshake can be played again.
"""

from doorpad_link.aead import KEY_BYTES, NONCE_BYTES, Aead
from doorpad_link.frame import FROM_DEVICE, HEADER_BYTES, Header
from doorpad_link.hkdf import expand, extract, sha256

PROTO = 1
PSK_BYTES = 32
NONCE16_BYTES = 16
HOST_ID_BYTES = 8
DEVICE_ID_BYTES = 8
PROOF_BYTES = 16
_LABEL = b"doorpad link 1 "


def key_id(psk: bytes) -> bytes:
    """Names a key without telling anything of it: 4 bytes."""
    return sha256(b"doorpad key id" + psk)[:4]


def next_key(psk: bytes, shared: bytes, host_id: bytes, host_public: bytes, device_public: bytes) -> bytes:
    """The key that follows `psk`, 32 bytes, from a fresh X25519 secret and everything both sides said.

    Who recorded the line and has the old key lacks `shared`; who could break X25519 lacks the old key.
    """
    return expand(
        extract(psk, shared), _LABEL + b"next key" + host_id + host_public + device_public, PSK_BYTES
    )


class SessionKeys:
    """What both sides derive from one HELLO and HELLO_R: proofs, session number, and one key a direction."""

    def __init__(self, psk: bytes, hello: bytes, hello_r: bytes) -> None:
        """`hello` is the body as sent; `hello_r` the body as sent, encoded with an empty proof."""
        prk = extract(sha256(hello + hello_r), psk)
        self.device_proof = expand(prk, _LABEL + b"device proof", PROOF_BYTES)
        self.host_proof = expand(prk, _LABEL + b"host proof", PROOF_BYTES)
        self.session = int.from_bytes(expand(prk, _LABEL + b"session", 2), "big")
        self._salt = expand(prk, _LABEL + b"salt", 8)
        self._to_device = Aead(expand(prk, _LABEL + b"to device", KEY_BYTES))
        self._to_host = Aead(expand(prk, _LABEL + b"to host", KEY_BYTES))

    def _nonce(self, header: bytes) -> bytes:
        # Kind and direction | salt | counter: a reply and a hint never share one though both count from 1.
        nonce = bytes((header[0] & 0x1C | header[1] >> 7,)) + self._salt + header[4:8]
        assert len(nonce) == NONCE_BYTES
        return nonce

    def seal(self, header: Header, plain: bytes) -> bytes:
        packed = header.pack()
        aead = self._to_host if header.from_device else self._to_device
        return aead.seal(self._nonce(packed), plain, packed)

    def seal_end(self, inner: bytearray) -> None:
        """Seal what stands behind the header in `inner`, in place, and append the tag."""
        packed = bytes(inner[:HEADER_BYTES])
        aead = self._to_host if packed[1] & FROM_DEVICE else self._to_device
        aead.seal_end(self._nonce(packed), inner, HEADER_BYTES, packed)

    def open(self, header: Header, sealed: "bytearray | memoryview") -> "bytes | memoryview | None":
        """Return the plain text, which may take the place of what was sealed; None if anything was altered."""
        packed = header.pack()
        aead = self._to_host if header.from_device else self._to_device
        return aead.open(self._nonce(packed), sealed, packed)
