"""The link on a paced cable: a sync of many slots beside SMP and JSON lines, one change, no change, and an event.

    python benchmarks/link.py [--slots 1000] [--presses 100] [--baud 115200]

Prints one JSON object. The keypad is the real firmware under MicroPython on this machine, its cable is paced to the
baud rate both ways; the hub is the bridge's own link client. The peers send the same fields over the same paced
cable to a responder in CPython that writes to no flash and seals nothing, which favours them: see link_peers.py.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import link_peers
from doorpad import keyring
from doorpad.emulator.bench import BenchClient
from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.operations import SlotWrite
from doorpad_link import messages

_BITS_PER_BYTE = 10
_FROM_S = 1_760_000_000
_AT_ONCE = 16  # frames of slots that the bridge sends together: bridge/doorpad/sync/converging.py
_PIN = "8642"
_MAX_SLOTS = 4096


@dataclass
class Keypad:
    serial: str
    link: str
    keys: Path
    bench: BenchClient
    baud: int

    async def carried(self) -> tuple[int, int]:
        """Bytes to the keypad and to the hub since the start."""
        to_keypad, to_hub = (await self.bench.request(about=True))["carried"]
        return to_keypad, to_hub

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        key = keyring.load(self.keys, self.serial)
        connection, _ = await Connection.open(self.link, self.baud, key, self.serial)
        try:
            yield connection
        finally:
            connection.close()


@contextmanager
def emulated(data: Path, baud: int) -> Iterator[Keypad]:
    options = ["--data", str(data), "--baud", str(baud), "--strike-ms", "100", "--json"]
    command = [sys.executable, "-m", "doorpad", "emulate", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        about = json.loads(process.stdout.readline())["keypads"][0]
        try:
            yield Keypad(
                about["serial"], about["link"], data / "keys", BenchClient(Path(about["control"])), baud
            )
        finally:
            process.terminate()


class Meter:
    """Time and bytes of what happens inside of the `async with`."""

    def __init__(self, keypad: Keypad) -> None:
        self._keypad = keypad

    async def __aenter__(self) -> "Meter":
        self._before = await self._keypad.carried()
        self._began = time.perf_counter()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._began
        after = await self._keypad.carried()
        self.to_keypad, self.to_hub = (late - early for early, late in zip(self._before, after, strict=True))

    def told(self, slots: int) -> dict[str, float]:
        return _told(slots, self.seconds, self.to_keypad, self.to_hub, self._keypad.baud)


def _told(slots: int, seconds: float, to_keypad: int, to_hub: int, baud: int) -> dict[str, float]:
    return {
        "seconds": round(seconds, 2),
        "bytes_to_keypad": to_keypad,
        "bytes_to_hub": to_hub,
        "bytes_a_slot": round((to_keypad + to_hub) / slots, 1),
        "share_of_line": round(to_keypad * _BITS_PER_BYTE / baud / seconds, 3),
    }


def writes(first: int, count: int) -> list[SlotWrite]:
    return [
        SlotWrite(
            slot,
            0,
            str(100_000 + slot),
            _FROM_S,
            _FROM_S + 86_400 * slot,
            str(UUID(int=slot << 64 | slot)),
            os.urandom(8),
        )
        for slot in range(first, first + count)
    ]


def fields(write: SlotWrite) -> dict[str, Any]:
    """What the peers send of a slot: the same."""
    return {
        "if_version": write.if_version,
        "slot": write.slot,
        "code": write.code,
        "valid_from": write.from_s,
        "until": write.until_s,
        "flags": write.flags,
        "op_id": write.op_id,
        "access_code_id": UUID(write.access_code_id).bytes,
    }


async def put_as_sync_does(connection: Connection, slots: list[SlotWrite]) -> None:
    """A few frames at once; the next ones when all of these are answered, for then their outcome is committed."""
    size = operations.PUTS_MAX * _AT_ONCE
    for start in range(0, len(slots), size):
        results = await operations.put(connection, slots[start : start + size])
        assert all(result.status == messages.OK for result in results)


async def put_without_a_pause(connection: Connection, slots: list[SlotWrite]) -> None:
    """All frames at once: the link's own window decides when each one goes."""
    assert all(result.status == messages.OK for result in await operations.put(connection, slots))


async def bulk(folder: Path, baud: int, slots: list[SlotWrite], put: Any) -> dict[str, float]:
    """A new keypad takes all slots."""
    with emulated(folder, baud) as keypad:
        async with keypad.connected() as connection, Meter(keypad) as meter:
            await put(connection, slots)
        return meter.told(len(slots))


