"""X25519 (RFC 7748, section 5): the key agreement behind a new link key.

The hub has it in OpenSSL. Stock MicroPython has no curve in C, so the keypad climbs the Montgomery ladder in
big integers: some 5 ms here, about a second on an ESP32, once for a key. It is not constant in time; its
secret lives for one exchange, inside a channel that is sealed already.
"""

import sys

KEY_BYTES = 32

if sys.implementation.name == "micropython":
    _P = (1 << 255) - 19
    _A24 = 121665

    def exchange(private: bytes, peer: bytes) -> bytes:
        """The shared secret, 32 bytes; all zero if `peer` is a point of small order."""
        scalar = int.from_bytes(private, "little")
        scalar = scalar & ~7 & ((1 << 254) - 1) | 1 << 254
        u = int.from_bytes(peer, "little") & ((1 << 255) - 1)
        x2, z2, x3, z3 = 1, 0, u, 1
        swap = 0
        for bit in range(254, -1, -1):
            k = scalar >> bit & 1
            if swap ^ k:
                x2, x3, z2, z3 = x3, x2, z3, z2
            swap = k
            a = x2 + z2
            b = x2 - z2
            aa = a * a % _P
            bb = b * b % _P
            e = aa - bb
            da = (x3 - z3) * a % _P
            cb = (x3 + z3) * b % _P
            x3 = (da + cb) * (da + cb) % _P
            z3 = u * ((da - cb) * (da - cb) % _P) % _P
            x2 = aa * bb % _P
            z2 = e * (aa + _A24 * e) % _P
        if swap:
            x2, z2 = x3, z3
        return (x2 * pow(z2, _P - 2, _P) % _P).to_bytes(KEY_BYTES, "little")

    def public(private: bytes) -> bytes:
        """The public key of a private one, any 32 random bytes."""
        return exchange(private, b"\x09" + bytes(31))

else:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    def exchange(private: bytes, peer: bytes) -> bytes:
        """The shared secret, 32 bytes; all zero if `peer` is a point of small order."""
        try:
            return X25519PrivateKey.from_private_bytes(private).exchange(
                X25519PublicKey.from_public_bytes(peer)
            )
        except ValueError:
            return bytes(KEY_BYTES)

    def public(private: bytes) -> bytes:
        """The public key of a private one, any 32 random bytes."""
        return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
