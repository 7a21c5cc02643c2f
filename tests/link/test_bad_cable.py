"""The firmware behind a bad cable: whatever is lost, spoilt, doubled or late, each change is one change in the end.

The seed is in the test's id. Another choice of faults: the request `faults` of the bench (emulator/faults.py).
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from doorpad import keyring
from doorpad.emulator.bench import BenchClient
from doorpad.emulator.faults import Faults, Spoiler
from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.errors import NoSession
from doorpad.link.operations import SlotWrite
from doorpad_link import messages

BAUD = 115_200
WAIT_S = 120.0


@dataclass(frozen=True)
class Keypad:
    serial: str
    link: str
    keys: Path
    bench: BenchClient

    async def connect(self) -> Connection:
        """A session, after as many attempts as it takes."""
        key = keyring.load(self.keys, self.serial)
        while True:
            with suppress(NoSession):
                connection, _ = await Connection.open(self.link, BAUD, key, self.serial)
                return connection

    async def spoil(self, faults: Faults) -> dict[str, int]:
        """Returns the harm done by the faults before."""
        harm: dict[str, int] = (await self.bench.request(faults=asdict(faults)))["harm"]
        return harm


@pytest.fixture(scope="module")
def keypad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keypad]:
    data = tmp_path_factory.mktemp("bad") / "data"
    options = ["--data", str(data), "--strike-ms", "100", "--baud", str(BAUD), "--json"]
    command = [sys.executable, "-m", "doorpad", "emulate", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        about: dict[str, Any] = json.loads(process.stdout.readline())["keypads"][0]
        yield Keypad(about["serial"], about["link"], data / "keys", BenchClient(Path(about["control"])))
        process.terminate()


class Hub:
    """Writes slots and reads the journal over whatever cable there is, as sync does: after a loss it asks again."""

    def __init__(self, keypad: Keypad, connection: Connection) -> None:
        self._keypad = keypad
        self._connection = connection
        self.losses = 0

    async def do(self, work: Any) -> Any:
        """`work(connection)`, in a new session if the one that there is does not live through it."""
        while True:
            try:
                return await work(self._connection)
            except NoSession:
                self.losses += 1
                self._connection.close()
                self._connection = await self._keypad.connect()

    def close(self) -> None:
        self._connection.close()


def _writes(first: int, count: int) -> list[SlotWrite]:
    return [
        SlotWrite(slot, 0, str(200_000 + slot), None, None, str(UUID(int=slot)), slot.to_bytes(8, "big"))
        for slot in range(first, first + count)
    ]


KNOWN = _writes(1, 1)[0]  # the code that opens while the cable is bad

# At a bit error rate of 1e-3 a frame of 14 slots never arrives; slots one by one do.
CASES = [
    pytest.param(Faults(seed=1, flip=1e-6), 14, id="bit errors 1e-6, seed 1"),
    pytest.param(Faults(seed=2, flip=1e-4), 4, id="bit errors 1e-4, seed 2"),
    pytest.param(Faults(seed=3, flip=1e-3), 1, id="bit errors 1e-3, seed 3"),
    pytest.param(Faults(seed=4, drop=3e-3, insert=3e-3, double=3e-3), 2, id="bytes lost, added, doubled, seed 4"),
    pytest.param(Faults(seed=5, lose_frame=0.25, repeat_frame=0.3), 4, id="frames lost and repeated, seed 5"),
    pytest.param(Faults(seed=6, pause=0.1), 4, id="pauses, seed 6"),
]  # fmt: skip


@pytest.mark.parametrize(("faults", "together"), CASES)
async def test_each_change_over_a_bad_cable_is_one_change(
    keypad: Keypad, faults: Faults, together: int
) -> None:
    """Method: write slots and press keys while the cable is bad, heal it, then compare what both sides hold.

    The keypad's generation counts its changes, its journal the openings: one more than was asked for shows.
    """
    hub = Hub(keypad, await keypad.connect())
    try:
        [known] = await hub.do(lambda connection: operations.put(connection, [KNOWN]))
        assert known.done
        before = await hub.do(operations.state)
        frames = 6
        writes = _writes(faults.seed * 100, frames * together)
        await keypad.spoil(faults)
        pressing = asyncio.create_task(keypad.bench.request(press=KNOWN.code + "#"))
        parts = [writes[start : start + together] for start in range(0, len(writes), together)]
        async with asyncio.timeout(WAIT_S):
            for part in parts:
                results = await hub.do(lambda connection, part=part: operations.put(connection, part))
                assert all(result.done for result in results)
            await hub.do(lambda connection: operations.events(connection, before.journal_head))
        await pressing
        harm = await keypad.spoil(Faults())
        async with asyncio.timeout(WAIT_S):
            after = await hub.do(operations.state)
            page = await hub.do(lambda connection: operations.events(connection, before.journal_head))
            held = [
                (slot.slot, slot.code, slot.op_id)
                for start in range(writes[0].slot, writes[-1].slot + 1, 10)
                for slot in (
                    await hub.do(lambda c, n=start: operations.changed_since(c, before.generation, n))
                ).slots
                if slot.slot < start + 10
            ]
    finally:
        hub.close()
    assert held == [(write.slot, write.code, write.op_id.hex()) for write in writes]
    assert after.generation - before.generation == len(writes), "a change was made twice"
    assert [entry.kind for entry in page.entries] == [messages.EV_GRANTED], "one entry for one opening"
    if faults.flip > 1e-5 or not faults.flip:  # a bit in a million is seldom one of these
        wanted = {name for name, chance in asdict(faults).items() if name != "seed" and chance}
        assert set(harm) == wanted, "the cable was not bad at all"


def test_spoiler_does_the_same_harm_however_the_bytes_are_cut() -> None:
    faults = Faults(seed=9, flip=1e-3, drop=0.01, insert=0.01, double=0.01, lose_frame=0.3, repeat_frame=0.3)
    data = b"".join(b"\0" + bytes(range(1, 80)) + b"\0" for _ in range(50))
    whole = Spoiler(faults, "to hub")
    bytewise = Spoiler(faults, "to hub")
    assert whole.spoil(data) == b"".join(bytewise.spoil(data[at : at + 1]) for at in range(len(data)))
    assert whole.harm == bytewise.harm
    assert set(whole.harm) == {"flip", "drop", "insert", "double", "lose_frame", "repeat_frame"}
    assert Spoiler(faults, "to keypad").spoil(data) != Spoiler(faults, "to hub").spoil(data)


@pytest.mark.parametrize("faults", [{"flip": 2}, {"drop": "often"}, {"jam": 0.1}])
async def test_faults_that_no_cable_has_are_refused(keypad: Keypad, faults: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"chance|unexpected"):
        await keypad.bench.request(faults=faults)
