"""/access_codes create, update and delete: what the hub is asked to bring about on a keypad.

Each writes the desired state and its event in one transaction, and wakes the synchronisation after
the commit. An answered request is thus never forgotten, and the keypad may be away meanwhile.
"""

from typing import Any
from uuid import UUID, uuid4

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api.attempts import ActionAttemptObject, attempt_object, begin_attempt
from doorpad.api.code_objects import AccessCodeObject, access_code_object, code_rows
from doorpad.api.errors import ApiError, invalid_field, not_found
from doorpad.api.params import Text
from doorpad.api.pins import check_free, check_pin, generate_pin
from doorpad.api.service import (
    CREATE,
    REMOVE,
    REPLACE,
    AnyOperation,
    Operation,
    Reply,
    Service,
    device_or_404,
)
from doorpad.api.times import check_window, ends_at_s, iso_s, starts_at_s
from doorpad.events.log import record
from doorpad.store.identity import effect_event_id
from doorpad.store.schema import AccessCode, ActionAttempt, CodeError, Device

_REPEATABLE_MS = 600_000  # how long after a deletion the same DELETE is answered as the first was

# Errors that a new PIN or a new window gives another chance.
_CLEARED_BY_UPDATE = (
    "code_modified_external_to_seam",
    "duplicate_code_on_device",
    "failed_to_set_on_device",
    "no_space_for_access_code_on_device",
)


class _Options(msgspec.Struct, kw_only=True):
    """What create and update have in common."""

    allow_external_modification: bool | None = None  # the old spelling
    is_external_modification_allowed: bool | None = None
    # Refused when true: ignoring one would give a code that does something else than asked.
    is_offline_access_code: bool | None = None
    use_offline_access_code: bool | None = None
    use_backup_access_code_pool: bool | None = None
    is_one_time_use: bool | None = None
    # Accepted without effect.
    attempt_for_offline_device: bool | None = None
    max_time_rounding: str | None = None
    prefer_native_scheduling: bool | None = None
    sync: bool | None = None

    def external_modification_allowed(self) -> bool | None:
        if self.is_external_modification_allowed is not None:
            return self.is_external_modification_allowed
        return self.allow_external_modification

    def refuse_unsupported(self) -> None:
        """Raises ApiError 400 on the first field that asks for what keypads cannot do."""
        for name in (
            "is_offline_access_code",
            "use_offline_access_code",
            "use_backup_access_code_pool",
            "is_one_time_use",
        ):
            if getattr(self, name):
                raise invalid_field(name, "is not supported by this device")


class CreateParams(_Options, kw_only=True):
    device_id: UUID
    name: Text | None = None
    code: str | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    preferred_code_length: float | None = None
    common_code_key: str | None = None


class UpdateParams(_Options, kw_only=True):
    """A field left out keeps its value; null clears it."""

    access_code_id: UUID
    device_id: UUID | None = None
    name: Text | UnsetType | None = UNSET
    code: str | UnsetType = UNSET
    starts_at: str | UnsetType | None = UNSET
    ends_at: str | UnsetType | None = UNSET
    type: str | None = None
    is_managed: bool | None = None
    preferred_code_length: float | None = None


class DeleteParams(msgspec.Struct, kw_only=True):
    access_code_id: UUID
    device_id: UUID | None = None
    sync: bool | None = None