def bulk_of_peer(name: str, folder: Path, baud: int, slots: list[SlotWrite]) -> dict[str, float]:
    port = folder / f"{name}-link"
    command = [sys.executable, link_peers.__file__, name, str(port), str(baud)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        process.stdout.readline()
        began = time.perf_counter()
        sent, received = link_peers.put_all(
            link_peers.PEERS[name](), str(port), [fields(write) for write in slots]
        )
        seconds = time.perf_counter() - began
        process.stdin.close()
    return _told(len(slots), seconds, sent, received, baud)


async def small_changes(keypad: Keypad, connection: Connection) -> dict[str, Any]:
    """What it takes to see that nothing changed, and to learn or make one change, in an all but full table."""
    await operations.set_time(connection, time.time_ns() // 1_000_000)
    trips_ms = []
    for _ in range(50):
        began = time.perf_counter()
        state = await operations.state(connection)
        trips_ms.append((time.perf_counter() - began) * 1000)
    async with Meter(keypad) as nothing:
        state = await operations.state(connection)
    connection.hinted.clear()
    async with Meter(keypad) as at_keypad:
        await keypad.bench.request(program=_PIN)
        await connection.hinted.wait()
        generation = (await operations.state(connection)).generation
        page = await operations.changed_since(connection, state.generation, 1)
    assert [slot.code for slot in page.slots] == [_PIN] and page.generation == generation
    async with Meter(keypad) as at_hub:
        [result] = await operations.put(connection, writes(_MAX_SLOTS, 1))
    assert result.status == messages.OK
    return {
        "slots_in_table": state.used,
        "nothing_changed": {
            "round_trips": 1,
            "bytes_to_keypad": nothing.to_keypad,
            "bytes_to_hub": nothing.to_hub,
            "median_ms": round(statistics.median(trips_ms), 2),
        },
        "one_slot_changed_at_keypad": {
            "what": "hint, STATE, SINCE",
            "bytes": at_keypad.to_keypad + at_keypad.to_hub,
        },
        "one_slot_changed_at_hub": {"what": "PUT", "bytes": at_hub.to_keypad + at_hub.to_hub},
    }


async def event_latency(keypad: Keypad, connection: Connection, presses: int) -> dict[str, float]:
    """From the moment at which the last key's contact is at rest to the entry in the hub's hands."""
    taken_ms = []
    head = (await operations.state(connection)).journal_head
    for _ in range(presses):
        pressing = asyncio.create_task(keypad.bench.request(press=_PIN + "#"))
        entries: list[Any] = []
        while not entries:  # a hint may also be for what we wrote ourselves
            await connection.hinted.wait()
            connection.hinted.clear()
            entries = (await operations.events(connection, head)).entries
        [entry] = entries
        arrived_ms = time.monotonic_ns() / 1e6  # the clock that the keypad's ticks come from, on this machine
        assert entry.kind == messages.EV_GRANTED
        head = entry.sequence
        taken_ms.append(arrived_ms - (await pressing)["pressed_ms"])
        assert 0 < taken_ms[-1] < 10_000
    ordered = sorted(taken_ms)
    return {
        "presses": presses,
        "p50_ms": round(statistics.median(ordered), 1),
        "p99_ms": round(ordered[min(presses - 1, int(presses * 0.99))], 1),
    }


async def measure(folder: Path, slots: int, presses: int, baud: int) -> dict[str, Any]:
    table = writes(1, slots)
    link = await bulk(folder / "sync", baud, table, put_as_sync_does)
    unpaused = await bulk(folder / "unpaused", baud, table, put_without_a_pause)
    peers = {
        link_peers.PEERS[name].label: await asyncio.to_thread(bulk_of_peer, name, folder, baud, table)
        for name in ("smp", "json")
    }
    with emulated(folder / "full", baud) as keypad:
        async with keypad.connected() as connection:
            await put_without_a_pause(connection, writes(1, _MAX_SLOTS - 2))
            changes = await small_changes(keypad, connection)
            events = await event_latency(keypad, connection, presses)
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "baud": baud,
        "slots": slots,
        "sync": link,
        "sync_without_a_pause": unpaused,
        **{f"sync_over_{label.lower().replace(' ', '_')}": told for label, told in peers.items()},
        "sync_is_times_faster_than": {
            label: round(told["seconds"] / link["seconds"], 2) for label, told in peers.items()
        },
        "sync_without_a_pause_is_times_faster_than": {
            label: round(told["seconds"] / unpaused["seconds"], 2) for label, told in peers.items()
        },
        "peers_are": "CPython responders that write to no flash and seal nothing: this favours them",
        **changes,
        "key_press_to_hub": events,
    }


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--slots", type=int, default=1000)
    arguments.add_argument("--presses", type=int, default=100)
    arguments.add_argument("--baud", type=int, default=115_200)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = asyncio.run(measure(Path(folder), chosen.slots, chosen.presses, chosen.baud))
    print(json.dumps(told, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
