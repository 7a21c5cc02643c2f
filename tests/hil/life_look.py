"""What keypad and hub have on flash and disk, read beside both while they run, and what they have said."""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from doorpad.emulator import runtime
from doorpad.store.database import FILE_NAME
from hil_world import World
from life_events import Told
from life_model import Terms

# The keypad's own program reads a copy of its flash: it is on there that a power cut would leave it.
_READ = """
import binascii
import json
import os
from doorpad_fw import keys
from doorpad_fw.log import Log
from doorpad_fw.slots import LAYOUT, Slots
from esp32 import Partition

UNIX_OF_2000 = 946684800

def unix(seconds):
    return seconds + UNIX_OF_2000 if seconds else None

partition = Partition.find(Partition.TYPE_DATA, label="slots")[0]
log = Log(partition, 0, partition.ioctl(4, 0) // 2, LAYOUT, lambda: os.urandom(4))
slots = Slots(log, 4096, keys.load().device_key)
for number in range(1, 4097):
    it = slots.get(number)
    if it:
        code_id = binascii.hexlify(it.access_code_id).decode()
        terms = [it.pin.decode(), unix(it.from_s), unix(it.until_s)]
        print(json.dumps([number, it.version, it.flags] + terms + [code_id, it.maker]))
"""


@dataclass(frozen=True)
class Held:
    """A slot in use. `code_id`: None where it has none."""

    slot: int
    version: int
    flags: int
    terms: Terms
    code_id: str | None
    maker: int


def flash(world: World, scratch: Path) -> list[Held]:
    """The table of the first keypad, which nobody writes to meanwhile. `scratch`: a folder for the copy."""
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(world.folder, scratch, ignore=shutil.ignore_patterns("control", "link", "lock"))
    [program] = (world.data / "keypads").glob("program-*")
    done = subprocess.run(
        [*runtime.micropython(), "-X", f"heapsize={runtime.HEAP}", "-c", _READ],
        cwd=scratch,
        env={**os.environ, "MICROPYPATH": runtime.search_path(program), "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [_held(json.loads(line)) for line in done.stdout.splitlines()]


def mirror(world: World) -> list[Held]:
    """What the hub's database says of the table."""
    columns = "slot, version, flags, code, from_s, until_s, access_code_id, maker"
    return [_held(row) for row in _rows(world, f"SELECT {columns} FROM slots ORDER BY slot")]


def _held(fields: Sequence[Any]) -> Held:
    slot, version, flags, pin, from_s, until_s, code_id, maker = fields
    number = UUID(code_id).int if code_id else 0
    terms = Terms(pin, from_s, until_s)
    return Held(slot, version, flags, terms, str(UUID(int=number)) if number else None, maker)


def events(world: World, after: int = 0) -> list[tuple[int, Told]]:
    """The hub's log behind the place `after`, each with its place, in the order in which it was written."""
    columns = "seq, event_id, event_type, access_code_id, payload"
    rows = _rows(world, f"SELECT {columns} FROM events WHERE seq > {after} ORDER BY seq")
    return [(seq, Told(*fields, json.loads(payload))) for seq, *fields, payload in rows]


def _rows(world: World, query: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{world.data / FILE_NAME}?mode=ro", uri=True)) as hub:
        return hub.execute(query).fetchall()
