"""Making an emulated keypad: what `doorpad flash` writes to a real one, written to files."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from doorpad_link import identity
from doorpad_link.identity import Identity

from doorpad import keyring

_FLASH_BYTES = 1 << 20
_ABOUT = "keypad.json"


@dataclass(frozen=True)
class EmulatedKeypad:
    """One emulated keypad on disk. `serial`: 16 hex digits; `master_pin`: what opens local programming."""

    folder: Path
    serial: str
    name: str
    master_pin: str = field(repr=False)


def _write(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)


def make(folder: Path, keys: Path, name: str, given: Mapping[str, int]) -> EmulatedKeypad:
    """Take the keypad in `folder`, or make one there with empty flash and its key in the folder `keys`.

    Settings that are given (those of firmware/doorpad_fw/config.py) are written in either case. What is half made by
    an interrupted start is made anew.
    """
    about = folder / _ABOUT
    if not about.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        serial = secrets.token_hex(8)
        master_pin = "".join(secrets.choice("0123456789") for _ in range(8))
        device_key = secrets.token_bytes(32)
        key = keyring.LinkKey(secrets.token_bytes(8), secrets.token_bytes(32))
        keyring.save(keys, serial, key)
        packed = identity.pack(
            Identity(
                bytes.fromhex(serial),
                device_key,
                identity.pin_tag(device_key, master_pin.encode()),
                [(key.host_id, key.psk)],
            )
        )
        (folder / "nvs-doorpad").mkdir(exist_ok=True)
        _write(folder / "nvs-doorpad" / "identity", packed)
        _write(folder / "identity.bin", packed)
        _write(folder / "flash.bin", b"\xff" * _FLASH_BYTES)
        _write(folder / "config.json", b"{}")
        # Last: this file says that all others are there.
        new = about.with_suffix(".new")
        _write(new, json.dumps({"serial": serial, "name": name, "master_pin": master_pin}).encode())
        new.replace(about)
    stored = json.loads(about.read_text())
    settings = json.loads((folder / "config.json").read_text())
    changed = settings | given
    if changed != settings:
        _write(folder / "config.json", json.dumps(changed).encode())
    return EmulatedKeypad(folder, stored["serial"], stored["name"], stored["master_pin"])
