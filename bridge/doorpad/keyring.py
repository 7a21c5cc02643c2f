"""The keys that this hub shares with its keypads: one file a keypad, readable by its owner alone.

    <serial>.key    "<host_id: 16 hex digits> <key: 64 hex digits>"
    <serial>.next   the same, while a key is being changed

The host id names this hub to the keypad, so that a keypad with the keys of two hubs takes the right one.
"""

import os
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

from doorpad.errors import DoorpadError, NextStep

_SUFFIX = ".key"
_NEXT = ".next"  # agreed with the keypad and perhaps not proven yet


class KeyUnusable(DoorpadError):
    """A keypad's key is missing or cannot be used. The message never tells the key."""

    next_step: ClassVar[NextStep] = NextStep.PERSON

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"key {path}: {reason}")


@dataclass(frozen=True)
class LinkKey:
    """What one keypad and this hub share. `host_id`: 8 bytes; `psk`: 32 bytes."""

    host_id: bytes
    psk: bytes = field(repr=False)


def save(folder: Path, serial: str, key: LinkKey) -> None:
    """Write a key, whole or not at all."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(folder / (serial + _SUFFIX), key)


def save_next(folder: Path, serial: str, key: LinkKey) -> None:
    """Keep the key that is to follow, beside the present one."""
    _write(folder / (serial + _NEXT), key)


def promote(folder: Path, serial: str) -> None:
    """The following key was proven: it replaces the present one."""
    (folder / (serial + _NEXT)).replace(folder / (serial + _SUFFIX))


def drop_next(folder: Path, serial: str) -> None:
    """The present key still holds, so the change did not come about."""
    (folder / (serial + _NEXT)).unlink(missing_ok=True)


def _write(path: Path, key: LinkKey) -> None:
    new = path.with_suffix(path.suffix + ".new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(f"{key.host_id.hex()} {key.psk.hex()}\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def load(folder: Path, serial: str) -> LinkKey:
    """Read a keypad's key.

    Raises:
        KeyUnusable: missing, readable by others, of another form, or too regular to be a random key.
    """
    return _read(folder / (serial + _SUFFIX))


def load_next(folder: Path, serial: str) -> LinkKey | None:
    """Read the key of a change that was interrupted, if there is one. Raises KeyUnusable."""
    path = folder / (serial + _NEXT)
    return _read(path) if path.exists() else None


def _read(path: Path) -> LinkKey:
    try:
        mode = path.stat().st_mode
        text = path.read_text("ascii")
    except (OSError, UnicodeError) as error:
        raise KeyUnusable(path, f"cannot be read ({error})") from error
    if mode & 0o077:
        raise KeyUnusable(path, "others may read it; run `chmod 600` on it, or better, make a new key")
    try:
        host_id, psk = (bytes.fromhex(part) for part in text.split())
    except ValueError:
        raise KeyUnusable(path, "is not two hexadecimal numbers") from None
    if len(host_id) != 8 or len(psk) != 32:
        raise KeyUnusable(path, "needs a host id of 16 and a key of 64 hexadecimal digits")
    if _is_regular(psk):
        raise KeyUnusable(path, "is too regular to be a random key; make a new one")
    return LinkKey(host_id, psk)


def _is_regular(psk: bytes) -> bool:
    """Whether a key looks made by hand: few different bytes, bytes that count up or down, or the same half twice.

    One that was drawn at random looks so less than once in 10^15.
    """
    steps = {(second - first) % 256 for first, second in pairwise(psk)}
    half = len(psk) // 2
    return min(len(set(psk)), len(steps)) < half or psk[:half] == psk[half:]
