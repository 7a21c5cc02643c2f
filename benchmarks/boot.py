"""How long a keypad takes from power to an open door, with the emulated keypad's heap: one JSON object.

python benchmarks/boot.py [--codes 4096]

Power is given, and the keys of a code are pressed at once, again and again until the strike is energised: what is
measured is the start of interpreter and program, the reading of the table, and five key presses. Beside it
the same five presses while the keypad runs, in the same run.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from doorpad import keyring
from doorpad.emulator import fleet, runtime
from doorpad.emulator.keypad import BenchError
from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.slot_writes import SlotWrite, op_ids

CODE = "7351"
STARTS = 5
_AT_ONCE = 256  # writes


async def _fill(data: Path, keypad: Any, codes: int) -> None:
    serial = keypad.keypad.keypad.serial
    key = keyring.load(data / "keys", serial)
    connection, _ = await Connection.open(str(keypad.keypad.cable.name), 115_200, key, serial)
    writes = [
        SlotWrite(
            slot,
            0,
            CODE if slot == codes else f"{slot:06d}",
            None,
            None,
            str(UUID(int=slot)),
            op_id,
        )
        for slot, op_id in enumerate(op_ids(codes), start=1)
    ]
    for start in range(0, codes, _AT_ONCE):
        results = await operations.put(connection, writes[start : start + _AT_ONCE])
        assert all(result.done for result in results)
    connection.close()


async def _opened_s(keypad: Any, energised: asyncio.Event) -> float:
    """Seconds until the strike is energised for the code, however often its keys have to be pressed."""
    began = time.monotonic()
    energised.clear()
    while not energised.is_set():
        try:
            await keypad.keypad.bench(press=CODE + "#")
        except BenchError:  # it has no power yet
            began = time.monotonic()
            await asyncio.sleep(0.001)
    return time.monotonic() - began


async def measure(codes: int) -> dict[str, Any]:
    energised = asyncio.Event()

    def on_output(_: object, message: dict[str, Any]) -> None:
        if message.get("output") == "strike" and message["level"]:
            energised.set()

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        running = fleet.running(data, 1, slots=None, strike_ms=100, on_output=on_output)
        async with running as [keypad]:
            await _fill(data, keypad, codes)
            presses, starts = [], []
            for _ in range(STARTS):
                presses.append(await _opened_s(keypad, energised))
                await keypad.keypad.power(False)
                await keypad.keypad.power(True)  # counts from when the process is there
                starts.append(await _opened_s(keypad, energised))
    return {
        "codes": codes,
        "heap": runtime.HEAP,
        "five_presses_s": round(statistics.median(presses), 2),
        "power_to_open_s": round(statistics.median(starts), 2),
        "power_to_open_most_s": round(max(starts), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codes", type=int, default=operations.SLOT_MAX)
    print(json.dumps(asyncio.run(measure(parser.parse_args().codes))))


if __name__ == "__main__":
    main()
