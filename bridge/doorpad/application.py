"""An application for a keypad: a folder of compiled modules, with a manifest that says what they are.

The manifest's form is that of protocol/README.md, section 6. It is written when the firmware is compiled.
"""

import ast
import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from doorpad.errors import DoorpadError, NextStep

MANIFEST = "manifest"
MPY_VERSION = 6  # of the .mpy files that mpy-cross 1.29 writes
_MAGIC = b"dpM1"
_HEADER = struct.Struct("<4sHBBH22s")
_RECORD = struct.Struct("<32sI60s")
_BLOCK_BYTES = 4096  # of the keypad's file system
_SMALL_INT_BITS_MAX = 31  # on an ESP32


class ApplicationUnusable(DoorpadError):
    """A folder holds no application that a keypad could run; the message names file and reason."""

    next_step: ClassVar[NextStep] = NextStep.PERSON


@dataclass(frozen=True, slots=True)
class Module:
    """One file. `path`: as on the keypad, below the application's folder."""

    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Application:
    """`format_oldest` to `format`: the forms of what is stored on a keypad that it can use."""

    version: str
    format_oldest: int
    format: int
    mpy: int
    modules: tuple[Module, ...]

    @property
    def manifest(self) -> bytes:
        head = _HEADER.pack(
            _MAGIC,
            self.mpy,
            self.format_oldest,
            self.format,
            len(self.modules),
            self.version.encode("ascii"),
        )
        return head + b"".join(
            _RECORD.pack(hashlib.sha256(it.data).digest(), len(it.data), it.path.encode("ascii"))
            for it in self.modules
        )

    @property
    def identity(self) -> bytes:
        """SHA-256 of the manifest, and by that of everything."""
        return hashlib.sha256(self.manifest).digest()

    @property
    def room_bytes(self) -> int:
        """What it takes of a file system that gives whole blocks: files, and two blocks a folder."""
        sizes = [len(self.manifest), *(len(it.data) for it in self.modules)]
        folders = {it.path.rpartition("/")[0] for it in self.modules}
        return (sum(-(-size // _BLOCK_BYTES) for size in sizes) + 2 * (len(folders) + 1)) * _BLOCK_BYTES


def describe(folder: Path, version_source: str) -> None:
    """Write the manifest of freshly compiled modules. `version_source`: text of firmware/doorpad_fw/version.py."""
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(version_source).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    modules = tuple(
        Module(path.relative_to(folder).as_posix(), path.read_bytes())
        for path in sorted(folder.rglob("*.mpy"))
    )
    application = Application(
        values["VERSION"], values["FORMAT_OLDEST"], values["FORMAT"], MPY_VERSION, modules
    )
    (folder / MANIFEST).write_bytes(application.manifest)


def load(folder: Path) -> Application:
    """Read an application, and check each file against the manifest and as MicroPython would.

    Raises:
        ApplicationUnusable: something is missing, changed, or compiled for another MicroPython.
    """
    try:
        packed = (folder / MANIFEST).read_bytes()
        magic, mpy, oldest, newest, count, version = _HEADER.unpack_from(packed)
        records = list(_RECORD.iter_unpack(packed[_HEADER.size :]))
    except (OSError, struct.error) as error:
        raise ApplicationUnusable(f"{folder} holds no application: its manifest cannot be read") from error
    if magic != _MAGIC or count != len(records):
        raise ApplicationUnusable(f"{folder} holds no application: its manifest is damaged")
    modules = []
    for sha256, size, padded in records:
        path = padded.rstrip(b"\0").decode("ascii", "replace")
        try:
            data = (folder / path).read_bytes()
        except OSError as error:
            raise ApplicationUnusable(f"{folder}: {path} cannot be read ({error.strerror})") from error
        if (len(data), hashlib.sha256(data).digest()) != (size, sha256):
            raise ApplicationUnusable(f"{folder}: {path} is not what the manifest says; compile it again")
        _check_compiled(path, data, mpy)
        modules.append(Module(path, data))
    return Application(version.rstrip(b"\0").decode("ascii", "replace"), oldest, newest, mpy, tuple(modules))


def _check_compiled(path: str, data: bytes, mpy: int) -> None:
    # 'M', version, architecture of native code (six bits) and sub-version, bits of a small integer.
    if len(data) < 4 or data[0] != ord("M"):
        raise ApplicationUnusable(f"{path} is not compiled: a keypad has no room to compile it")
    if data[1] != mpy:
        raise ApplicationUnusable(f"{path} is compiled for .mpy version {data[1]}, not {mpy} as the others")
    if data[2] >> 2 or data[3] > _SMALL_INT_BITS_MAX:
        raise ApplicationUnusable(f"{path} is compiled for another processor than a keypad's")
