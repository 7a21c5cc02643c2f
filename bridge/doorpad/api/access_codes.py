"""/access_codes get and list: the managed codes."""

from uuid import UUID

import msgspec

from doorpad.api.code_lookup import code_page, find_code, page_keys, visible
from doorpad.api.code_objects import AccessCodeObject, access_code_object, code_rows, shown_until_ms
from doorpad.api.errors import invalid_request
from doorpad.api.paging import Pagination, page
from doorpad.api.params import Ids, Text
from doorpad.api.service import READ, AnyOperation, Operation, Reply, Service, seen_device_or_404
from doorpad.store.schema import AccessCode
from doorpad.store.statements import one_view

_LIST_DEFAULT = 55_000


class GetParams(msgspec.Struct, kw_only=True):
    access_code_id: UUID | None = None
    device_id: UUID | None = None
    code: str | None = None


class ListParams(msgspec.Struct, kw_only=True):
    """`device_id` or `access_code_ids` is needed; unknown ids are skipped."""

    device_id: UUID | None = None
    access_code_ids: Ids | None = None
    search: Text | None = None
    limit: float | None = None
    page_cursor: str | None = None
    # Accepted without effect.
    customer_key: str | None = None
    user_identifier_key: str | None = None


async def _get(service: Service, params: GetParams) -> Reply:
    hub = await service.database.hub()
    now_ms = service.now_ms()
    async with service.database.read() as session:
        with one_view(session):
            code = find_code(
                session,
                managed=True,
                access_code_id=params.access_code_id,
                device_id=params.device_id,
                pin=params.code,
                now_s=now_ms // 1_000,
            )
            (rows,) = code_rows(session, [code])
    return {"access_code": access_code_object(hub, rows, now_ms)}


async def _list(service: Service, params: ListParams) -> Reply:
    if params.device_id is None and params.access_code_ids is None:
        raise invalid_request("device_id or access_code_ids is needed")
    wanted = page(params, limit=params.limit, cursor=params.page_cursor, default=_LIST_DEFAULT)
    query = visible(managed=True)
    hub = await service.database.hub()
    async with service.database.read() as session:
        if params.device_id is not None:
            seen_device_or_404(session, params.device_id)
            query = query.where(AccessCode.device_id == str(params.device_id))
        if params.access_code_ids is not None:
            query = query.where(AccessCode.access_code_id.in_(map(str, params.access_code_ids)))
        with one_view(session):
            codes = code_page(session, wanted, query, params.search)
            rows = code_rows(session, codes[: wanted.limit])
    now_ms = service.now_ms()
    return {
        "access_codes": [access_code_object(hub, it, now_ms) for it in rows],
        "pagination": wanted.pagination(page_keys(codes)),
    }


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "/access_codes/get",
        READ,
        GetParams,
        _get,
        "Show one managed code, by its id or by device and PIN.",
        {"access_code": AccessCodeObject},
        lasts_until_ms=shown_until_ms,
    ),
    Operation(
        "/access_codes/list",
        READ,
        ListParams,
        _list,
        "List the managed codes of a device, or those with the given ids.",
        {"access_codes": list[AccessCodeObject], "pagination": Pagination},
        lasts_until_ms=shown_until_ms,
    ),
)
