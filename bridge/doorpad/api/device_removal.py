"""/devices/delete: forgetting a keypad that the configuration no longer names, with all that was kept of it."""

from uuid import UUID, uuid4

import msgspec
from sqlalchemy import delete, select

from doorpad.api import repeats
from doorpad.api.errors import ApiError, not_found
from doorpad.api.service import REMOVE, AnyOperation, Operation, Reply, Service
from doorpad.events.log import record
from doorpad.store.schema import AccessCode, CodeError, Device, Slot


class DeleteParams(msgspec.Struct, kw_only=True):
    device_id: UUID


async def _delete(service: Service, params: DeleteParams) -> Reply:
    """Its codes go unsaid with it: nobody can take them off a keypad that is gone. Its events stay in the log."""
    device_id = str(params.device_id)
    if service.changes.keeps(device_id):
        raise ApiError(
            409,
            "device_is_configured",
            f"the configuration of the hub names device {device_id}; take it out there and restart the hub first",
            data={"device_id": device_id},
        )
    now_ms = service.now_ms()
    async with service.database.write() as session:
        device = await session.get(Device, device_id)
        if device is None:
            if repeats.done_before(session, now_ms) is None:
                raise not_found("device", device_id)
            return {}
        codes = select(AccessCode.access_code_id).where(AccessCode.device_id == device_id)
        await session.execute(delete(CodeError).where(CodeError.access_code_id.in_(codes)))
        await session.execute(delete(AccessCode).where(AccessCode.device_id == device_id))
        await session.execute(delete(Slot).where(Slot.device_id == device_id))
        await session.delete(device)
        repeats.note(session, now_ms)
        await record(
            session,
            event_id=str(uuid4()),
            event_type="device.deleted",
            device_id=device_id,
            access_code_id=None,
            occurred_at_ms=now_ms,
            created_at_ms=now_ms,
            payload={},
        )
    return {}


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "/devices/delete",
        REMOVE,
        DeleteParams,
        _delete,
        "Forget a keypad that the configuration no longer names.",
        {},
        once=("DELETE",),
    ),
)
