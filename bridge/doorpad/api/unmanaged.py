"""/access_codes/unmanaged: codes that another hand put on a keypad, and taking them over."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, delete

from doorpad.api.attempts import ActionAttemptObject, attempt_reply, begin_code_attempt
from doorpad.api.code_changes import DeleteParams, remove_code
from doorpad.api.code_lookup import code_page, code_to_change, find_code, page_keys, visible
from doorpad.api.code_objects import (
    UnmanagedAccessCodeObject,
    code_rows,
    shown_until_ms,
    unmanaged_access_code_object,
)
from doorpad.api.code_options import ModificationAllowed
from doorpad.api.errors import invalid_field, not_found
from doorpad.api.paging import Pagination, page
from doorpad.api.params import Text
from doorpad.api.service import (
    CHANGE,
    READ,
    REMOVE,
    AnyOperation,
    Operation,
    Reply,
    Service,
    seen_device_or_404,
)
from doorpad.api.waiting import watching
from doorpad.store.audit import audit_changed
from doorpad.store.schema import AccessCode, CodeError, Conversion
from doorpad.store.statements import Statement, change, one_view

_LIST_DEFAULT = 300_000
_NO_FAILURE = Statement(  # what an earlier conversion failed for
    delete(CodeError).where(CodeError.access_code_id == bindparam("id"), CodeError.is_warning.is_(False))
)


class GetParams(msgspec.Struct, kw_only=True):
    access_code_id: UUID | None = None
    device_id: UUID | None = None
    code: str | None = None


class ListParams(msgspec.Struct, kw_only=True):
    device_id: UUID
    search: Text | None = None
    limit: float | None = None
    page_cursor: str | None = None
    # Accepted without effect.
    customer_key: str | None = None
    user_identifier_key: str | None = None


class ConvertParams(ModificationAllowed, kw_only=True):
    access_code_id: UUID
    force: bool | None = None  # also if another hub manages the code: it is taken from there
    sync: bool | None = None


class UpdateParams(ConvertParams, kw_only=True):
    is_managed: bool
    name: Text | None = None  # refused: it would be another hand's code that is renamed


class DeleteUnmanagedParams(msgspec.Struct, kw_only=True):
    access_code_id: UUID
    sync: bool | None = None


async def _get(service: Service, params: GetParams) -> Reply:
    hub = await service.database.hub()
    async with service.database.read() as session:
        with one_view(session):
            code = find_code(
                session,
                managed=False,
                access_code_id=params.access_code_id,
                device_id=params.device_id,
                pin=params.code,
                now_s=service.now_ms() // 1_000,
            )
            (rows,) = code_rows(session, [code])
    return {"access_code": unmanaged_access_code_object(hub, rows, service.now_ms())}


async def _list(service: Service, params: ListParams) -> Reply:
    wanted = page(params, limit=params.limit, cursor=params.page_cursor, default=_LIST_DEFAULT)
    hub, now_ms = await service.database.hub(), service.now_ms()
    async with service.database.read() as session:
        device = seen_device_or_404(session, params.device_id)
        query = visible(managed=False).where(AccessCode.device_id == device.device_id)
        with one_view(session):
            codes = code_page(session, wanted, query, params.search)
            rows = code_rows(session, codes[: wanted.limit])
    return {
        "access_codes": [unmanaged_access_code_object(hub, it, now_ms) for it in rows],
        "pagination": wanted.pagination(page_keys(codes)),
    }


async def _convert(service: Service, params: ConvertParams) -> Reply:
    """Ask for the conversion; the keypad's slot is taken over later. A managed code stays one."""
    now_ms = service.now_ms()
    async with watching(service, params.sync) as watch:
        async with service.database.write() as session:
            code = code_to_change(session, params.access_code_id)
            if code.state != "active":
                raise not_found("access_code", params.access_code_id)
            if code.managed:  # nothing to do, unless it is about to be let go
                asked = {"conversion": None} if code.conversion is not None else {}
            else:
                asked = _asked(code, params, now_ms)
            asked_now = "conversion" in asked
            if asked_now:
                _NO_FAILURE.run(session, {"id": code.access_code_id})
            change(session, code, **asked)
            audit_changed(session, code, asked)
            attempt = begin_code_attempt(session, "UPDATE_ACCESS_CODE", code, now_ms)
        if asked_now:
            service.changes.wake(code.device_id)
        await watch.until_finished(attempt)
    return await attempt_reply(service, attempt)


def _asked(code: AccessCode, params: ConvertParams, now_ms: int) -> dict[str, Any]:
    """What is new in the wish to take over an unmanaged code, by column."""
    new: dict[str, Any] = {}
    conversion: Conversion = "forced" if params.force else "requested"
    if code.conversion not in (conversion, "forced"):
        new.update(conversion=conversion, asked_at_ms=now_ms)
    allowed = params.external_modification_allowed()
    if allowed is not None and allowed != code.external_modification_allowed:
        new["external_modification_allowed"] = allowed
    return new


async def _update(service: Service, params: UpdateParams) -> Reply:
    if not params.is_managed:
        raise invalid_field("is_managed", "must be true: an unmanaged code can only be converted")
    if params.name is not None:
        raise invalid_field("name", "cannot be given here: convert the code, then update its name")
    await _convert(service, params)
    return {}


async def _delete(service: Service, params: DeleteUnmanagedParams) -> Reply:
    asked = DeleteParams(access_code_id=params.access_code_id, sync=params.sync)
    return await remove_code(service, asked, managed=False)


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "/access_codes/unmanaged/get",
        READ,
        GetParams,
        _get,
        "Show one code that another hand put on the keypad.",
        {"access_code": UnmanagedAccessCodeObject},
        lasts_until_ms=shown_until_ms,
    ),
    Operation(
        "/access_codes/unmanaged/list",
        READ,
        ListParams,
        _list,
        "List the codes that other hands put on a keypad.",
        {"access_codes": list[UnmanagedAccessCodeObject], "pagination": Pagination},
        lasts_until_ms=shown_until_ms,
    ),
    Operation(
        "/access_codes/unmanaged/update",
        CHANGE,
        UpdateParams,
        _update,
        "Take over a code that another hand put on the keypad.",
        {},
    ),
    Operation(
        "/access_codes/unmanaged/convert_to_managed",
        CHANGE,
        ConvertParams,
        _convert,
        "Take over a code that another hand put on the keypad; it keeps its id and never stops to open.",
        {"action_attempt": ActionAttemptObject},
    ),
    Operation(
        "/access_codes/unmanaged/delete",
        REMOVE,
        DeleteUnmanagedParams,
        _delete,
        "Take a code off the keypad that another hand put there.",
        {"action_attempt": ActionAttemptObject},
    ),
)
