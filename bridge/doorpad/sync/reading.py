"""Reading what changed at a keypad, journal and table, into the database."""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass

from doorpad_link import messages
from doorpad_link.digest import PAGE_SLOTS, Digest
from sqlalchemy import select

from doorpad.link import operations, settings
from doorpad.link.connection import Connection
from doorpad.link.operations import JournalPage, KeypadState, SlotRecord
from doorpad.store.database import Database
from doorpad.store.schema import Device, Slot
from doorpad.sync import journal
from doorpad.sync.effects import Learned, apply_record, forget_table
from doorpad.sync.proof import lost, proven
from doorpad.sync.timing import Timing

# Somebody at the keypad itself wrote a slot, or cleared it.
_AT_A_SLOT = (messages.EV_SLOT_SET, messages.EV_SLOT_CLEARED)
_NAMES_MAY_CHANGE = (messages.EV_SETTINGS_CHANGED, messages.EV_FACTORY_RESET)


@dataclass(frozen=True)
class Reader:
    """Reads one keypad. `maker`: the number that the keypad gives to this hub."""

    database: Database
    device_id: str
    maker: int
    now_ms: Callable[[], int]
    timing: Timing

    def _learned(self, happened_ms: Mapping[tuple[int, int], int] | None = None) -> Learned:
        return Learned(self.now_ms(), self.maker, happened_ms or {})

    async def changes(self, connection: Connection, state: KeypadState) -> bool:
        """Read journal and table since the last time; return whether the table changed.

        The journal tells when something happened, the table what is there now. An event is told only when what it
        speaks of can be seen, so the table is taken first, with the journal's times.
        """
        await self._learn_hosts(connection)
        pages = await self._journal_pages(connection, state)
        happened_ms = {
            (entry.slot, entry.version): journal.occurred_at_ms(entry, state, self.now_ms())
            for page in pages
            for entry in page.entries
            if entry.kind == messages.EV_SLOT_SET
        }
        await self._learn_input_names(connection, pages)
        noted = {entry.slot for page in pages for entry in page.entries if entry.kind in _AT_A_SLOT}
        changed = await self.table(connection, state, happened_ms, noted)
        made: dict[int, str] = {}
        for page in pages:
            async with self.database.write() as session:
                device = await session.get_one(Device, self.device_id)
                await journal.apply_page(session, device, page, state, self.now_ms(), self.timing, made)
        return changed

    async def _learn_hosts(self, connection: Connection) -> None:
        """Read whose changes a maker number stands for, unless it is known."""
        async with self.database.read() as session:
            device = await session.get_one(Device, self.device_id)
        if not device.hosts:
            hosts = await operations.hosts(connection)
            async with self.database.write() as session:
                device = await session.get_one(Device, self.device_id)
                device.hosts = {str(host.maker): host.key_id for host in hosts}

    async def _learn_input_names(self, connection: Connection, pages: list[JournalPage]) -> None:
        """Read what people call the inputs, unless it is known and no entry of these says that it may be old."""
        async with self.database.read() as session:
            known = (await session.get_one(Device, self.device_id)).input_names
        if known is None or any(it.kind in _NAMES_MAY_CHANGE for page in pages for it in page.entries):
            names = (await settings.read(connection)).names_of_inputs()
            async with self.database.write() as session:
                (await session.get_one(Device, self.device_id)).input_names = names

    async def _journal_pages(self, connection: Connection, state: KeypadState) -> list[JournalPage]:
        async with self.database.read() as session:
            device = await session.get_one(Device, self.device_id)
        if device.table_epoch != state.table_epoch:
            async with self.database.write() as session:
                device = await session.get_one(Device, self.device_id)
                await forget_table(session, device, self._learned())
                device.table_epoch = state.table_epoch
                device.generation = 0
        cursor = device.journal_cursor if device.journal_epoch == state.journal_epoch else 0
        if (device.journal_epoch, cursor) == (state.journal_epoch, state.journal_head):
            return []
        pages: list[JournalPage] = []
        while True:
            page = await operations.events(connection, min(cursor, state.journal_head))
            pages.append(page)
            if not page.entries:
                return pages  # its head says how many there were that cannot be read
            cursor = page.entries[-1].sequence
            if cursor >= state.journal_head:
                return pages

    async def table(
        self,
        connection: Connection,
        state: KeypadState,
        happened_ms: Mapping[tuple[int, int], int] | None = None,
        noted: Set[int] = frozenset(),
    ) -> bool:
        """Read the slots that changed since the last time; return whether any did.

        What another hand did to our codes is read twice, but at the slots that are `noted` in the journal.
        """
        async with self.database.read() as session:
            since = (await session.get_one(Device, self.device_id)).generation
        if since > state.generation:
            since = 0  # flash lost its newest versions, and gives them again to other changes
        generation = None
        first: int | None = 1 if since < state.generation else None
        while first is not None:
            page = await operations.changed_since(connection, since, first)
            if generation is None:
                generation = page.generation
            first = page.following
            slots = await proven(self.database, self.device_id, self.maker, connection, page.slots, noted)
            async with self.database.write() as session:
                device = await session.get_one(Device, self.device_id)
                for item in slots:
                    await apply_record(session, device, item, self._learned(happened_ms))
                if first is None:
                    device.generation = generation
        return since < state.generation

    async def verify(self, connection: Connection, state: KeypadState) -> int:
        """Compare the whole table by its digest, and read again where it differs; return how many pages did.

        What was read may be wrong although its generation is right: a database put back from a copy, or flash
        that lost a record. `state`: the keypad's, if nothing was read since; its digest is then that of the table.
        """
        async with self.database.read() as session:
            mirror = Digest(operations.SLOT_MAX)
            rows = await session.execute(
                select(Slot.slot, Slot.version).where(Slot.device_id == self.device_id)
            )
            for number, version in rows:
                mirror.add(number, version)
            generation = (await session.get_one(Device, self.device_id)).generation
        if state.generation != generation:
            state = await operations.state(connection)
        if state.root == mirror.root():
            return 0
        theirs = await operations.page_digests(connection, mirror.page_count)
        differing = [page for page, digest in enumerate(theirs) if digest != mirror.page(page)]
        for page in differing:
            await self._read_again(connection, page * PAGE_SLOTS + 1)
        return len(differing)

    async def _read_again(self, connection: Connection, start: int) -> None:
        numbers = range(start, start + PAGE_SLOTS)
        found: dict[int, SlotRecord] = {}
        first: int | None = start
        while first is not None and first in numbers:
            page = await operations.changed_since(connection, 0, first)
            found |= {item.slot: item for item in page.slots if item.slot in numbers}
            first = page.following
        slots = await proven(self.database, self.device_id, self.maker, connection, list(found.values()))
        found = {item.slot: item for item in slots}
        async with self.database.write() as session:
            device = await session.get_one(Device, self.device_id)
            known = {
                slot.slot: slot
                for slot in await session.scalars(
                    select(Slot).where(Slot.device_id == self.device_id, Slot.slot.in_(numbers))
                )
            }
            for number in sorted(found.keys() | known.keys()):
                if number in known:
                    known[number].version = 0  # whatever it was, the keypad's word counts
                await apply_record(session, device, found.get(number, lost(number)), self._learned())
