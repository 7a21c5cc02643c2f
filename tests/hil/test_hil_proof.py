"""Another hand at a code of ours is believed by the journal or by two reads that agree, and not by one odd read."""

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from doorpad import keyring
from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.slot_writes import SlotWrite
from doorpad.store.database import Database
from doorpad.store.identity import device_id_for
from doorpad.store.schema import AccessCode, Device, Event
from doorpad.sync.reading import Reader
from doorpad.sync.timing import Timing
from doorpad_link import messages
from hil_world import Bench, Message, emulated
from sqlalchemy import select

NOW_MS = 1_800_000_000_000
CODE_ID = "00000000-0000-4000-8000-000000000001"
SLOT = 1
REMOVED, MODIFIED = "access_code.deleted_external_to_seam", "access_code.modified_external_to_seam"
ANOTHER_HUB = 2

Fields = dict[int, object]  # of a slot's record, by their place in it
CLEARED: Fields = {2: 0, 3: None, 6: None, 7: None, 8: messages.MAKER_KEYPAD}


def by_another_hub(pin: bytes) -> Fields:
    return {3: pin, 6: bytes(8), 8: ANOTHER_HUB}


@pytest.fixture(scope="module")
def keypad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Message]:
    with emulated(tmp_path_factory.mktemp("proof")) as keypad:
        yield keypad


class OddMemory(Connection):
    """A session with a keypad whose memory gives the first slot another content in some answers."""

    odd: list[Fields]  # what the slot has in the next answers
    reads = 0  # of slots

    async def request(self, op: int, body: object) -> tuple[int, object]:
        status, answer = await super().request(op, body)
        if op == messages.OP_SINCE:
            self.reads += 1
            assert isinstance(answer, list)
            for record in answer[3]:
                if record[0] == SLOT and self.odd:
                    for place, value in self.odd.pop(0).items():
                        record[place] = value
        return status, answer


@dataclass
class Hub:
    """A hub's side of one keypad, which has a code of it in its first slot."""

    database: Database
    reader: Reader
    connection: OddMemory
    version: int = 0

    async def write(self, pin: str) -> None:
        """Give the code this PIN, here and on the keypad."""
        async with self.database.write() as session:
            code = await session.get_one(AccessCode, CODE_ID)
            code.code, code.slot, code.announced = pin, SLOT, None
        change = SlotWrite(SLOT, self.version, pin, None, None, CODE_ID, secrets.token_bytes(8))
        (result,) = await operations.put(self.connection, [change])
        assert result.done
        self.version = result.version

    async def read(self, *, journal: bool) -> int:
        """Read what has changed, with the journal or as if it was lost; return how many reads of slots it took."""
        self.connection.reads = 0
        state = await operations.state(self.connection)
        if journal:
            assert await self.reader.changes(self.connection, state)
        else:
            assert await self.reader.table(self.connection, state)
        return self.connection.reads

    async def told(self) -> list[str]:
        async with self.database.read() as session:
            events = await session.scalars(
                select(Event.event_type).where(Event.access_code_id == CODE_ID).order_by(Event.seq)
            )
            return [it for it in events.all() if it in (REMOVED, MODIFIED)]


@pytest.fixture
async def hub(keypad: Message, tmp_path: Path) -> AsyncIterator[Hub]:
    serial = keypad["serial"]
    key = keyring.load(Path(keypad["keys"]), serial)
    opened, told = await OddMemory.open(keypad["link"], 115_200, key, serial)
    assert isinstance(opened, OddMemory)
    opened.odd = []
    maker = operations.capabilities(told.capabilities).maker
    database = await Database.open(tmp_path / "data")
    device_id = device_id_for(serial)
    async with database.write() as session:
        session.add(
            Device(
                device_id=device_id,
                serial=serial,
                name="Keypad",
                simulated=True,
                created_at_ms=NOW_MS,
                link_changed_at_ms=NOW_MS,
                maker=maker,
            )
        )
        await session.flush()
        session.add(
            AccessCode(access_code_id=CODE_ID, device_id=device_id, managed=True, created_at_ms=NOW_MS)
        )
    hub = Hub(database, Reader(database, device_id, maker, lambda: NOW_MS, Timing()), opened)
    page = await operations.changed_since(opened, 0, SLOT)
    hub.version = next((it.version for it in page.slots if it.slot == SLOT and it.op_id is not None), 0)
    await hub.write("482913")
    await hub.read(journal=True)
    yield hub
    opened.close()
    await database.close()


@pytest.mark.parametrize(
    "odd", [by_another_hub(b"999999"), CLEARED], ids=["another hub's PIN", "cleared at the keypad"]
)
async def test_one_odd_read_tells_of_nobody(hub: Hub, odd: Fields) -> None:
    await hub.write("591024")
    hub.connection.odd = [odd]
    assert await hub.read(journal=True) == 3, "the odd one, and two that agree"
    assert await hub.told() == []
    async with hub.database.read() as session:
        code = await session.get_one(AccessCode, CODE_ID)
        assert (code.code, code.slot, code.announced, code.taken_off) == ("591024", SLOT, "set", False)


async def test_two_reads_that_agree_tell_of_another_hub(hub: Hub) -> None:
    await hub.write("591024")
    hub.connection.odd = [by_another_hub(b"999999")] * 2
    assert await hub.read(journal=True) == 2
    assert await hub.told() == [MODIFIED]


async def test_code_cleared_at_the_keypad_is_told_by_two_reads_where_the_journal_has_lost_it(
    hub: Hub, keypad: Message
) -> None:
    with Bench(keypad["control"]) as bench:
        bench.ask(unprogram="482913")
    assert await hub.read(journal=False) == 2
    assert await hub.told() == [REMOVED]


async def test_code_cleared_at_the_keypad_is_told_by_the_journal_and_one_read(
    hub: Hub, keypad: Message
) -> None:
    with Bench(keypad["control"]) as bench:
        bench.ask(unprogram="482913")
    assert await hub.read(journal=True) == 1
    assert await hub.told() == [REMOVED]


async def test_slot_that_reads_differently_each_time_is_told_of_as_a_fault_of_the_keypad(hub: Hub) -> None:
    await hub.write("591024")
    hub.connection.odd = [by_another_hub(b"%06d" % number) for number in range(20)]
    with pytest.raises(operations.ProtocolViolation, match=r"slot 1 .* reads differently each time"):
        await hub.read(journal=True)
    assert await hub.told() == []
