"""What a keypad has left of its heap while nothing happens: full, its link up, and everything done once."""

import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from doorpad import keyring
from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.operations import SLOT_MAX
from doorpad.link.slot_writes import SlotWrite, op_ids
from hil_world import WAIT_S, Bench, emulated

# firmware/README.md, "Heap", says why.
FREE_AFTER_START, PIECE_AFTER_START = 20_000, 15_500
FREE_BYTES_MIN, PIECE_BYTES_MIN = 17_500, 12_000
AT_ONCE = 256  # writes
CODE, LOCAL, WRONG = "004096", "736450", "999999"


async def connect(keypad: dict[str, Any]) -> Connection:
    key = keyring.load(Path(keypad["keys"]), keypad["serial"])
    connection, _ = await Connection.open(keypad["link"], 115_200, key, keypad["serial"])
    return connection


async def fill(connection: Connection) -> None:
    """Give the keypad a code in each of its slots but one."""
    for first in range(2, SLOT_MAX + 1, AT_ONCE):
        slots = range(first, min(first + AT_ONCE, SLOT_MAX + 1))
        writes = [
            SlotWrite(slot, 0, f"{slot:06d}", None, None, str(UUID(int=slot)), op_id)
            for slot, op_id in zip(slots, op_ids(len(slots)), strict=True)
        ]
        assert all(result.done for result in await operations.put(connection, writes))


async def ask_everything(connection: Connection) -> None:
    """What a hub asks of a keypad, each with the longest answer that it can have."""
    await operations.state(connection)
    await operations.set_time(connection, 1_800_000_000_000)
    await operations.adjust_clock(connection, 1, 20, 0, 0)
    await operations.changed_since(connection, 0, 1)
    await operations.page_digests(connection, 64)
    await operations.events(connection, 0)
    await operations.hosts(connection)
    await operations.crashes(connection)
    await operations.statistics(connection)


def await_room(bench: Bench, free_min: int, piece_min: int) -> None:
    """Look until so many bytes are free, so many of them in one piece; fails if they never are.

    What an entry leaves to do, a light that has to go out, holds some heap for a second, and nothing tells its end.
    """
    looks = set()
    ends = time.monotonic() + WAIT_S
    while time.monotonic() < ends:
        looks.add((bench.ask(heap=True)["free"], bench.ask(room=True)["room"]))
        if any(free >= free_min and piece >= piece_min for free, piece in looks):
            return
    pytest.fail(f"free, and the largest piece: never more than {sorted(looks)[-3:]}")


async def test_full_keypad_with_its_link_up_has_room_left_on_its_heap(tmp_path: Path) -> None:
    """Goal: what is loaded or made at rest takes nothing of the room that is left for what is done seldom."""
    with emulated(tmp_path) as keypad, Bench(keypad["control"]) as bench:
        connection = await connect(keypad)
        await fill(connection)
        connection.close()
        bench.ask(power="off")
        bench.ask(power="on")
        connection = await connect(keypad)
        await_room(bench, FREE_AFTER_START, PIECE_AFTER_START)
        await ask_everything(connection)
        bench.ask(program=LOCAL)
        assert bench.opens(CODE) and bench.opens(LOCAL) and not bench.opens(WRONG)
        await_room(bench, FREE_BYTES_MIN, PIECE_BYTES_MIN)
        connection.close()
