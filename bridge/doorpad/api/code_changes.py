"""/access_codes create, update and delete: what the hub is asked to bring about on a keypad.

Each writes the desired state and its event in one transaction, and wakes the synchronisation after
the commit. An answered request is thus never forgotten, and the keypad may be away meanwhile.
"""

from uuid import UUID

import msgspec
from msgspec import UNSET
from sqlalchemy import bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api.attempts import (
    ActionAttemptObject,
    ActionType,
    attempt_object,
    attempt_reply,
    begin_code_attempt,
    pending_attempt_object,
)
from doorpad.api.code_lookup import code_to_change
from doorpad.api.code_objects import AccessCodeObject, access_code_object, code_rows, new_code_rows
from doorpad.api.code_options import CodeOptions
from doorpad.api.code_writing import CodeChange, add_code, asked_window, change_code, refuse_codeless
from doorpad.api.errors import invalid_field, not_found
from doorpad.api.params import Text
from doorpad.api.pins import check_free, check_pin, generate_pin
from doorpad.api.pulled import revoke
from doorpad.api.service import (
    CREATE,
    REMOVE,
    REPLACE,
    AnyOperation,
    Operation,
    Reply,
    Service,
    seen_device_or_404,
)
from doorpad.api.waiting import watching
from doorpad.store import brands
from doorpad.store.audit import audit_changed
from doorpad.store.schema import RELEASED, AccessCode, ActionAttempt, Device
from doorpad.store.statements import Query, change
from doorpad.store.status import on_keypad, wanted

_MEMBERS = Query(
    AccessCode,
    AccessCode.common_code_key == bindparam("key"),
    AccessCode.device_id == bindparam("device_id"),
    AccessCode.managed.is_(True),
    AccessCode.state == "active",
    AccessCode.backup.is_(None),
)
_REPEATABLE_MS = 600_000  # how long after a deletion the same DELETE is answered as the first was


class CreateParams(CodeOptions, kw_only=True):
    device_id: UUID
    name: Text | None = None
    code: str | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    preferred_code_length: float | None = None
    common_code_key: Text | None = None
    sync: bool | None = None


class UpdateParams(CodeChange, kw_only=True):
    """A field left out keeps its value; null clears it. `is_managed` false lets a code go that is on its keypad."""

    access_code_id: UUID
    device_id: UUID | None = None
    is_managed: bool | None = None
    preferred_code_length: float | None = None
    sync: bool | None = None

    def refuse_other_length(self, pin: str | None) -> None:
        """Raises ApiError 400 if the PIN is to have another length, and none is given that has it."""
        wanted = self.preferred_code_length
        if wanted is not None and self.code is UNSET and pin is not None and len(pin) != wanted:
            raise invalid_field("preferred_code_length", "is not that of the code; give another code with it")


class DeleteParams(msgspec.Struct, kw_only=True):
    access_code_id: UUID
    device_id: UUID | None = None
    sync: bool | None = None


