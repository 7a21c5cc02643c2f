"""An emulated keypad with the real firmware on a cable that can be made bad, and a hub that asks again."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import taped
from doorpad.emulator.bench import BenchClient
from doorpad.emulator.faults import Faults
from doorpad.link import operations, rotation
from doorpad.link.connection import Connection
from doorpad.link.errors import LinkDown, NoSession
from doorpad.link.operations import SlotRecord
from doorpad.link.slot_writes import SlotWrite

BAUD = 115_200
# How a keypad may be wired: name -> options of `doorpad emulate` beside the speed.
LINES = {"uart": (), "console": ("--console",), "pair of wires": ("--half-duplex",)}


@dataclass(frozen=True)
class Keypad:
    serial: str
    link: str
    keys: Path
    bench: BenchClient
    baud: int = BAUD
    half_duplex: bool = False

    async def connect(self) -> Connection:
        """A session, after as many attempts as it takes."""
        while True:
            with suppress(NoSession):
                connection, _ = await rotation.open_session(
                    self.link, self.baud, self.keys, self.serial, half_duplex=self.half_duplex
                )
                return connection

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        """A session for as long as the block lasts, at the first attempt."""
        connection, _ = await rotation.open_session(
            self.link, self.baud, self.keys, self.serial, timeout_s=60, half_duplex=self.half_duplex
        )
        try:
            yield connection
        finally:
            connection.close()

    async def spoil(self, faults: Faults) -> dict[str, int]:
        """Returns the harm done by the faults before."""
        harm: dict[str, int] = (await self.bench.request(faults=asdict(faults)))["harm"]
        return harm

    async def cut_after(self, count: int, end: str) -> None:
        """Pull the plug after so many more bytes have arrived at this `end`: "keypad" or "hub"."""
        await self.bench.request(cut_after=count, to=end)

    async def carried(self) -> dict[str, int]:
        """How many bytes have arrived at each end."""
        to_keypad, to_hub = (await self.bench.request(about=True))["carried"]
        return {"keypad": to_keypad, "hub": to_hub}

    async def plug_in(self) -> None:
        await self.bench.request(cable="in")

    async def cut_power(self) -> None:
        await self.bench.request(power="off")
        await self.bench.request(power="on")


@contextmanager
def emulated(
    folder: Path, *options: str, baud: int | None = None, nonsense: Iterable[str] = ()
) -> Iterator[Keypad]:
    """One keypad for as long as the block lasts. `options`: further ones of `doorpad emulate`.

    Every frame on its line has to follow protocol/doorpad.cddl, but for requests of the rules in `nonsense`.

    With `baud` it is on a line of this speed, with all limits of one.
    """
    data = folder / "data"
    command = [sys.executable, *taped.ARGUMENTS, "emulate", "--data", str(data), "--json", *options]
    command += ["--strike-ms", "100", *(["--baud", str(baud)] if baud else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        about: dict[str, Any] = json.loads(process.stdout.readline())["keypads"][0]
        bench = BenchClient(Path(about["control"]))
        try:
            yield Keypad(
                about["serial"],
                about["link"],
                data / "keys",
                bench,
                baud or BAUD,
                "--half-duplex" in options,
            )
        finally:
            process.terminate()
    taped.check(data, nonsense)


@contextmanager
def on_each_line(folder: Path) -> Iterator[Callable[[str], Keypad]]:
    """`at(line)` gives one keypad a line of LINES, started when it is first asked for."""
    with ExitStack() as running:
        keypads: dict[str, Keypad] = {}

        def at(line: str) -> Keypad:
            if line not in keypads:
                place = folder / line.replace(" ", "-")
                keypads[line] = running.enter_context(emulated(place, *LINES[line], baud=BAUD))
            return keypads[line]

        yield at


class Hub:
    """Works over whatever cable there is, as sync does: after a loss it asks again, in a new session."""

    def __init__(self, keypad: Keypad, connection: Connection) -> None:
        self._keypad = keypad
        self.connection = connection
        self.losses = 0

    async def do(self, work: Any) -> Any:
        """`work(connection)`, in a new session if the one that there is does not live through it."""
        while True:
            try:
                return await work(self.connection)
            except LinkDown:
                self.losses += 1
                self.connection.close()
                self.connection = await self._keypad.connect()

    async def slots(self, first: int, last: int) -> list[SlotRecord]:
        """The used slots from number `first` to `last`, as the keypad holds them."""
        found: list[SlotRecord] = []
        following: int | None = first
        while following is not None and following <= last:
            page = await self.do(lambda connection, n=following: operations.changed_since(connection, 0, n))
            found += [slot for slot in page.slots if slot.slot <= last and slot.flags]
            following = page.following
        return found

    def close(self) -> None:
        self.connection.close()


def writes(first: int, count: int) -> list[SlotWrite]:
    """Codes for empty slots, each with an operation id of its own."""
    return [
        SlotWrite(slot, 0, str(200_000 + slot), None, None, str(UUID(int=slot)), slot.to_bytes(8, "big"))
        for slot in range(first, first + count)
    ]
