"""That writing to a keypad has stopped (breaker.py): kept in its row, and told once when it stops and goes on."""

from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.store.schema import Device
from doorpad.sync.telling import tell_of_device


async def note(session: AsyncSession, device: Device, now_ms: int, *, is_stopped: bool) -> None:
    if is_stopped == (device.writes_stopped_ms is not None):
        return
    device.writes_stopped_ms = now_ms if is_stopped else None
    event_type = f"doorpad.writes_{'stopped' if is_stopped else 'resumed'}"
    await tell_of_device(session, device.device_id, event_type, now_ms)
