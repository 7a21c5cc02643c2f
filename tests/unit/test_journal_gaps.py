"""What a hub makes of a journal that has holes: each is noted once, with the cursor, and tells for a day."""

from pathlib import Path
from typing import Any

import pytest
from doorpad.link.operations import JournalPage, JournalRecord, KeypadState
from doorpad.store.database import Database
from doorpad.store.schema import Device, Event
from doorpad.sync import degraded, journal
from doorpad.sync.timing import Timing
from doorpad_link import messages
from sqlalchemy import select

NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000
EPOCH, OTHER_EPOCH = "aa" * 4, "bb" * 4
STATE = KeypadState("b" * 16, "t" * 8, 1, 1, EPOCH, 1, 9, None, 5, 100_000, 0, bytes(8))
WARNING = "device_communication_degraded"


def granted(sequence: int) -> JournalRecord:
    return JournalRecord(sequence, NOW_MS // 1000, 0, messages.EV_GRANTED, 0, 0, 0, None, 5, 1000, 0)


def page(*sequences: int, first: int = 1, head: int = 0, epoch: str = EPOCH) -> JournalPage:
    return JournalPage(epoch, first, head or sequences[-1], [granted(it) for it in sequences])


class Hub:
    """A database with one keypad, and the reading of its journal page by page."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def read(self, *pages: JournalPage, now_ms: int = NOW_MS) -> None:
        for it in pages:
            async with self.database.write() as session:
                device = await session.get_one(Device, "door")
                await journal.apply_page(session, device, it, STATE, now_ms, Timing(), {})

    async def device(self) -> Device:
        async with self.database.read() as session:
            return await session.get_one(Device, "door")

    async def gaps(self) -> list[tuple[str, int, int | None]]:
        """(epoch, first missing, count) as the row remembers them; the events must say the same."""
        shown = [
            (it["journal_epoch"], it["first_missing"], it["count"])
            for it in (await self.device()).journal_gaps
        ]
        told = [
            (it["journal_epoch"], it["first_missing"], it["count"])
            for it in await self._payloads("doorpad.journal_gap")
        ]
        assert told[-20:] == shown
        return told

    async def unlocks(self) -> int:
        return len(await self._payloads("lock.unlocked"))

    async def _payloads(self, event_type: str) -> list[dict[str, Any]]:
        async with self.database.read() as session:
            rows = await session.scalars(
                select(Event.payload).where(Event.event_type == event_type).order_by(Event.seq)
            )
            return list(rows)


@pytest.fixture
async def hub(tmp_path: Path) -> Any:
    database = await Database.open(tmp_path)
    async with database.write() as session:
        session.add(
            Device(
                device_id="door",
                serial="00112233445566aa",
                name="Door",
                simulated=True,
                created_at_ms=1,
                link_changed_at_ms=1,
                table_epoch="cc" * 4,
            )
        )
    yield Hub(database)
    await database.close()


async def test_journal_that_is_read_in_time_has_no_gap(hub: Hub) -> None:
    await hub.read(page(1, 2, 3), page(4, 5))
    assert (await hub.gaps(), await hub.unlocks()) == ([], 5)
    assert (await hub.device()).conditions == {}


async def test_what_was_overwritten_is_noted_once_with_the_first_missing_and_the_count(hub: Hub) -> None:
    await hub.read(page(1, 2), page(7, 8, first=7), page(7, 8, first=7), page(9, first=7))
    assert await hub.gaps() == [(EPOCH, 3, 4)]
    assert (await hub.unlocks(), (await hub.device()).journal_cursor) == (5, 9)


async def test_journal_that_had_overflowed_before_it_was_first_read_has_a_gap_from_its_beginning(
    hub: Hub,
) -> None:
    await hub.read(page(10_501, first=10_501))
    assert await hub.gaps() == [(EPOCH, 1, 10_500)]


async def test_damaged_entries_are_noted_wherever_they_lie(hub: Hub) -> None:
    await hub.read(page(2, 3, 5, head=9), page(6, head=9), page(head=9))
    assert await hub.gaps() == [(EPOCH, 1, 1), (EPOCH, 4, 1), (EPOCH, 7, 3)]
    await hub.read(page(10))
    assert (len(await hub.gaps()), await hub.unlocks()) == (3, 5)


async def test_journal_that_began_anew_leaves_a_gap_of_unknown_length(hub: Hub) -> None:
    await hub.read(page(1, 2), page(1, 2, 3, epoch=OTHER_EPOCH))
    assert await hub.gaps() == [(EPOCH, 3, None)]
    assert (await hub.unlocks(), (await hub.device()).journal_cursor) == (5, 3)


async def test_numbers_that_come_again_are_other_events(hub: Hub) -> None:
    await hub.read(page(1, 2, 3, 4), page(head=2), page(3, 4))
    assert await hub.gaps() == [(EPOCH, 3, None)]
    assert await hub.unlocks() == 6
    await hub.read(page(head=2), page(3))
    assert await hub.gaps() == [(EPOCH, 3, None)] * 2
    assert await hub.unlocks() == 7


async def test_gap_and_cursor_are_of_one_commit(hub: Hub) -> None:
    await hub.read(page(1))

    async def fail() -> None:
        async with hub.database.write() as session:
            device = await session.get_one(Device, "door")
            await journal.apply_page(session, device, page(5, first=5), STATE, NOW_MS, Timing(), {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert (await hub.gaps(), (await hub.device()).journal_cursor) == ([], 1)
    await hub.read(page(5, first=5))
    assert (await hub.gaps(), (await hub.device()).journal_cursor) == ([(EPOCH, 2, 3)], 5)


async def test_row_remembers_the_newest_gaps_and_the_log_all_of_them(hub: Hub) -> None:
    await hub.read(*(page(2 * n) for n in range(1, 31)))
    assert await hub.gaps() == [(EPOCH, 2 * n - 1, 1) for n in range(1, 31)]
    assert len((await hub.device()).journal_gaps) == 20


async def test_gap_warns_for_a_day(hub: Hub) -> None:
    await hub.read(page(1), page(5))
    warning = (await hub.device()).conditions[WARNING]
    assert warning["is_warning"] and "entries 2 to 4" in warning["message"]
    for now_ms, stands in [(NOW_MS + DAY_MS - 1, True), (NOW_MS + DAY_MS, False)]:
        async with hub.database.write() as session:
            device = await session.get_one(Device, "door")
            edge_s = await degraded.judge(session, device, now_ms, Timing())
        assert edge_s == ((NOW_MS + DAY_MS) / 1000 if stands else float("inf"))
        assert (WARNING in (await hub.device()).conditions) == stands
