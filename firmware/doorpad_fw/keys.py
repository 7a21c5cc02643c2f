"""Where the identity is kept: in NVS, and once more in a file.

The ESP32 port erases all of NVS at boot when it finds it damaged, and with the device key gone no PIN could
be read again. So either copy restores the other.
"""

import os

from doorpad_link import identity, messages
from esp32 import NVS

from doorpad_fw import health

_NAMESPACE = "doorpad"
_KEY = "identity"
_COPY = "identity.bin"
_BYTES_MAX = 512


class NotCommissioned(Exception):
    """Neither copy of the identity is there and intact: the keypad has to be commissioned."""


def _read_nvs():
    buffer = bytearray(_BYTES_MAX)
    try:
        size = NVS(_NAMESPACE).get_blob(_KEY, buffer)
    except OSError:
        return b""
    return bytes(buffer[:size])


def _read_copy():
    try:
        with open(_COPY, "rb") as file:
            return file.read()
    except OSError:
        return b""


def store(packed):
    """Write both copies."""
    nvs = NVS(_NAMESPACE)
    nvs.set_blob(_KEY, packed)
    nvs.commit()
    _write_copy(packed)


def _write_copy(packed):
    with open(_COPY + ".new", "wb") as file:
        file.write(packed)
    os.rename(_COPY + ".new", _COPY)


def load():
    """Return the Identity. Raises NotCommissioned."""
    first, second = _read_nvs(), _read_copy()
    found = identity.unpack(first)
    if found is not None:
        if second != first:
            health.report(messages.HEALTH_IDENTITY)
            _write_copy(first)
        return found
    found = identity.unpack(second)
    if found is None:
        raise NotCommissioned("no intact identity in NVS or in " + _COPY)
    health.report(messages.HEALTH_IDENTITY)
    store(second)
    return found
