"""/workspaces and /connected_accounts: the installation and its hub, of which there is one each."""

from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import func, select

from doorpad.api.conditions import ErrorObject, WarningObject
from doorpad.api.errors import invalid_request, not_found
from doorpad.api.paging import Pagination, page
from doorpad.api.params import Metadata, Text
from doorpad.api.service import READ, AnyOperation, Operation, Reply, Service
from doorpad.api.times import iso
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


async def _workspace(service: Service) -> WorkspaceObject:
    hub = await service.database.hub()
    async with service.database.read() as session:
        real = await session.scalar(select(func.count()).select_from(Device).where(~Device.simulated))
    return WorkspaceObject(workspace_id=hub.workspace_id, is_sandbox=real == 0)


def _account(hub: Hub) -> ConnectedAccountObject:
    return ConnectedAccountObject(
        connected_account_id=hub.connected_account_id,
        workspace_id=hub.workspace_id,
        display_name=f"Hub {hub.connected_account_id[:8]}",
        created_at=iso(hub.created_at_ms),
    )


async def _get_workspace(service: Service, _params: NoParams) -> Reply:
    return {"workspace": await _workspace(service)}


async def _list_workspaces(service: Service, _params: NoParams) -> Reply:
    return {"workspaces": [await _workspace(service)]}


async def _get_account(service: Service, params: GetAccountParams) -> Reply:
    hub = await service.database.hub()
    if params.connected_account_id is None and params.email is None:
        raise invalid_request("connected_account_id is needed")
    if str(params.connected_account_id) != hub.connected_account_id:
        raise not_found("connected_account", params.connected_account_id)
    return {"connected_account": _account(hub)}


async def _list_accounts(service: Service, params: ListAccountsParams) -> Reply:
    wanted = page(params, limit=params.limit, cursor=params.page_cursor, default=_LIST_DEFAULT)
    account = _account(await service.database.hub())
    found = (
        wanted.after is None
        and params.space_id is None
        and not params.custom_metadata_has
        and (params.search or "").lower() in account.display_name.lower()
    )
    return {"connected_accounts": [account] if found else [], "pagination": wanted.pagination([])}


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
)
