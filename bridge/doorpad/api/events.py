"""/events: the log, oldest first."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Select, false, select

from doorpad.api.conditions import error_object
from doorpad.api.errors import invalid_field, invalid_request, not_found
from doorpad.api.paging import page_limit, whole
from doorpad.api.params import Ids, Texts
from doorpad.api.service import READ, AnyOperation, Operation, Reply, Service
from doorpad.api.times import instant_us, iso
from doorpad.events.types import NAMED, OWN, TOLD, not_named
from doorpad.store.schema import Event, Hub

_LIST_DEFAULT = 500

EventType = Annotated[str, Meta(extra_json_schema={"enum": sorted(TOLD | OWN)})]
AskedType = Annotated[str, Meta(max_length=255, extra_json_schema={"enum": sorted(NAMED)})]
AskedTypes = Annotated[list[AskedType], Meta(max_length=1_000)]

# Strict clients need a `code` on these; the log holds no PIN.
_CODE_FIELD: dict[str, str | None] = {
    "access_code.scheduled_on_device": "",
    "access_code.set_on_device": "",
    "access_code.deleted": None,
}

# Of whom strict clients need to read, with these, what stood on them then: a list of errors and one of warnings.
_STOOD_ON: dict[str, tuple[str, ...]] = {
    "connected_account.disconnected": ("connected_account",),
    **dict.fromkeys(
        (
            "device.connection_became_flaky",
            "device.disconnected",
            "device.error.subscription_required",
            "device.unmanaged.disconnected",
        ),
        ("connected_account", "device"),
    ),
    **dict.fromkeys(
        (
            "access_code.delay_in_removing_from_device",
            "access_code.delay_in_setting_on_device",
            "access_code.failed_to_remove_from_device",
            "access_code.failed_to_set_on_device",
            "access_code.unmanaged.failed_to_convert_to_managed",
        ),
        ("connected_account", "device", "access_code"),
    ),
}


class GetParams(msgspec.Struct, kw_only=True):
    event_id: UUID | None = None
    event_type: AskedType | None = None
    device_id: UUID | None = None


class ListParams(msgspec.Struct, kw_only=True):
    """`since` or `between` is needed; of the filters, all that are given must hold.

    Events of the hub's own (`doorpad.…`) are listed if their type is asked for by name.
    """

    since: str | None = None
    between: Texts | None = None
    event_ids: Ids | None = None
    event_type: AskedType | None = None
    event_types: AskedTypes | None = None
    device_id: UUID | None = None
    device_ids: Ids | None = None
    access_code_id: UUID | None = None
    access_code_ids: Ids | None = None
    connected_account_id: UUID | None = None
    limit: float | None = None
    # Nothing here is of these kinds: asked for one, the list is empty.
    acs_system_id: UUID | None = None
    acs_system_ids: Ids | None = None
    acs_access_group_id: UUID | None = None
    acs_credential_id: UUID | None = None
    acs_encoder_id: UUID | None = None
    acs_entrance_id: UUID | None = None
    acs_user_id: UUID | None = None
    access_grant_id: UUID | None = None
    access_grant_ids: Ids | None = None
    access_method_id: UUID | None = None
    access_method_ids: Ids | None = None
    connect_webview_id: UUID | None = None
    space_id: UUID | None = None
    space_ids: Ids | None = None
    user_identity_id: UUID | None = None
    # How many to leave out at the start.
    unstable_offset: float | None = None
    # Accepted without effect.
    customer_key: str | None = None


class EventObject(msgspec.Struct, kw_only=True):
    """What every event has; the further fields depend on its type."""

    event_id: str
    event_type: EventType
    workspace_id: str
    connected_account_id: str
    created_at: str
    occurred_at: str
    device_id: str | UnsetType = UNSET
    access_code_id: str | UnsetType = UNSET


_FOREIGN = tuple(
    name
    for name in ListParams.__struct_fields__
    if name.startswith(("acs_", "access_grant", "access_method", "connect_webview", "space", "user_identity"))
)


def event_object(hub: Hub, event: Event) -> dict[str, Any]:
    """The event as the API and webhooks show it."""
    lists = _STOOD_ON.get(event.event_type, ())
    made: dict[str, Any] = {f"{it}_{kind}": [] for it in lists for kind in ("errors", "warnings")}
    made |= event.payload
    if lists and "error_code" in event.payload:
        made[f"{lists[-1]}_errors"] = [
            error_object(event.payload["error_code"], event.occurred_at_ms, detail=event.payload)
        ]
    if event.event_type in _CODE_FIELD:
        made["code"] = _CODE_FIELD[event.event_type]
    made |= {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "workspace_id": hub.workspace_id,
        "connected_account_id": hub.connected_account_id,
        "created_at": iso(event.created_at_ms),
        "occurred_at": iso(event.occurred_at_ms),
    }
    if event.device_id is not None:
        made["device_id"] = event.device_id
    if event.access_code_id is not None:
        made["access_code_id"] = event.access_code_id
    return made


def _check_types(field: str, names: list[str] | None) -> None:
    """Raises ApiError 400 on the field for a name that no event has."""
    unknown = not_named(names or ())
    if unknown:
        raise invalid_field(field, f"names what no event is called: {', '.join(unknown[:5])}")


async def _get(service: Service, params: GetParams) -> Reply:
    query = select(Event).order_by(Event.occurred_at_ms.desc(), Event.seq.desc()).limit(1)
    if params.event_id is not None:
        query = query.where(Event.event_id == str(params.event_id))
    elif params.device_id is None or params.event_type is None:
        raise invalid_request("event_id, or device_id and event_type, are needed")
    if params.device_id is not None:
        query = query.where(Event.device_id == str(params.device_id))
    if params.event_type is not None:
        _check_types("event_type", [params.event_type])
        query = query.where(Event.event_type == params.event_type)
    hub = await service.database.hub()
    async with service.database.read() as session:
        event = await session.scalar(query)
    if event is None:
        raise not_found("event", params.event_id)
    return {"event": event_object(hub, event)}


async def _list(service: Service, params: ListParams) -> Reply:
    query = _filtered(params).order_by(Event.occurred_at_ms, Event.seq)
    query = query.limit(page_limit(params.limit, _LIST_DEFAULT))
    if params.unstable_offset is not None:
        query = query.offset(whole("unstable_offset", params.unstable_offset, 0))
    hub = await service.database.hub()
    if str(params.connected_account_id or hub.connected_account_id) != hub.connected_account_id:
        query = query.where(false())
    async with service.database.read() as session:
        events = await session.scalars(query)
    return {"events": [event_object(hub, event) for event in events]}


def _filtered(params: ListParams) -> Select[Any]:
    _check_types("event_type", None if params.event_type is None else [params.event_type])
    _check_types("event_types", params.event_types)
    query = select(Event)
    if any(getattr(params, name) is not None for name in _FOREIGN):
        query = query.where(false())
    if params.since is None and params.between is None:
        raise invalid_request("since or between is needed")
    if params.since is not None:
        query = query.where(Event.occurred_at_ms >= instant_us("since", params.since) // 1_000)
    if params.between is not None:
        if len(params.between) != 2:
            raise invalid_field("between", "must be two dates")
        first, last = (instant_us("between", text) // 1_000 for text in params.between)
        query = query.where(Event.occurred_at_ms.between(first, last))
    for column, one, several in (
        (Event.event_id, None, params.event_ids),
        (Event.event_type, params.event_type, params.event_types),
        (Event.device_id, params.device_id, params.device_ids),
        (Event.access_code_id, params.access_code_id, params.access_code_ids),
    ):
        if one is not None:
            query = query.where(column == str(one))
        if several is not None:
            query = query.where(column.in_([str(it) for it in several]))
    if params.event_type is None and params.event_types is None and params.event_ids is None:
        query = query.where(Event.event_type.not_in(OWN))
    return query


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "/events/get",
        READ,
        GetParams,
        _get,
        "Show one event, by its id, or the newest of a device and type.",
        {"event": EventObject},
    ),
    Operation(
        "/events/list", READ, ListParams, _list, "List events, oldest first.", {"events": list[EventObject]}
    ),
)
