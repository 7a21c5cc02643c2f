"""/access_codes/pull_backup_access_code: a spare code that is on the keypad already, for one that is not."""

from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api.code_lookup import find_code
from doorpad.api.code_objects import AccessCodeObject, access_code_object, code_rows
from doorpad.api.errors import ApiError, invalid_field
from doorpad.api.pulled import pulled_for
from doorpad.api.service import CREATE, AnyOperation, Operation, Reply, Service, seen_device_or_404
from doorpad.api.times import iso_s
from doorpad.events.log import record
from doorpad.store.audit import audit_changed
from doorpad.store.identity import effect_event_id
from doorpad.store.schema import AccessCode
from doorpad.store.statements import change
from doorpad.store.status import expired
from doorpad.sync import backups


class PullParams(msgspec.Struct, kw_only=True):
    access_code_id: UUID


async def _pull(service: Service, params: PullParams) -> Reply:
    """Repeated, it gives the same backup again."""
    hub, now_ms = await service.database.hub(), service.now_ms()
    async with service.database.write() as session:
        code = find_code(
            session,
            managed=True,
            access_code_id=params.access_code_id,
            device_id=None,
            pin=None,
            now_s=now_ms // 1_000,
        )
        _check_needs_one(code, now_ms // 1_000)
        backup = pulled_for(session, code)
        is_new = backup is None
        if backup is None:
            backup = await _pull_anew(session, code, now_ms)
        (rows,) = code_rows(session, [backup])
    if is_new:
        service.changes.wake(code.device_id)
    shown = access_code_object(hub, rows, now_ms)
    return {"access_code": shown, "backup_access_code": shown}


def _check_needs_one(code: AccessCode, now_s: int) -> None:
    """Raises ApiError 400 or 409 unless the code has a window that is not over."""
    code_id = code.access_code_id
    if code.ends_at_s is None:
        raise ApiError(400, "access_code_not_time_bound", f"access code {code_id} has no time frame")
    if code.state == "removing":
        raise ApiError(409, "access_code_is_being_removed", f"access code {code_id} is being removed")
    if code.uses_left is not None:
        raise _none(code, "counts the uses of this code, and those of a spare one it does not")
    if expired(code, now_s):
        raise invalid_field("access_code_id", "is of a code that has ended")


async def _pull_anew(session: AsyncSession, code: AccessCode, now_ms: int) -> AccessCode:
    """Raises ApiError 400 if no spare code can be given out now."""
    device = seen_device_or_404(session, UUID(code.device_id))
    if not device.backup_pool:
        raise _none(code, "keeps no backup access codes: ask for use_backup_access_code_pool first")
    if not backups.may_pull(device, code, now_ms // 1_000):
        # Its keypad would open for the backup at once, and cannot be told of the beginning.
        raise _none(code, f"is not connected, and the code begins only at {iso_s(code.starts_at_s)}")
    backup = await backups.pull(session, code, now_ms)
    if backup is None:
        raise _none(code, "has no backup access code on its keypad now")
    change(session, code, pulled_backup_id=backup.access_code_id)
    audit_changed(session, code, ["pulled_backup_id"])
    for event_type, access_code_id, payload in (
        ("access_code.created", backup.access_code_id, {}),
        (
            "access_code.backup_access_code_pulled",
            code.access_code_id,
            {"backup_access_code_id": backup.access_code_id},
        ),
    ):
        await record(
            session,
            event_id=effect_event_id(backup.access_code_id, event_type, 0),
            event_type=event_type,
            device_id=code.device_id,
            access_code_id=access_code_id,
            occurred_at_ms=now_ms,
            created_at_ms=now_ms,
            payload=payload,
        )
    return backup


def _none(code: AccessCode, why: str) -> ApiError:
    return ApiError(
        400,
        "no_backup_access_code_available",
        f"device {code.device_id} {why}",
        data={"device_id": code.device_id},
    )


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "/access_codes/pull_backup_access_code",
        CREATE,
        PullParams,
        _pull,
        "Take a backup for a code that does not work: it is on the keypad already, and ends with the code.",
        {"access_code": AccessCodeObject, "backup_access_code": AccessCodeObject},
    ),
)