async def _create(service: Service, params: CreateParams) -> Reply:
    params.refuse_unsupported()
    now_ms = service.now_ms()
    window = asked_window(params.starts_at, params.ends_at, now_ms)
    hub = await service.database.hub()
    async with watching(service, params.sync) as watch:
        async with service.database.write() as session:
            device = seen_device_or_404(session, params.device_id)
            refuse_codeless(device, "device_id")
            params.refuse_waiting(device)
            _check_offline(device, params)
            pin = await _group_pin(session, params.common_code_key, params.code, now_ms // 1_000)
            before = _made_before(session, params, window)
            if before is not None:
                attempt = await _attempt_about(session, before, "CREATE_ACCESS_CODE")
                if attempt is None:  # create_multiple begins none
                    attempt = begin_code_attempt(session, "CREATE_ACCESS_CODE", before, now_ms)
            else:
                if pin is None:
                    pin = await generate_pin(session, [device], params.preferred_code_length)
                else:
                    check_pin(device, pin)
                    check_free(session, device.device_id, pin, *window, now_s=now_ms // 1_000)
                code = await add_code(
                    session,
                    device,
                    pin,
                    window,
                    params,
                    name=params.name,
                    common_code_key=params.common_code_key,
                    now_ms=now_ms,
                )
                device = seen_device_or_404(session, params.device_id)  # the pool may stand on it now
                attempt = begin_code_attempt(session, "CREATE_ACCESS_CODE", code, now_ms)
                rows = new_code_rows(session, code, device)
        if before is None:
            service.changes.wake(code.device_id)
        await watch.until_finished(attempt)
    shown = pending_attempt_object(attempt)  # nobody but this request knows of the code yet
    if before is not None or params.sync:
        code_id = attempt.access_code_id
        async with service.database.read() as session:
            (rows,) = code_rows(session, [await session.get_one(AccessCode, code_id)])
            now_ms = service.now_ms()
            shown = attempt_object(session, hub, attempt, now_ms)
    return {"access_code": access_code_object(hub, rows, now_ms), "action_attempt": shown}


def _check_offline(device: Device, params: CreateParams) -> None:
    """Raises ApiError 400 for an offline code that the device cannot make up as it is asked for."""
    if not params.offline():
        return
    if not brands.of(device).has_offline_codes:
        raise params.no_offline_code("this device opens only for codes that it was sent")
    for name in ("code", "preferred_code_length", "common_code_key"):
        if getattr(params, name) is not None:
            raise invalid_field(name, "cannot be chosen for an offline code: the lock makes up its PIN")


def _made_before(
    session: AsyncSession, params: CreateParams, window: tuple[int | None, int | None]
) -> AccessCode | None:
    """The code that this same request made earlier, by the key that its client chose.

    A client that has lost an answer may so ask again, and has one code. Its PIN is right: `_group_pin` saw to that.
    """
    if params.common_code_key is None:
        return None
    members = _MEMBERS.all(session, key=params.common_code_key, device_id=str(params.device_id))
    asked = (
        params.name,
        *window,
        bool(params.external_modification_allowed()),
        1 if params.is_one_time_use else None,
    )
    for code in members:
        window_of = (code.starts_at_s, code.ends_at_s)
        if asked == (code.name, *window_of, code.external_modification_allowed, code.uses_left):
            return code
    return None


async def _attempt_about(
    session: AsyncSession, code: AccessCode, action_type: ActionType
) -> ActionAttempt | None:
    """The last attempt of a kind about a code."""
    attempt: ActionAttempt | None = await session.scalar(
        select(ActionAttempt)
        .where(
            ActionAttempt.access_code_id == code.access_code_id,
            ActionAttempt.action_type == action_type,
        )
        .order_by(ActionAttempt.created_at_ms.desc())
        .limit(1)
    )
    return attempt


async def _group_pin(
    session: AsyncSession, common_code_key: str | None, asked: str | None, now_s: int
) -> str | None:
    """The PIN of the group, else the one asked for. Raises ApiError 400 if the two differ.

    Who had a code that is over still knows its PIN: it is nobody's any more.
    """
    if common_code_key is None:
        return asked
    known = await session.scalar(
        select(AccessCode.code)
        .where(
            AccessCode.common_code_key == common_code_key,
            AccessCode.state == "active",
            AccessCode.used_at_ms.is_(None),
            or_(AccessCode.ends_at_s.is_(None), AccessCode.ends_at_s > now_s),
        )
        .order_by(AccessCode.created_at_ms, AccessCode.access_code_id)
        .limit(1)
    )
    if known is not None and asked not in (None, known):
        raise invalid_field("code", "is not the one that the other codes of this common_code_key have")
    return known if known is not None else asked


async def _update(service: Service, params: UpdateParams) -> Reply:
    params.refuse_unsupported()
    if params.is_managed is False:
        return await _release(service, params)
    now_ms = service.now_ms()
    async with watching(service, params.sync) as watch:
        async with service.database.write() as session:
            code = _to_update(session, params)
            params.refuse_other_length(code.code)
            if params.is_managed:  # whatever was to let it go
                change(session, code, conversion=None)
            for_keypad = await change_code(session, code, params, now_ms)
            await params.use_pool(session, code, now_ms)
            if for_keypad and params.attempt_for_offline_device is not None:
                params.refuse_waiting(seen_device_or_404(session, UUID(code.device_id)))
            is_done = not for_keypad and (code.announced is not None or not params.is_for_keypad())
            attempt = begin_code_attempt(session, "UPDATE_ACCESS_CODE", code, now_ms, is_done=is_done)
        if for_keypad or params.use_backup_access_code_pool:
            service.changes.wake(code.device_id)
        if for_keypad:
            await watch.until_finished(attempt)
    return await attempt_reply(service, attempt, just_begun=for_keypad and not params.sync)


def _to_update(session: AsyncSession, params: UpdateParams) -> AccessCode:
    """The managed code that is named. Raises ApiError 404."""
    code = code_to_change(session, params.access_code_id, params.device_id)
    if not code.managed or code.state == "deleted":
        raise not_found("access_code", params.access_code_id)
    return code


async def _release(service: Service, params: UpdateParams) -> Reply:
    """Leave a code on its keypad as it is, unmanaged. Repeated before that is done, it begins a further attempt."""
    if params.changes_anything():
        raise invalid_field("is_managed", "false cannot be asked for together with other changes")
    now_ms = service.now_ms()
    async with watching(service, params.sync) as watch:
        async with service.database.write() as session:
            code = _to_update(session, params)
            (rows,) = code_rows(session, [code])
            if code.offline is not None:
                raise invalid_field("is_managed", "cannot be false for an offline code, which ends by itself")
            if not (wanted(code, now_ms // 1_000) and on_keypad(code, rows.slot)):
                raise invalid_field(
                    "is_managed",
                    "cannot be false for a code that its keypad does not hold: delete it instead",
                )
            asked = {"conversion": RELEASED, "asked_at_ms": now_ms}
            change(session, code, **asked)
            audit_changed(session, code, asked)
            attempt = begin_code_attempt(session, "UPDATE_ACCESS_CODE", code, now_ms)
        service.changes.wake(code.device_id)
        await watch.until_finished(attempt)
    return await attempt_reply(service, attempt, just_begun=not params.sync)


async def remove_code(service: Service, params: DeleteParams, *, managed: bool) -> Reply:
    """Ask for the removal of a code of one kind. Repeated, it gives the first attempt again.

    SDKs send a DELETE up to three times when the reply is lost; a second one may not be an error.
    """
    now_ms = service.now_ms()
    async with watching(service, params.sync) as watch:
        async with service.database.write() as session:
            code = code_to_change(session, params.access_code_id, params.device_id)
            is_over = code.deleted_at_ms is not None and now_ms - code.deleted_at_ms >= _REPEATABLE_MS
            if code.managed != managed or is_over:
                raise not_found("access_code", params.access_code_id)
            attempt = None
            asked_now = code.state == "active"
            if asked_now:
                asked = {"state": "removing", "conversion": None, "asked_at_ms": now_ms}
                change(session, code, **asked)
                audit_changed(session, code, asked)
                revoke(session, code, now_ms)
            else:
                attempt = await _attempt_about(session, code, "DELETE_ACCESS_CODE")
            if attempt is None:  # also for a code that went without being asked to
                attempt = begin_code_attempt(session, "DELETE_ACCESS_CODE", code, now_ms)
        if asked_now:
            service.changes.wake(code.device_id)
        await watch.until_finished(attempt)
    return await attempt_reply(service, attempt, just_begun=asked_now and not params.sync)


async def _delete(service: Service, params: DeleteParams) -> Reply:
    return await remove_code(service, params, managed=True)


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
