"""Fifteen keys a second while the link is full and flash erases: every key counts."""

import asyncio
import itertools
import os
from pathlib import Path
from typing import Any
from uuid import UUID

from doorpad import keyring
from doorpad.emulator.used_flash import use_up_table
from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.slot_writes import SlotWrite
from doorpad_link import messages
from hil_world import Bench, emulated

BAUD = 115_200
PIN = "315264978508"  # no two keys in a row alike
SLOTS = 60
SEGMENTS = 64  # of the table, and as many of the journal
SEGMENT_BYTES = 4096
RECORDS = 63  # in a segment
AHEAD = SEGMENTS // 8  # segments that are kept erased
SPARE = 2  # that are erased in any case
ERASE_MS = (45, 80)


class Bulk:
    """Writes all slots but the last, over and over."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._versions = dict.fromkeys(range(1, SLOTS), 0)
        self._pins = itertools.count(10**8)

    async def write(self, count: int) -> None:
        """Write `count` slots, rounded down to whole rounds; the line is full until the last of them."""
        for _ in range(count // len(self._versions)):
            writes = [
                SlotWrite(slot, at, str(next(self._pins)), None, None, str(UUID(int=slot)), os.urandom(8))
                for slot, at in self._versions.items()
            ]
            for result in await operations.put(self._connection, writes):
                assert result.status == messages.OK
                self._versions[result.slot] = result.version


async def connect(keypad: dict[str, Any]) -> Connection:
    key = keyring.load(Path(keypad["keys"]), keypad["serial"])
    connection, _ = await Connection.open(keypad["link"], BAUD, key, keypad["serial"])
    return connection


def erases(bench: Bench) -> int:
    return int(bench.ask(flash=True)["erases"])


def enter(bench: Bench) -> None:
    """Type the PIN; returns once the door was opened and is shut again."""
    place = len(bench.outputs)
    bench.ask(press=PIN + "#")
    bench.see("strike", 1, after=place)
    bench.see("strike", 0, after=place)


async def test_fifteen_keys_a_second_all_count_while_the_link_is_full_and_flash_is_full_too(
    tmp_path: Path,
) -> None:
    """Goal: no erase falls between the keys. Method: each segment that is written has to be erased first, and that
    takes as long as on an ESP32; let the keypad do so while nobody is there, then type without a pause while the
    link brings as much as was erased ahead, and more: that has to wait."""
    options = ("--slots", str(SLOTS), "--baud", str(BAUD))
    with emulated(tmp_path, *options):
        pass
    image = next((tmp_path / "data").glob("keypads/*/flash.bin"))
    image.write_bytes(b"\xff" * (2 * SEGMENTS * SEGMENT_BYTES))
    with emulated(tmp_path, *options) as keypad:
        (await connect(keypad)).close()
    use_up_table(image)
    with emulated(tmp_path, *options) as keypad, Bench(keypad["control"]) as bench:
        bench.ask(erase_ms=ERASE_MS)
        connection = await connect(keypad)
        try:
            write = SlotWrite(SLOTS, 0, PIN, None, None, str(UUID(int=SLOTS)), os.urandom(8))
            [result] = await operations.put(connection, [write])
            assert result.done
            while erases(bench) < AHEAD - SPARE:
                await operations.state(connection)
            bulk = Bulk(connection)
            writing = asyncio.create_task(bulk.write((AHEAD - SPARE) * RECORDS))
            while not writing.done():
                await asyncio.to_thread(enter, bench)
            await writing
            before = erases(bench)
            # Now each segment that is opened costs an erase: after a part of a round all of them wait.
            writing = asyncio.create_task(bulk.write(3 * RECORDS))
            written = -1
            while (generation := (await operations.state(connection)).generation) != written:
                written = generation
                await asyncio.to_thread(enter, bench)
            assert (erases(bench), writing.done()) == (before, False)
            await writing  # nobody types any more
            assert erases(bench) > before
        finally:
            connection.close()
