"""/devices update and report_provider_metadata, and /devices/unmanaged: what clients set on keypads."""

import zoneinfo
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api.device_objects import UnmanagedDeviceObject, shown_name, unmanaged_device_object
from doorpad.api.devices import GetParams, ListParams, devices_page, find_device
from doorpad.api.errors import ApiError, invalid_field
from doorpad.api.paging import Pagination
from doorpad.api.params import MetadataChange, Text
from doorpad.api.service import CHANGE, CREATE, READ, AnyOperation, Operation, Reply, Service, device_or_404
from doorpad.events.log import record
from doorpad.store.schema import POOLED, AccessCode, Device
from doorpad.sync import backups

_LIST_DEFAULT = 22_900
_METADATA_KEYS_MAX = 50

ProviderCategory = Literal[
    "stable", "consumer_smartlocks", "beta", "thermostats", "noise_sensors", "access_control_systems"
]


class NamedProperties(msgspec.Struct):
    name: Text | UnsetType | None = UNSET


class UpdateParams(msgspec.Struct, kw_only=True):
    """`name` null: the name of the configuration again. `properties.name` is its old spelling."""

    device_id: UUID
    name: Text | UnsetType | None = UNSET
    properties: NamedProperties | None = None
    custom_metadata: MetadataChange | None = None
    is_managed: bool | None = None


class UnmanagedUpdateParams(msgspec.Struct, kw_only=True):
    device_id: UUID
    custom_metadata: MetadataChange | None = None
    is_managed: Literal[True] | None = None


class ZoneMetadata(msgspec.Struct):
    time_zone: Text


class ProviderMetadata(msgspec.Struct, kw_only=True):
    device_id: UUID
    ultraloq_metadata: ZoneMetadata | None = None


class ReportParams(msgspec.Struct, kw_only=True):
    devices: Annotated[list[ProviderMetadata], msgspec.Meta(min_length=1, max_length=1_000)]


class ProvidersParams(msgspec.Struct, kw_only=True):
    provider_category: ProviderCategory | None = None


class DeviceProviderObject(msgspec.Struct, kw_only=True):
    device_provider_name: str
    display_name: str
    image_url: str
    provider_categories: list[str]


def changed_metadata(
    before: dict[str, str | bool], change: dict[str, str | bool | None] | None
) -> dict[str, str | bool]:
    """The pairs after a change. Raises ApiError 400 if they become too many."""
    after = {key: value for key, value in (before | (change or {})).items() if value is not None}
    if len(after) > _METADATA_KEYS_MAX:
        raise invalid_field("custom_metadata", f"would have more than {_METADATA_KEYS_MAX} keys")
    return after


def has_metadata(metadata: dict[str, str | bool], wanted: dict[str, str | bool]) -> bool:
    """Whether all of the pairs are there. In a query `true` is a word: it stands for both."""
    return all(
        key in metadata and metadata[key] in (value, {"true": True, "false": False}.get(str(value), value))
        for key, value in wanted.items()
    )


async def _update(service: Service, params: UpdateParams) -> Reply:
    name = params.name
    if name is UNSET and params.properties is not None:
        name = params.properties.name
    now_ms = service.now_ms()
    async with service.database.write() as session:
        device = await device_or_404(session, params.device_id)
        before = shown_name(device)
        if name is not UNSET:
            device.nickname = name or None
        if shown_name(device) != before:
            await _tell(session, device, "device.name_changed", now_ms, {"device_name": shown_name(device)})
        device.custom_metadata = changed_metadata(device.custom_metadata, params.custom_metadata)
        if params.is_managed is False:
            await _check_no_codes(session, device)
            device.managed = False
            await backups.switch_off(session, device, now_ms)
            await _tell(session, device, "device.converted_to_unmanaged", now_ms)
    if params.is_managed is False:
        service.changes.wake(device.device_id)
    return {}


