"""What an emulated keypad keeps in its partition, its NVS and the copy of it: byte for byte."""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

SEGMENT_BYTES = 4096
RECORD_BYTES = 48  # of the journal
RECORDS = 84  # in a segment, behind its header of as many bytes
ERASED = b"\xff"


@dataclass(frozen=True)
class Entry:
    """An entry of the journal. `at`: its place there."""

    sequence: int
    kind: int
    reason: int
    at: int


@dataclass(frozen=True)
class Kept:
    """`keys`: content by name, of what NVS and the file system hold of them, and of the settings."""

    table: bytes
    journal: bytes
    keys: dict[str, bytes]

    def entries(self) -> list[Entry]:
        """What the journal holds, oldest first."""
        found = []
        for segment in range(0, len(self.journal), SEGMENT_BYTES):
            for at in range(segment + RECORD_BYTES, segment + RECORD_BYTES * (RECORDS + 1), RECORD_BYTES):
                record = self.journal[at : at + RECORD_BYTES]
                sequence, kind, reason = struct.unpack_from("<I4xBB", record)
                if zlib.crc32(record[:-4]) == int.from_bytes(record[-4:], "little"):
                    found.append(Entry(sequence, kind, reason, at))
        return sorted(found, key=lambda entry: entry.sequence)

    def added(self, later: "Kept") -> list[tuple[int, int]]:
        """(Kind, reason) of what the journal was given until then. Not a byte of anything else may be another."""
        assert later.table == self.table
        assert later.keys == self.keys
        before = {entry.sequence for entry in self.entries()}
        added = [entry for entry in later.entries() if entry.sequence not in before]
        journal = bytearray(later.journal)
        for entry in added:
            journal[entry.at : entry.at + RECORD_BYTES] = ERASED * RECORD_BYTES
        assert journal == self.journal, "an entry was changed, or erased"
        return [(entry.kind, entry.reason) for entry in added]


def kept(folder: Path) -> Kept:
    """What the keypad in this folder keeps now: what a power cut would leave of it."""
    image = (folder / "flash.bin").read_bytes()
    files = [*sorted((folder / "nvs-doorpad").iterdir()), folder / "identity.bin", folder / "config.json"]
    half = len(image) // 2
    # A factory reset leaves no settings.
    held = {str(it.relative_to(folder)): it.read_bytes() for it in files if it.exists()}
    return Kept(image[:half], image[half:], held)