async def _create(service: Service, params: CreateParams) -> Reply:
    params.refuse_unsupported()
    if params.common_code_key is not None:
        raise invalid_field("common_code_key", "is not supported")
    starts_s = None if params.starts_at is None else starts_at_s(params.starts_at)
    ends_s = None if params.ends_at is None else ends_at_s(params.ends_at)
    now_ms = service.now_ms()
    check_window(starts_s, ends_s, now_ms)
    hub = await service.database.hub()
    async with service.database.write() as session:
        device = await device_or_404(session, params.device_id)
        if params.code is None:
            pin = await generate_pin(session, device, params.preferred_code_length)
        else:
            pin = params.code
            check_pin(device, pin)
            await check_free(session, device.device_id, pin, starts_s, ends_s, now_s=now_ms // 1_000)
        code = AccessCode(
            access_code_id=str(uuid4()),
            device_id=device.device_id,
            managed=True,
            name=params.name,
            code=pin,
            starts_at_s=starts_s,
            ends_at_s=ends_s,
            created_at_ms=now_ms,
            external_modification_allowed=bool(params.external_modification_allowed()),
        )
        session.add(code)
        await session.flush()
        await record(
            session,
            event_id=effect_event_id(code.access_code_id, "access_code.created", 0),
            event_type="access_code.created",
            device_id=code.device_id,
            access_code_id=code.access_code_id,
            occurred_at_ms=now_ms,
            created_at_ms=now_ms,
            payload={},
        )
        attempt = begin_attempt(
            session,
            "CREATE_ACCESS_CODE",
            device_id=code.device_id,
            access_code_id=code.access_code_id,
            now_ms=now_ms,
        )
        (rows,) = await code_rows(session, [code])
        reply = {
            "access_code": access_code_object(hub, rows, now_ms),
            "action_attempt": await attempt_object(session, hub, attempt, now_ms),
        }
    service.changes.wake(code.device_id)
    return reply


async def _update(service: Service, params: UpdateParams) -> Reply:
    params.refuse_unsupported()
    if params.is_managed is False:
        raise invalid_field("is_managed", "false is not supported; delete the code instead")
    now_ms = service.now_ms()
    hub = await service.database.hub()
    async with service.database.write() as session:
        code = await session.get(AccessCode, str(params.access_code_id))
        if code is None or not code.managed or code.state == "deleted" or not _is_on(code, params.device_id):
            raise not_found("access_code", params.access_code_id)
        if code.state == "removing":
            raise ApiError(
                409, "access_code_is_being_removed", f"access code {code.access_code_id} is being removed"
            )
        for_keypad = await _change_on_keypad(session, code, params, now_ms)
        changes = for_keypad + _change_at_hub(code, params)
        if changes:
            await record(
                session,
                event_id=str(uuid4()),
                event_type="access_code.changed",
                device_id=code.device_id,
                access_code_id=code.access_code_id,
                occurred_at_ms=now_ms,
                created_at_ms=now_ms,
                payload={"changed_properties": changes},
            )
        attempt = begin_attempt(
            session,
            "UPDATE_ACCESS_CODE",
            device_id=code.device_id,
            access_code_id=code.access_code_id,
            now_ms=now_ms,
        )
        await session.flush()
        reply = {"action_attempt": await attempt_object(session, hub, attempt, now_ms)}
    if for_keypad:
        service.changes.wake(code.device_id)
    return reply


async def _change_on_keypad(
    session: AsyncSession, code: AccessCode, params: UpdateParams, now_ms: int
) -> list[dict[str, Any]]:
    """Change PIN and window as asked; returns what changed, without PINs.

    Raises:
        ApiError: 400 on PIN or window; 409 if another code holds the PIN.
    """
    pin = code.code if params.code is UNSET else params.code
    starts_s, ends_s = _window(code, params)
    changes: list[dict[str, Any]] = []
    if pin != code.code:
        changes.append(_changed("code", None, None))
    if starts_s != code.starts_at_s:
        changes.append(_changed("starts_at", iso_s(code.starts_at_s), iso_s(starts_s)))
    if ends_s != code.ends_at_s:
        changes.append(_changed("ends_at", iso_s(code.ends_at_s), iso_s(ends_s)))
    if not changes:
        return []
    check_window(starts_s, ends_s, now_ms)
    if pin is not None:
        check_pin(await session.get_one(Device, code.device_id), pin)
        await check_free(
            session,
            code.device_id,
            pin,
            starts_s,
            ends_s,
            now_s=now_ms // 1_000,
            except_id=code.access_code_id,
        )
    code.code, code.starts_at_s, code.ends_at_s = pin, starts_s, ends_s
    code.announced, code.removed_announced, code.slow_since_ms = None, False, None
    await session.execute(
        delete(CodeError).where(
            CodeError.access_code_id == code.access_code_id, CodeError.error_code.in_(_CLEARED_BY_UPDATE)
        )
    )
    return changes


def _change_at_hub(code: AccessCode, params: UpdateParams) -> list[dict[str, Any]]:
    """Change what the keypad does not know of; returns what changed."""
    changes = []
    if params.name is not UNSET and params.name != code.name:
        changes.append(_changed("name", code.name, params.name))
        code.name = params.name
    allowed = params.external_modification_allowed()
    if allowed is not None and allowed != code.external_modification_allowed:
        before, after = (str(it).lower() for it in (code.external_modification_allowed, allowed))
        changes.append(_changed("is_external_modification_allowed", before, after))
        code.external_modification_allowed = allowed
    return changes


def _window(code: AccessCode, params: UpdateParams) -> tuple[int | None, int | None]:
    """The window after the update. Raises ApiError 400 if `type` and the two times contradict."""
    starts_s, ends_s = code.starts_at_s, code.ends_at_s
    if params.type == "ongoing":
        starts_s = ends_s = None
    if params.starts_at is not UNSET:
        starts_s = None if params.starts_at is None else starts_at_s(params.starts_at)
    if params.ends_at is not UNSET:
        ends_s = None if params.ends_at is None else ends_at_s(params.ends_at)
    if params.type == "ongoing" and (starts_s, ends_s) != (None, None):
        raise invalid_field("type", "an ongoing code has neither starts_at nor ends_at")
    if params.type == "time_bound" and None in (starts_s, ends_s):
        raise invalid_field("type", "a time_bound code needs starts_at and ends_at")
    if params.type not in (None, "ongoing", "time_bound"):
        raise invalid_field("type", "must be ongoing or time_bound")
    return starts_s, ends_s


async def remove_code(service: Service, params: DeleteParams, *, managed: bool) -> Reply:
    """Ask for the removal of a code of one kind. Repeated, it gives the first attempt again.

    SDKs send a DELETE up to three times when the reply is lost; a second one may not be an error.
    """
    now_ms = service.now_ms()
    hub = await service.database.hub()
    async with service.database.write() as session:
        code = await session.get(AccessCode, str(params.access_code_id))
        if code is None or code.managed != managed or not _is_on(code, params.device_id):
            raise not_found("access_code", params.access_code_id)
        if code.deleted_at_ms is not None and now_ms - code.deleted_at_ms >= _REPEATABLE_MS:
            raise not_found("access_code", params.access_code_id)
        attempt = None
        asked_now = code.state == "active"
        if asked_now:
            code.state = "removing"
            code.conversion = None
        else:
            attempt = await session.scalar(
                select(ActionAttempt)
                .where(
                    ActionAttempt.access_code_id == code.access_code_id,
                    ActionAttempt.action_type == "DELETE_ACCESS_CODE",
                )
                .order_by(ActionAttempt.created_at_ms.desc())
                .limit(1)
            )
        if attempt is None:  # also for a code that went without being asked to
            attempt = begin_attempt(
                session,
                "DELETE_ACCESS_CODE",
                device_id=code.device_id,
                access_code_id=code.access_code_id,
                now_ms=now_ms,
            )
        await session.flush()
        reply = {"action_attempt": await attempt_object(session, hub, attempt, now_ms)}
    if asked_now:
        service.changes.wake(code.device_id)
    return reply


async def _delete(service: Service, params: DeleteParams) -> Reply:
    return await remove_code(service, params, managed=True)


def _is_on(code: AccessCode, device_id: UUID | None) -> bool:
    return device_id is None or code.device_id == str(device_id)


def _changed(name: str, before: str | None, after: str | None) -> dict[str, Any]:
    return {"property": name, "from": before, "to": after}


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "/access_codes/create",
        CREATE,
        CreateParams,
        _create,
        "Make a code; it is on its way to the keypad when this answers.",
        {"access_code": AccessCodeObject, "action_attempt": ActionAttemptObject},
    ),
    Operation(
        "/access_codes/update",
        REPLACE,
        UpdateParams,
        _update,
        "Change a code; the old one opens until the keypad has replaced it.",
        {"action_attempt": ActionAttemptObject},
    ),
    Operation(
        "/access_codes/delete",
        REMOVE,
        DeleteParams,
        _delete,
        "Take a code off the keypad.",
        {"action_attempt": ActionAttemptObject},
    ),
)
