"""What makes a keypad this keypad: written once when it is commissioned, kept outside of the slot log.

    CBOR [version, device_id[8], device_key[32], master_tag[32], [[host_id[8], key[32]], ... up to 4]] | CRC-32

`device_key` encrypts PINs at rest and keys their tags. The master PIN is kept only as a tag under it.
"""

import binascii

from doorpad_link import cbor
from doorpad_link.hkdf import Hmac

_VERSION = 1
HOSTS_MAX = 4


class Identity:
    """`hosts`: list of (host_id, key)."""

    def __init__(
        self, device_id: bytes, device_key: bytes, master_tag: bytes, hosts: "list[tuple[bytes, bytes]]"
    ) -> None:
        self.device_id = device_id
        self.device_key = device_key
        self.master_tag = master_tag
        self.hosts = hosts


def pin_tag(device_key: bytes, pin: bytes) -> bytes:
    """The keyed tag, 32 bytes, under which a PIN (ASCII digits) is found."""
    return Hmac(device_key).digest(b"pin" + pin)


def pack(identity: Identity) -> bytes:
    body = cbor.encode(
        [
            _VERSION,
            identity.device_id,
            identity.device_key,
            identity.master_tag,
            [[host_id, key] for host_id, key in identity.hosts],
        ]
    )
    return body + binascii.crc32(body).to_bytes(4, "big")


def unpack(data: bytes) -> "Identity | None":
    """Return the identity, or None if the bytes are damaged or of another version."""
    if len(data) < 5 or binascii.crc32(data[:-4]) != int.from_bytes(data[-4:], "big"):
        return None
    try:
        value = cbor.decode(data[:-4])
    except cbor.CborError:
        return None
    if not (isinstance(value, list) and len(value) == 5 and value[0] == _VERSION):
        return None
    sizes = [isinstance(part, bytes) and len(part) for part in value[1:4]]
    if sizes != [8, 32, 32] or not isinstance(value[4], list) or len(value[4]) > HOSTS_MAX:
        return None
    hosts = []
    for host in value[4]:
        if not (
            isinstance(host, list) and [isinstance(part, bytes) and len(part) for part in host] == [8, 32]
        ):
            return None
        hosts.append((host[0], host[1]))
    return Identity(value[1], value[2], value[3], hosts)
