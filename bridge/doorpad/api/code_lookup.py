"""Finding access codes, for the paths of managed and of unmanaged ones.

The two kinds do not see each other: the id of the one kind is unknown to the paths of the other.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Select, and_, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api.errors import invalid_request, not_found
from doorpad.api.paging import Page
from doorpad.api.service import seen_device_or_404
from doorpad.store.schema import POOLED, AccessCode
from doorpad.store.statements import Query, seen
from doorpad.store.status import expired

_MANAGED = bindparam("managed", type_=Boolean)
# As `visible`.
_VISIBLE = (
    AccessCode.managed == _MANAGED,
    AccessCode.backup.is_distinct_from(POOLED),
    or_(AccessCode.state == "active", and_(AccessCode.managed, AccessCode.state == "removing")),
)
_BY_ID = Query(AccessCode, AccessCode.access_code_id == bindparam("id"), *_VISIBLE)
_TO_CHANGE = Query(
    AccessCode, AccessCode.access_code_id == bindparam("id"), AccessCode.backup.is_distinct_from(POOLED)
)
_BY_PIN = Query(
    AccessCode, AccessCode.device_id == bindparam("device_id"), AccessCode.code == bindparam("pin"), *_VISIBLE
)


def visible(*, managed: bool) -> Select[Any]:
    """The codes of one kind that get and list show.

    An unmanaged code is gone as soon as its removal is asked for: its only status is "set". A spare code is none of
    theirs until it is given out.
    """
    query = select(AccessCode).where(
        AccessCode.managed.is_(managed), AccessCode.backup.is_distinct_from(POOLED)
    )
    return query.where(AccessCode.state.in_(["active", "removing"] if managed else ["active"]))


def code_to_change(session: AsyncSession, access_code_id: UUID, device_id: UUID | None = None) -> AccessCode:
    """A code of either kind and in any state, on this device if one is named. A spare code is nobody's to change.

    Raises:
        ApiError: 404 access_code_not_found.
    """
    code = _TO_CHANGE.first(session, id=str(access_code_id))
    if code is None or (device_id is not None and code.device_id != str(device_id)):
        raise not_found("access_code", access_code_id)
    return code


def find_code(
    session: AsyncSession,
    *,
    managed: bool,
    access_code_id: UUID | None,
    device_id: UUID | None,
    pin: str | None,
    now_s: int,
) -> AccessCode:
    """One visible code to look at, by its id or by device and PIN.

    A PIN may stand for several codes one after the other; then it is the first that is not over.

    Raises:
        ApiError: 400 with neither; 404 access_code_not_found or device_not_found.
    """
    if access_code_id is not None:
        found = _BY_ID.all(session, id=str(access_code_id), managed=managed)
        if device_id is not None:
            found = [code for code in found if code.device_id == str(device_id)]
    elif device_id is not None and pin is not None:
        seen_device_or_404(session, device_id)
        found = _BY_PIN.all(session, device_id=str(device_id), pin=pin, managed=managed)
    else:
        raise invalid_request("access_code_id, or device_id and code, are needed")
    if not found:
        raise not_found("access_code", access_code_id)
    return min(found, key=lambda code: (expired(code, now_s), code.starts_at_s or 0, code.created_at_ms))


def code_page(
    session: AsyncSession, page: Page, query: Select[Any], search: str | None
) -> Sequence[AccessCode]:
    """The rows of a page and one more, to look at. `search`: a part of the name or id, or a whole PIN."""
    if search is not None:
        query = query.where(
            or_(
                AccessCode.name.icontains(search, autoescape=True),
                AccessCode.access_code_id.icontains(search, autoescape=True),
                AccessCode.code == search,
            )
        )
    return seen(session, AccessCode, page.of(query, AccessCode.created_at_ms, AccessCode.access_code_id))


def page_keys(codes: Sequence[AccessCode]) -> list[tuple[int, str]]:
    return [(code.created_at_ms, code.access_code_id) for code in codes]
