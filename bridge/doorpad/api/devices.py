"""/devices and /locks: every keypad is both."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Select, and_, exists, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api.device_kinds import DeviceType, Manufacturer
from doorpad.api.device_objects import DeviceObject, device_object, shown_name
from doorpad.api.errors import invalid_request, not_found
from doorpad.api.paging import Pagination, page
from doorpad.api.params import Ids, Metadata, Text, Texts
from doorpad.api.service import READ, AnyOperation, Operation, Reply, Service, device_or_404
from doorpad.api.times import instant_us
from doorpad.store.brands import PROFILES
from doorpad.store.schema import Device, Hub

_LIST_DEFAULT = 500


class GetParams(msgspec.Struct, kw_only=True):
    device_id: UUID | None = None
    name: Text | None = None


class ListParams(msgspec.Struct, kw_only=True):
    """Filters; all that are given must hold."""

    connected_account_id: UUID | None = None
    connected_account_ids: Ids | None = None
    device_type: DeviceType | None = None
    device_types: Annotated[list[DeviceType], msgspec.Meta(max_length=1_000)] | None = None
    manufacturer: Manufacturer | None = None
    device_ids: Ids | None = None
    created_before: str | None = None
    search: Text | None = None
    limit: float | None = None
    page_cursor: str | None = None
    # Nothing here belongs to a webview or a space: asked for one, the list is empty.
    connect_webview_id: UUID | None = None
    space_id: UUID | None = None
    unstable_location_id: UUID | None = None
    custom_metadata_has: Metadata | None = None
    # Accepted without effect.
    customer_key: str | None = None
    user_identifier_key: str | None = None
    include_if: Texts | None = None
    exclude_if: Texts | None = None


async def find_device(
    session: AsyncSession, device_id: UUID | None, name: str | None, *, managed: bool = True
) -> Device:
    """The device with this id and this name, of which one may be None. Raises ApiError 400 or 404."""
    if device_id is not None:
        device = await device_or_404(session, device_id, managed=managed)
        if name is not None and shown_name(device) != name:
            raise not_found("device", device_id)
        return device
    if name is None:
        raise invalid_request("device_id or name is needed")
    shown = func.coalesce(Device.nickname, Device.name)
    found = await session.scalars(
        select(Device).where(shown == name, Device.managed.is_(managed)).order_by(Device.created_at_ms)
    )
    named = found.first()
    if named is None:
        raise not_found("device")
    return named


async def _get(service: Service, params: GetParams) -> Reply:
    hub = await service.database.hub()
    async with service.database.read() as session:
        return {"device": device_object(hub, await find_device(session, params.device_id, params.name))}


async def _get_lock(service: Service, params: GetParams) -> Reply:
    device = (await _get(service, params))["device"]
    return {"device": device, "lock": device}


async def _list(service: Service, params: ListParams) -> Reply:
    hub = await service.database.hub()
    devices, pagination = await devices_page(service, hub, params, managed=True, default=_LIST_DEFAULT)
    return {"devices": [device_object(hub, device) for device in devices], "pagination": pagination}


async def devices_page(
    service: Service, hub: Hub, params: ListParams, *, managed: bool, default: int
) -> tuple[Sequence[Device], Pagination]:
    """The devices of a page, managed or not, and what leads to the next one."""
    wanted = page(params, limit=params.limit, cursor=params.page_cursor, default=default)
    query = _filtered(hub, params).where(Device.managed.is_(managed))
    async with service.database.read() as session:
        found = await session.scalars(wanted.of(query, Device.created_at_ms, Device.device_id))
        devices = found.all()
    keys = [(it.created_at_ms, it.device_id) for it in devices]
    return devices[: wanted.limit], wanted.pagination(keys)


async def _list_locks(service: Service, params: ListParams) -> Reply:
    reply = await _list(service, params)
    return {**reply, "locks": reply["devices"]}


def _filtered(hub: Hub, params: ListParams) -> Select[Any]:
    query = select(Device)
    if not _any_can_match(hub, params):
        return query.where(false())
    if params.device_ids is not None:
        query = query.where(Device.device_id.in_(map(str, params.device_ids)))
    if params.created_before is not None:
        before_ms = instant_us("created_before", params.created_before) // 1_000
        query = query.where(Device.created_at_ms < before_ms)
    if params.search is not None:
        query = query.where(
            or_(
                func.coalesce(Device.nickname, Device.name).icontains(params.search, autoescape=True),
                Device.device_id.icontains(params.search, autoescape=True),
            )
        )
    for key, value in (params.custom_metadata_has or {}).items():
        query = query.where(_has(key, value))
    return query.where(Device.profile.in_(_profiles(params)))


def _profiles(params: ListParams) -> list[str]:
    """What a device may play, by its type and its maker."""
    return [
        name
        for name, profile in PROFILES.items()
        if params.device_type in (None, profile.device_type)
        and (params.device_types is None or profile.device_type in params.device_types)
        and params.manufacturer in (None, profile.maker)
    ]


def _has(key: str, value: str | bool) -> ColumnElement[bool]:
    """Whether a device's metadata has this pair. In a query `true` is a word: it stands for both."""
    pair = func.json_each(Device.custom_metadata).table_valued("key", "value", "type")
    found = [and_(pair.c.type == "text", pair.c.value == value)]
    if isinstance(value, bool) or value in ("true", "false"):
        found.append(pair.c.type == str(value).lower())
    return exists(select(1).select_from(pair).where(pair.c.key == key, or_(*found)))


def _any_can_match(hub: Hub, params: ListParams) -> bool:
    """Whether the filters on what all keypads have in common let any through."""
    accounts = params.connected_account_ids
    return (
        params.connect_webview_id is None
        and params.space_id is None
        and params.unstable_location_id is None
        and str(params.connected_account_id or hub.connected_account_id) == hub.connected_account_id
        and (accounts is None or hub.connected_account_id in map(str, accounts))
    )


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "/devices/get", READ, GetParams, _get, "Show one keypad, by id or name.", {"device": DeviceObject}
    ),
    Operation(
        "/devices/list",
        READ,
        ListParams,
        _list,
        "List the keypads.",
        {"devices": list[DeviceObject], "pagination": Pagination},
    ),
    Operation(
        "/locks/get",
        READ,
        GetParams,
        _get_lock,
        "Show one keypad, by id or name.",
        {"device": DeviceObject, "lock": DeviceObject},
    ),
    Operation(
        "/locks/list",
        READ,
        ListParams,
        _list_locks,
        "List the keypads.",
        {"devices": list[DeviceObject], "locks": list[DeviceObject], "pagination": Pagination},
    ),
)
