"""The keypad that is measured: an emulated one on a paced cable, or one at a serial port."""

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from doorpad import keyring
from doorpad.emulator.bench import BenchClient
from doorpad.emulator.cable import Line
from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.operations import Capabilities

BITS_PER_BYTE = 10
_ANY_BAUD = 115_200  # of a cable without a pace, which minds no speed


@dataclass(frozen=True)
class Target:
    """`bench`: the hands on an emulated keypad; nobody presses keys on a real one. `config`: for a bridge to it."""

    serial: str
    port: str
    keys: Path
    baud: int
    bench: BenchClient | None = None
    config: Path | None = None

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[Connection, Capabilities]]:
        """A session for as long as the block lasts. Raises LinkDown, KeyUnusable."""
        key = keyring.load(self.keys, self.serial)
        connection, opened = await Connection.open(self.port, self.baud, key, self.serial)
        try:
            yield connection, operations.capabilities(opened.capabilities)
        finally:
            connection.close()

    async def carried(self) -> tuple[int, int]:
        """Bytes that have arrived at an emulated keypad, and at its hub."""
        assert self.bench is not None
        to_keypad, to_hub = (await self.bench.request(about=True))["carried"]
        return to_keypad, to_hub


@contextmanager
def emulated(data: Path, line: Line, slots: int | None = None) -> Iterator[Target]:
    """A keypad in a process of its own for as long as the block lasts; what `data` holds of it is used again."""
    command = [
        sys.executable,
        "-m",
        "doorpad",
        "emulate",
        "--json",
        "--data",
        str(data),
        "--strike-ms",
        "100",
    ]
    command += ["--listen", "127.0.0.1:0"]
    if slots is not None:
        command += ["--slots", str(slots)]
    if line.baud is not None:
        command += ["--baud", str(line.baud)]
    if line.console:
        command += ["--console"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            about = json.loads(process.stdout.readline())
            [keypad] = about["keypads"]
            bench = BenchClient(Path(keypad["control"]))
            yield Target(
                keypad["serial"],
                keypad["link"],
                data / "keys",
                line.baud or _ANY_BAUD,
                bench,
                Path(about["config"]),
            )
        finally:
            process.terminate()


class Messages:
    """What a process prints, a JSON object a line. It is read as it comes: a full pipe would stop the process."""

    def __init__(self, stream: IO[str]) -> None:
        self._read: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._fill, args=(stream,), daemon=True).start()

    def _fill(self, stream: IO[str]) -> None:
        for line in stream:
            self._read.put(json.loads(line))
        self._read.put(None)

    def next(self, times: int = 1, **wanted: object) -> dict[str, Any] | None:
        """Wait until it has said something so many times; return the last of these, None if it ended before."""
        while (message := self._read.get()) is not None:
            times -= wanted.items() <= message.items()
            if not times:
                return message
        return None


@contextmanager
def bridge(target: Target) -> Iterator[Messages]:
    """A bridge to an emulated keypad in a process of its own; gives what it says."""
    command = [sys.executable, "-m", "doorpad", "run", "--json", "--config", str(target.config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Messages(process.stdout)
        finally:
            process.terminate()


@dataclass
class Meter:
    """Time and bytes of what happens on a connection inside of the `with`."""

    connection: Connection
    baud: int
    seconds: float = 0.0
    to_keypad: int = 0
    to_hub: int = 0

    def __enter__(self) -> "Meter":
        self._before = self.connection.statistics
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.seconds = time.perf_counter() - self._began
        after = self.connection.statistics
        self.to_keypad = after.bytes_out - self._before.bytes_out
        self.to_hub = after.bytes_in - self._before.bytes_in

    def bulk(self, slots: int) -> dict[str, float]:
        return bulk(slots, self.seconds, self.to_keypad, self.to_hub, self.baud)


def bulk(slots: int, seconds: float, to_keypad: int, to_hub: int, baud: int) -> dict[str, float]:
    """What writing so many slots took; `share_of_line`: of what the line could have carried to the keypad."""
    return {
        "seconds": round(seconds, 2),
        "bytes_a_slot_to_keypad": round(to_keypad / slots, 1),
        "bytes_a_slot_to_hub": round(to_hub / slots, 1),
        "share_of_line": round(to_keypad * BITS_PER_BYTE / baud / seconds, 3),
    }
