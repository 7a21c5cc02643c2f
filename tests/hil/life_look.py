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
from doorpad.store.schema import POOLED
from doorpad_link.messages import COUNTED, SPENT
from hil_world import Keypad, World
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


def flash(world: World, keypad: Keypad, scratch: Path) -> list[Held]:
    """The table of a keypad, which nobody writes to meanwhile. `scratch`: a folder for the copy."""
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(keypad.folder, scratch, ignore=shutil.ignore_patterns("control", "link", "lock"))
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


def mirror(world: World, keypad: Keypad) -> list[Held]:
    """What the hub's database says of the table."""
    columns = "slot, version, flags, code, from_s, until_s, access_code_id, maker"
    query = f"SELECT {columns} FROM slots WHERE device_id = ? ORDER BY slot"
    return [_held(row) for row in _rows(world, query, keypad.device_id)]


def _held(fields: Sequence[Any]) -> Held:
    slot, version, flags, pin, from_s, until_s, code_id, maker = fields
    number = UUID(code_id).int if code_id else 0
    terms = Terms(pin, from_s, until_s, once=bool(flags & COUNTED), is_used=bool(flags & SPENT))
    return Held(slot, version, flags, terms, str(UUID(int=number)) if number else None, maker)


def spare(world: World, keypad: Keypad) -> set[str]:
    """The ids of the codes that the hub keeps on a keypad for nobody yet."""
    query = "SELECT access_code_id FROM access_codes WHERE device_id = ? AND backup = ? AND state = 'active'"
    return {code_id for (code_id,) in _rows(world, query, keypad.device_id, POOLED)}


def log_end(world: World) -> int:
    """The place of the newest event in the hub's log."""
    return int(_rows(world, "SELECT max(seq) FROM events")[0][0])


def events(world: World, keypad: Keypad, after: int) -> list[Told]:
    """What the hub's log has of a keypad behind the place `after`, in the order in which it was written."""
    columns = "event_id, event_type, access_code_id, payload"
    query = f"SELECT {columns} FROM events WHERE device_id = ? AND seq > ? ORDER BY seq"
    return [
        Told(*fields, json.loads(payload))
        for *fields, payload in _rows(world, query, keypad.device_id, after)
    ]


def _rows(world: World, query: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(f"file:{world.data / FILE_NAME}?mode=ro", uri=True)) as hub:
        return hub.execute(query, values).fetchall()
