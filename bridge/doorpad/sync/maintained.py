"""The device warning `scheduled_maintenance_window`: a keypad is getting other firmware."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from doorpad.store.catalogue import DEVICE_WARNINGS
from doorpad.store.database import Database
from doorpad.store.device_conditions import lift, stand
from doorpad.store.schema import Device

WARNING = "scheduled_maintenance_window"
_WORDS = "It is getting other firmware. The door works meanwhile, but for the seconds in which the keypad restarts."


@contextlib.asynccontextmanager
async def maintained(database: Database, device_id: str, now_ms: Callable[[], int]) -> AsyncIterator[None]:
    """Let the warning stand for as long as the block lasts. `ended` takes off one that a killed hub left."""
    try:
        # Within: whoever is broken off while this commits has put the warning up as well.
        async with database.write() as session:
            device = await session.get_one(Device, device_id)
            stand(device, WARNING, f"{DEVICE_WARNINGS[WARNING].message} {_WORDS}", now_ms(), is_warning=True)
        yield
    finally:
        # Whatever ended the work, whoever asked for it may go while this commits, and cancels what is left of it.
        await asyncio.shield(asyncio.create_task(_end(database, device_id)))


async def _end(database: Database, device_id: str) -> None:
    async with database.write() as session:
        ended(await session.get_one(Device, device_id))


def ended(device: Device) -> None:
    """Nobody works on the keypad."""
    lift(device, WARNING)
