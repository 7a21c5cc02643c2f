"""Keypads that the configuration names: their rows are as it says, and the audit log has what that changed.

Whoever starts the bridge on a configuration makes it count, and is the one who changed it.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.store.audit import Actor, audit_changed, audit_created, of_user
from doorpad.store.device_conditions import lift
from doorpad.store.identity import device_id_for
from doorpad.store.schema import Device
from doorpad.sync.keypad_port import KeypadPort
from doorpad.sync.retired import REMOVED
from doorpad.sync.telling import tell_of_device

_CONFIGURED = ("name", "simulated", "profile", "weak_years", "location_name")


def by_configuration(now_ms: int) -> Actor:
    """Who made the configuration count."""
    return of_user("doorpad run", now_ms)


async def enrol(session: AsyncSession, keypad: KeypadPort, now_ms: int) -> Device:
    """Write the keypad's row, or bring it up to date, whether it had been retired or not."""
    configured = {name: getattr(keypad, name) for name in _CONFIGURED}
    device = await session.get(Device, device_id_for(keypad.serial))
    if device is None:
        device = Device(
            device_id=device_id_for(keypad.serial),
            serial=keypad.serial,
            created_at_ms=now_ms,
            link_changed_at_ms=now_ms,
            **configured,
        )
        session.add(device)
        await session.flush()
        await session.refresh(device)  # with what the database itself sets
        audit_created(session, device, by_configuration(now_ms))
        await tell_of_device(session, device.device_id, "device.added", now_ms)
        return device
    changed = {name for name, value in configured.items() if getattr(device, name) != value}
    for name in changed:
        setattr(device, name, configured[name])
    if lift(device, REMOVED):
        changed.add("conditions")
    audit_changed(session, device, changed, by_configuration(now_ms))
    return device
