"""Both lines of a keypad, with their real limits, and flash that stands still as an ESP32's does: no byte is lost.

The flash is small, so that a few hundred changes take it round. The lines are those of `doorpad emulate` with a
speed: receive buffers that run over, a program that is woken late, writes that stand still.
"""

import asyncio
import os
from pathlib import Path
from uuid import UUID

import pytest
from bad_line import emulated
from doorpad.emulator.terminal import set_baud
from doorpad.link import operations
from doorpad.link.slot_writes import SlotWrite
from doorpad_link import messages

SLOTS = 60
ROUNDS = 8
FLASH_BYTES = 8 * 4096  # the half of it is the table: 252 records, and 480 are written
ERASE_MS = (45, 80)
TRIES = 3


def rewrites(versions: dict[int, int], turn: int) -> list[SlotWrite]:
    return [
        SlotWrite(slot, version, f"{turn}{slot:04}", None, None, str(UUID(int=slot)), os.urandom(8))
        for slot, version in versions.items()
    ]


LINES = [
    pytest.param(115_200, (), id="uart at 115,200 baud"),
    pytest.param(921_600, (), id="uart at 921,600 baud"),
    pytest.param(115_200, ("--console",), id="console"),
]


@pytest.mark.parametrize(("baud", "options"), LINES)
async def test_changes_while_flash_stands_still_lose_no_byte_and_all_arrive(tmp_path, baud, options):
    # The credit is reckoned for a keypad that stands still for 400 ms. A busy machine lets it stand for longer, now
    # and then; a sender that minds no credit overruns each time, as the next test shows.
    for _ in range(TRIES):
        if await overrun_bytes(tmp_path, baud, options) == 0:
            return
    pytest.fail(f"bytes were lost in each of {TRIES} tries")


async def overrun_bytes(tmp_path: Path, baud: int, options: tuple[str, ...]) -> int:
    """Change all slots again and again; return how many bytes the receive buffer had no room for."""
    with emulated(tmp_path, "--slots", str(SLOTS), *options, baud=baud):
        pass
    image = next((tmp_path / "data").glob("keypads/*/flash.bin"))
    image.write_bytes(b"\xff" * FLASH_BYTES)
    with emulated(tmp_path, "--slots", str(SLOTS), *options, baud=baud) as keypad:
        await keypad.bench.request(erase_ms=ERASE_MS)
        async with keypad.connected() as connection:
            versions = dict.fromkeys(range(1, SLOTS + 1), 0)
            for turn in range(ROUNDS):
                results = await operations.put(connection, rewrites(versions, turn))
                assert {result.status for result in results} == {messages.OK}
                versions = {result.slot: result.version for result in results}
            page = await operations.changed_since(connection, 0, 1)
            counted = await operations.statistics(connection)
        erases = (await keypad.bench.request(flash=True))["erases"]
        about = await keypad.bench.request(about=True)
    assert erases >= 4, "nothing stood still"
    assert {slot.slot: slot.version for slot in page.slots}.items() <= versions.items()
    overrun: int = about["overrun"]
    if overrun == 0:
        assert counted.overruns == 0
    return overrun


def write_all(port: int, data: bytes) -> None:
    while data:
        data = data[os.write(port, data) :]


@pytest.mark.parametrize(("baud", "options"), [LINES[0], LINES[2]])
async def test_sender_that_minds_no_credit_is_what_overruns_a_buffer_and_it_is_counted(
    tmp_path, baud, options
):
    """The other half of the proof: the emulated buffers do run over."""
    with emulated(tmp_path, "--slots", str(SLOTS), *options, baud=baud) as keypad:
        port = os.open(keypad.link, os.O_RDWR | os.O_NOCTTY)
        set_baud(port, 115_200)  # at another speed the keypad would read other bytes, and fewer
        # Twice as much as any buffer holds, and the line takes 0.7 s for it.
        await asyncio.gather(
            keypad.bench.request(stall_ms=1500), asyncio.to_thread(write_all, port, b"\x01\x00" * 4096)
        )
        os.close(port)
        async with keypad.connected() as connection:
            counted = await operations.statistics(connection)
        about = await keypad.bench.request(about=True)
    assert about["overrun"] > 0
    assert counted.overruns > 0


async def test_console_is_interrupted_by_no_byte_and_speaks_beside_what_is_printed(tmp_path, ear):
    ear.nonsense.add("time-request")
    options = ("--slots", str(SLOTS), "--console")
    with emulated(tmp_path, *options, baud=115_200, nonsense=ear.nonsense) as keypad:
        pid = (await keypad.bench.request(about=True))["pid"]
        port = os.open(keypad.link, os.O_RDWR | os.O_NOCTTY)
        os.write(port, b"\r\x03\x03 print()\r\x04" * 8)
        os.close(port)
        async with keypad.connected() as connection:
            await operations.state(connection)
            # A body of another form: its traceback is printed on the very line that carries the answer.
            assert await connection.request(messages.OP_TIME, "no time") == (messages.INVALID, None)
            await operations.state(connection)
            assert connection.statistics.noise > 0, "nothing was printed"
        assert (await keypad.bench.request(about=True))["pid"] == pid
