"""/access_codes create_multiple and update_multiple: one code for several doors."""

from typing import Annotated, Literal
from uuid import UUID, uuid4

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api import repeats
from doorpad.api.code_objects import AccessCodeObject, access_code_object, code_rows
from doorpad.api.code_options import CodeOptions
from doorpad.api.code_writing import CodeChange, add_code, asked_window, change_code, refuse_codeless
from doorpad.api.errors import ApiError, invalid_field, not_found
from doorpad.api.params import Text
from doorpad.api.pins import check_free, check_pin, generate_pin
from doorpad.api.service import CHANGE, AnyOperation, Operation, Reply, Service, Verb, device_or_404
from doorpad.store.pins import lengths
from doorpad.store.schema import AccessCode, Device
from doorpad.store.statements import Query, seen

_CREATE_ONCE: tuple[Verb, ...] = ("PUT", "POST")

_MEMBERS = Query(
    AccessCode,
    AccessCode.common_code_key == bindparam("key"),
    AccessCode.managed.is_(True),
    AccessCode.state == "active",
    order_by=(AccessCode.created_at_ms, AccessCode.access_code_id),
)

_Window = tuple[int | None, int | None]


class CreateMultipleParams(CodeOptions, kw_only=True):
    device_ids: Annotated[list[UUID], msgspec.Meta(min_length=1, max_length=1_000)]
    name: Text | None = None
    code: str | None = None
    starts_at: str | None = None
    ends_at: str | None = None
    preferred_code_length: float | None = None
    behavior_when_code_cannot_be_shared: Literal["throw", "create_random_code"] = "throw"


class UpdateMultipleParams(msgspec.Struct, kw_only=True):
    """A field left out keeps its value; null clears it."""

    common_code_key: Text
    name: Text | UnsetType | None = UNSET
    starts_at: str | UnsetType | None = UNSET
    ends_at: str | UnsetType | None = UNSET


async def _create_multiple(service: Service, params: CreateMultipleParams) -> Reply:
    """All of the codes or none, in one transaction."""
    params.refuse_unsupported()
    if params.offline():
        raise params.no_offline_code("each lock makes up its own; ask for one at a time")
    if len(set(params.device_ids)) < len(params.device_ids):
        raise invalid_field("device_ids", "must not name a device twice")
    now_ms = service.now_ms()
    # A code that was named is the caller's own to keep track of.
    key = f"auto_set_by_create_multiple_{uuid4()}" if params.code is None else None
    hub = await service.database.hub()
    async with service.database.write() as session:
        before = _made_before(session, now_ms)
        if before is not None:
            return {
                "access_codes": [access_code_object(hub, it, now_ms) for it in code_rows(session, before)]
            }
        window = asked_window(params.starts_at, params.ends_at, now_ms)
        devices = [await device_or_404(session, it) for it in params.device_ids]
        for device in devices:
            refuse_codeless(device, "device_ids")
            params.refuse_waiting(device)
        pins = await _pins(session, devices, params, window, now_ms // 1_000)
        shared = None if params.code is not None else pins[devices[0].device_id]
        codes = [
            await add_code(
                session,
                device,
                pins[device.device_id],
                window,
                params,
                name=params.name,
                common_code_key=key if pins[device.device_id] == shared else None,
                now_ms=now_ms,
            )
            for device in devices
        ]
        repeats.note(session, now_ms, [it.access_code_id for it in codes])
        reply = {"access_codes": [access_code_object(hub, it, now_ms) for it in code_rows(session, codes)]}
    for device in devices:
        service.changes.wake(device.device_id)
    return reply


def _made_before(session: AsyncSession, now_ms: int) -> list[AccessCode] | None:
    """What this same request made a moment ago, if all of it is still wanted on its doors."""
    ids = repeats.done_before(session, now_ms)
    if ids is None:
        return None
    codes = seen(session, AccessCode, select(AccessCode).where(AccessCode.access_code_id.in_(ids)))
    if len([it for it in codes if it.managed and it.state == "active"]) < len(ids):
        return None
    return sorted(codes, key=lambda it: ids.index(it.access_code_id))


async def _pins(
    session: AsyncSession,
    devices: list[Device],
    params: CreateMultipleParams,
    window: _Window,
    now_s: int,
) -> dict[str, str]:
    """A PIN by device id: the same one for all that can share it.

    Raises:
        ApiError: 400 or 409 if some cannot, and the caller did not ask for other PINs there.
    """
    alone_allowed = params.behavior_when_code_cannot_be_shared == "create_random_code"
    sharing: list[Device] = []
    for device in devices:
        try:
            if params.code is None:
                _check_common_length([*sharing, device])
            else:
                check_pin(device, params.code)
                check_free(session, device.device_id, params.code, *window, now_s=now_s)
        except ApiError:
            if not alone_allowed:
                raise
        else:
            sharing.append(device)
    pin = params.code
    if pin is None:
        pin = await generate_pin(session, sharing, params.preferred_code_length)
    pins = {device.device_id: pin for device in sharing}
    for device in devices:
        if device.device_id not in pins:
            pins[device.device_id] = await generate_pin(session, [device], params.preferred_code_length)
    return pins


def _check_common_length(devices: list[Device]) -> None:
    """Raises ApiError 400 on `device_ids` unless one PIN can be short and long enough for all."""
    if not set.intersection(*(set(lengths(device)) for device in devices)):
        raise invalid_field("device_ids", "have no code length in common")


async def _update_multiple(service: Service, params: UpdateMultipleParams) -> Reply:
    """All members of the group or none, in one transaction."""
    now_ms = service.now_ms()
    change = CodeChange(name=params.name, starts_at=params.starts_at, ends_at=params.ends_at)
    async with service.database.write() as session:
        members = _MEMBERS.all(session, key=params.common_code_key)
        if not members:
            raise not_found("access_code")
        for_keypad = [it.device_id for it in members if await change_code(session, it, change, now_ms)]
    for device_id in for_keypad:
        service.changes.wake(device_id)
    return {}


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "/access_codes/create_multiple",
        _CREATE_ONCE,
        CreateMultipleParams,
        _create_multiple,
        "Make one code for several doors: all of them, or none.",
        {"access_codes": list[AccessCodeObject]},
        once=("PUT",),
    ),
    Operation(
        "/access_codes/update_multiple",
        CHANGE,
        UpdateMultipleParams,
        _update_multiple,
        "Change name or time frame of all codes with a common key.",
        {},
    ),
)
