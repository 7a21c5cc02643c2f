"""What makes a keypad this keypad: written once when it is commissioned, kept outside of the slot log.

    CBOR [version, device_id[8], device_key[32], master_tag[32],
          [[host_id[8], key[32]], ... up to 4], next] | CRC-32

`next` is null, or [maker, host_id[8], key[32]]: a key that is to replace the one of the host `maker`, and has
not been proven yet. Until it is, both work.

`device_key` encrypts PINs at rest and keys their tags. The master PIN is kept only as a tag under it.
"""

import binascii

from doorpad_link import cbor
from doorpad_link.hkdf import Hmac

_VERSION = 1
HOSTS_MAX = 4
_PIN_LABEL = b"pin"


class Identity:
    """`hosts`: list of (host_id, key); `following`: (maker, host_id, key) of a key not proven yet, or None."""

    def __init__(
        self, device_id: bytes, device_key: bytes, master_tag: bytes, hosts: "list[tuple[bytes, bytes]]"
    ) -> None:
        self.device_id = device_id
        self.device_key = device_key
        self.master_tag = master_tag
        self.hosts = hosts
        self.following: tuple[int, bytes, bytes] | None = None
        self._tags = Hmac(device_key)

    def tag_of(self, pin: bytes) -> bytes:
        """The keyed tag, 32 bytes, that is kept of the master PIN (ASCII digits)."""
        return self._tags.digest(_PIN_LABEL + pin)

    def promote(self) -> None:
        """The following key was proven: it takes its place."""
        if self.following is not None:
            maker, host_id, key = self.following
            self.hosts[maker - 1] = (host_id, key)
            self.following = None


def pin_tag(device_key: bytes, pin: bytes) -> bytes:
    """The tag that an identity with this device key keeps of the master PIN (ASCII digits)."""
    return Hmac(device_key).digest(_PIN_LABEL + pin)


def pack(identity: Identity) -> bytes:
    body = cbor.encode(
        [
            _VERSION,
            identity.device_id,
            identity.device_key,
            identity.master_tag,
            [[host_id, key] for host_id, key in identity.hosts],
            list(identity.following) if identity.following else None,
        ]
    )
    return body + binascii.crc32(body).to_bytes(4, "big")


def _is_number(value: object, least: int, most: int) -> bool:
    # True is a 1 to Python, and is none here: what is read is written again as it was.
    return isinstance(value, int) and value is not True and least <= value <= most


def unpack(data: bytes) -> "Identity | None":
    """Return the identity, or None if the bytes are damaged or of another version."""
    if len(data) < 5 or binascii.crc32(data[:-4]) != int.from_bytes(data[-4:], "big"):
        return None
    try:
        value = cbor.decode(data[:-4])
    except cbor.CborError:
        return None
    if not (isinstance(value, list) and len(value) == 6 and _is_number(value[0], _VERSION, _VERSION)):
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
    found = Identity(value[1], value[2], value[3], hosts)
    following = value[5]
    if following is not None:
        if not (
            isinstance(following, list) and len(following) == 3 and _is_number(following[0], 1, len(hosts))
        ):
            return None
        if [isinstance(part, bytes) and len(part) for part in following[1:]] != [8, 32]:
            return None
        found.following = (following[0], following[1], following[2])
    return found
