"""Reading what changed at a keypad, journal and table, into the database."""

from collections.abc import Callable
from dataclasses import dataclass

from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.operations import KeypadState
from doorpad.store.database import Database
from doorpad.store.schema import Device
from doorpad.sync import journal
from doorpad.sync.effects import Learned, apply_record, forget_table


@dataclass(frozen=True)
class Reader:
    """Reads one keypad. `maker`: the number that the keypad gives to this hub."""

    database: Database
    device_id: str
    maker: int
    now_ms: Callable[[], int]

    def _learned(self) -> Learned:
        return Learned(self.now_ms(), self.maker)

    async def journal(self, connection: Connection, state: KeypadState) -> None:
        """Read the entries after the cursor, a page and a transaction at a time."""
        async with self.database.write() as session:
            device = await session.get_one(Device, self.device_id)
            if device.table_epoch != state.table_epoch:
                await forget_table(session, device, self._learned())
                device.table_epoch = state.table_epoch
                device.generation = 0
            cursor = device.journal_cursor if device.journal_epoch == state.journal_epoch else 0
        while cursor < state.journal_head:
            page = await operations.events(connection, cursor)
            async with self.database.write() as session:
                device = await session.get_one(Device, self.device_id)
                await journal.apply_page(session, device, page, state, self.now_ms())
                cursor = device.journal_cursor
            if not page.entries:
                return

    async def table(self, connection: Connection, state: KeypadState) -> bool:
        """Read the slots that changed since the last time; return whether any did."""
        async with self.database.read() as session:
            since = (await session.get_one(Device, self.device_id)).generation
        generation = None
        first: int | None = 1 if since < state.generation else None
        while first is not None:
            page = await operations.changed_since(connection, since, first)
            if generation is None:
                generation = page.generation
            first = page.following
            async with self.database.write() as session:
                device = await session.get_one(Device, self.device_id)
                for item in page.slots:
                    await apply_record(session, device, item, self._learned())
                if first is None:
                    device.generation = generation
        return since < state.generation
