"""/workspaces and /connected_accounts: the installation and its hub, of which there is one each."""

from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api.account_link import AccountParams, account_errors, check_account
from doorpad.api.conditions import ErrorObject, WarningObject
from doorpad.api.device_changes import changed_metadata, has_metadata
from doorpad.api.errors import invalid_field, invalid_request, not_found
from doorpad.api.paging import Pagination, page
from doorpad.api.params import Metadata, MetadataChange, Text
from doorpad.api.service import CHANGE, READ, AnyOperation, Operation, Reply, Service
from doorpad.api.times import iso
from doorpad.store.identity import bridge_id_for
from doorpad.store.schema import Device, Hub

_LIST_DEFAULT = 11_000
_NAME = "doorpad"


class NoParams(msgspec.Struct):
    pass


class GetAccountParams(msgspec.Struct, kw_only=True):
    connected_account_id: UUID | None = None
    email: str | None = None


class ListAccountsParams(msgspec.Struct, kw_only=True):
    search: Text | None = None
    limit: float | None = None
    page_cursor: str | None = None
    # The account belongs to no space: asked for one, the list is empty.
    space_id: UUID | None = None
    custom_metadata_has: Metadata | None = None
    # Accepted without effect.
    customer_key: str | None = None
    user_identifier_key: str | None = None


class WorkspaceObject(msgspec.Struct, kw_only=True):
    workspace_id: str
    name: str = _NAME
    company_name: str = _NAME
    is_sandbox: bool
    is_suspended: bool = False
    connect_partner_name: str | None = None
    connect_webview_customization: dict[str, Any] = {}
    is_publishable_key_auth_enabled: bool = False
    organization_id: None = None  # strict clients of 2026 need it; an installation belongs to nobody else


class ConnectedAccountObject(msgspec.Struct, kw_only=True):
    """The hub."""

    connected_account_id: str
    workspace_id: str
    account_type: str = "doorpad_hub"
    account_type_display_name: str = "doorpad hub"
    display_name: str
    created_at: str
    automatically_manage_new_devices: bool = True
    accepted_capabilities: tuple[Literal["lock"], ...] = ("lock",)
    custom_metadata: dict[str, str | bool] = {}
    errors: list[ErrorObject] = []
    warnings: list[WarningObject] = []


class BridgeObject(msgspec.Struct, kw_only=True):
    """The process that serves this API and speaks with the keypads."""

    bridge_id: str
    workspace_id: str
    created_at: str
    errors: list[ErrorObject] = []


class UpdateAccountParams(AccountParams, kw_only=True):
    custom_metadata: MetadataChange | None = None
    # Refused when it asks for anything else than what is: the configuration names the keypads.
    automatically_manage_new_devices: bool | None = None
    accepted_capabilities: list[Literal["lock", "thermostat", "noise_sensor", "access_control"]] | None = None
    customer_key: Text | None = None  # accepted without effect


class BridgeParams(msgspec.Struct, kw_only=True):
    bridge_id: UUID


async def _workspace(service: Service) -> WorkspaceObject:
    hub = await service.database.hub()
    async with service.database.read() as session:
        real = await session.scalar(select(func.count()).select_from(Device).where(~Device.simulated))
    return WorkspaceObject(workspace_id=hub.workspace_id, is_sandbox=real == 0)


async def _account(session: AsyncSession) -> ConnectedAccountObject:
    """The hub as it is now: its ids never change, its metadata does."""
    hub = await session.get_one(Hub, 1)
    return ConnectedAccountObject(
        connected_account_id=hub.connected_account_id,
        workspace_id=hub.workspace_id,
        display_name=f"Hub {hub.connected_account_id[:8]}",
        created_at=iso(hub.created_at_ms),
        custom_metadata=hub.custom_metadata,
        errors=await account_errors(session),
    )


async def _get_workspace(service: Service, _params: NoParams) -> Reply:
    return {"workspace": await _workspace(service)}


async def _list_workspaces(service: Service, _params: NoParams) -> Reply:
    return {"workspaces": [await _workspace(service)]}


async def _get_account(service: Service, params: GetAccountParams) -> Reply:
    if params.connected_account_id is None and params.email is None:
        raise invalid_request("connected_account_id is needed")
    if params.connected_account_id is None:  # no account has an e-mail address
        raise not_found("connected_account")
    await check_account(service, params.connected_account_id)
    async with service.database.read() as session:
        return {"connected_account": await _account(session)}


async def _list_accounts(service: Service, params: ListAccountsParams) -> Reply:
    wanted = page(params, limit=params.limit, cursor=params.page_cursor, default=_LIST_DEFAULT)
    async with service.database.read() as session:
        account = await _account(session)
    found = (
        wanted.after is None
        and params.space_id is None
        and has_metadata(account.custom_metadata, params.custom_metadata_has or {})
        and (params.search or "").lower() in account.display_name.lower()
    )
    return {"connected_accounts": [account] if found else [], "pagination": wanted.pagination([])}


async def _update_account(service: Service, params: UpdateAccountParams) -> Reply:
    await check_account(service, params.connected_account_id)
    if params.automatically_manage_new_devices is False:
        raise invalid_field(
            "automatically_manage_new_devices", "must be true: the configuration names keypads"
        )
    if params.accepted_capabilities not in (None, ["lock"]):
        raise invalid_field("accepted_capabilities", "must be lock alone")
    async with service.database.write() as session:
        row = await session.get_one(Hub, 1)
        row.custom_metadata = changed_metadata(row.custom_metadata, params.custom_metadata)
        return {"connected_account": await _account(session)}


def _bridge(hub: Hub) -> BridgeObject:
    return BridgeObject(
        bridge_id=bridge_id_for(hub.connected_account_id),
        workspace_id=hub.workspace_id,
        created_at=iso(hub.created_at_ms),
    )


async def _get_bridge(service: Service, params: BridgeParams) -> Reply:
    bridge = _bridge(await service.database.hub())
    if bridge.bridge_id != str(params.bridge_id):
        raise not_found("bridge", params.bridge_id)
    return {"bridge": bridge}


async def _list_bridges(service: Service, _params: NoParams) -> Reply:
    return {"bridges": [_bridge(await service.database.hub())]}


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "/workspaces/get",
        READ,
        NoParams,
        _get_workspace,
        "Show this installation.",
        {"workspace": WorkspaceObject},
    ),
    Operation(
        "/workspaces/list",
        READ,
        NoParams,
        _list_workspaces,
        "List this one installation.",
        {"workspaces": list[WorkspaceObject]},
    ),
    Operation(
        "/connected_accounts/get",
        READ,
        GetAccountParams,
        _get_account,
        "Show the hub.",
        {"connected_account": ConnectedAccountObject},
    ),
    Operation(
        "/connected_accounts/list",
        READ,
        ListAccountsParams,
        _list_accounts,
        "List the one hub.",
        {"connected_accounts": list[ConnectedAccountObject], "pagination": Pagination},
    ),
    Operation(
        "/connected_accounts/update",
        CHANGE,
        UpdateAccountParams,
        _update_account,
        "Keep metadata with the hub.",
        {"connected_account": ConnectedAccountObject},
    ),
    Operation("/bridges/get", READ, BridgeParams, _get_bridge, "Show the bridge.", {"bridge": BridgeObject}),
    Operation(
        "/bridges/list",
        READ,
        NoParams,
        _list_bridges,
        "List the one bridge.",
        {"bridges": list[BridgeObject]},
    ),
)