async def _check_no_codes(session: AsyncSession, device: Device) -> None:
    """Raises ApiError 409 while the hub keeps codes there: nobody would take them off when they end."""
    count = await session.scalar(
        select(func.count()).where(
            AccessCode.device_id == device.device_id,
            AccessCode.managed,
            AccessCode.state != "deleted",
            AccessCode.backup.is_distinct_from(POOLED),
        )
    )
    if count:
        raise ApiError(
            409,
            "device_has_access_codes",
            f"device {device.device_id} has {count} managed access codes; delete them first",
            data={"device_id": device.device_id},
        )


async def _update_unmanaged(service: Service, params: UnmanagedUpdateParams) -> Reply:
    async with service.database.write() as session:
        device = await device_or_404(session, params.device_id, managed=False)
        device.custom_metadata = changed_metadata(device.custom_metadata, params.custom_metadata)
        if params.is_managed:
            device.managed = True
            await _tell(session, device, "device.unmanaged.converted_to_managed", service.now_ms())
    if params.is_managed:
        service.changes.wake(device.device_id)
    return {}


async def _get_unmanaged(service: Service, params: GetParams) -> Reply:
    hub = await service.database.hub()
    async with service.database.read() as session:
        device = await find_device(session, params.device_id, params.name, managed=False)
        return {"device": unmanaged_device_object(hub, device)}


async def _list_unmanaged(service: Service, params: ListParams) -> Reply:
    hub = await service.database.hub()
    devices, pagination = await devices_page(service, hub, params, managed=False, default=_LIST_DEFAULT)
    return {"devices": [unmanaged_device_object(hub, it) for it in devices], "pagination": pagination}


async def _report_metadata(service: Service, params: ReportParams) -> Reply:
    """Set time zones; all or none."""
    known = zoneinfo.available_timezones()
    async with service.database.write() as session:
        for reported in params.devices:
            device = await device_or_404(session, reported.device_id)
            if reported.ultraloq_metadata is None:
                continue
            if reported.ultraloq_metadata.time_zone not in known:
                raise invalid_field(
                    "devices",
                    f"name a time_zone of {reported.device_id} that is not in the IANA database, as Europe/Paris is",
                )
            device.time_zone = reported.ultraloq_metadata.time_zone
    return {}


async def _list_providers(_service: Service, _params: ProvidersParams) -> Reply:
    """None: the contract's list is of other makers, and a hub serves its own keypads only."""
    return {"device_providers": []}


async def _tell(
    session: AsyncSession,
    device: Device,
    event_type: str,
    now_ms: int,
    payload: dict[str, Any] | None = None,
) -> None:
    await record(
        session,
        event_id=str(uuid4()),
        event_type=event_type,
        device_id=device.device_id,
        access_code_id=None,
        occurred_at_ms=now_ms,
        created_at_ms=now_ms,
        payload=payload or {},
    )


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation("/devices/update", CHANGE, UpdateParams, _update, "Name a keypad, or leave it alone.", {}),
    Operation(
        "/devices/report_provider_metadata", CREATE, ReportParams, _report_metadata, "Set time zones.", {}
    ),
    Operation(
        "/devices/list_device_providers",
        READ,
        ProvidersParams,
        _list_providers,
        "List other makers that are served: none.",
        {"device_providers": list[DeviceProviderObject]},
    ),
    Operation(
        "/devices/unmanaged/get",
        READ,
        GetParams,
        _get_unmanaged,
        "Show one keypad that the hub leaves alone.",
        {"device": UnmanagedDeviceObject},
    ),
    Operation(
        "/devices/unmanaged/list",
        READ,
        ListParams,
        _list_unmanaged,
        "List the keypads that the hub leaves alone.",
        {"devices": list[UnmanagedDeviceObject], "pagination": Pagination},
    ),
    Operation(
        "/devices/unmanaged/update",
        CHANGE,
        UnmanagedUpdateParams,
        _update_unmanaged,
        "Take a keypad into management.",
        {},
    ),
)
