"""Keypads that the configuration no longer names: their rows stay, with their codes, until a client deletes them."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.store.audit import Actor, audit_changed
from doorpad.store.device_conditions import stand
from doorpad.store.schema import Device
from doorpad.sync.telling import tell_of_device

REMOVED = "device_removed"
_REASON = "the configuration of the hub does not name it"


async def retire(session: AsyncSession, kept: Collection[str], by: Actor, now_ms: int) -> None:
    """Tell of each keypad but the `kept` ones that it is gone, once: nobody speaks with it any more.

    `by`: who took it out of the configuration, for the audit log.
    """
    for device in (await session.scalars(select(Device).where(Device.device_id.not_in(kept)))).all():
        if device.link_state != "disconnected":
            device.link_state = "disconnected"
            device.link_changed_at_ms = now_ms
            device.link_reason = _REASON
        if stand(device, REMOVED, f"Device has been removed: {_REASON}", now_ms):
            audit_changed(session, device, ["conditions"], by)
            await tell_of_device(session, device.device_id, "device.removed", now_ms)
