"""Pages of a list, by the key (created_at, id): rows that come or go between two pages move nothing."""

import base64
import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from sqlalchemy import Select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from doorpad.api.errors import invalid_field

_VERSION = 1


class _Cursor(msgspec.Struct, array_like=True):
    version: int
    filters: str
    created_at_ms: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]  # what the database can compare with
    id: str


_CURSOR = msgspec.json.Decoder(_Cursor)


class Pagination(msgspec.Struct):
    has_next_page: bool
    next_page_cursor: str | None
    next_page_url: str | None = None

    def with_url(self, listed_at: str, params: msgspec.Struct) -> "Pagination":
        """With the URL of the next page, for clients that follow it instead of sending the cursor.

        Args:
            listed_at: the list's own URL, without a query.
            params: what this page was asked for with.
        """
        if self.next_page_cursor is None:
            return self
        asked = msgspec.to_builtins(params) | {"page_cursor": self.next_page_cursor}
        query = urlencode([pair for name, value in asked.items() for pair in _query(name, value)])
        return msgspec.structs.replace(self, next_page_url=f"{listed_at}?{query}")


@dataclass(frozen=True, slots=True)
class Page:
    """One page: `limit` rows after `after`. `filters` is a digest of what the list was asked for."""

    limit: int
    after: tuple[int, str] | None
    filters: str

    def of(
        self,
        query: Select[Any],
        created_at_ms: InstrumentedAttribute[int],
        id_: InstrumentedAttribute[str],
    ) -> Select[Any]:
        """The query for the page's rows and one more, which tells that there is a next page."""
        if self.after is not None:
            query = query.where(tuple_(created_at_ms, id_) > tuple_(*self.after))
        return query.order_by(created_at_ms, id_).limit(self.limit + 1)

    def pagination(self, keys: list[tuple[int, str]]) -> Pagination:
        """The reply's `pagination`, from the keys of all rows that `of` gave."""
        if len(keys) <= self.limit:
            return Pagination(has_next_page=False, next_page_cursor=None)
        cursor = _Cursor(_VERSION, self.filters, *keys[self.limit - 1])
        # Padded and with the standard alphabet: strict clients refuse the URL-safe one.
        return Pagination(True, base64.b64encode(msgspec.json.encode(cursor)).decode())


def _query(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """The pairs that say `name` is `value`, as the SDKs write them."""
    if isinstance(value, list):
        yield from ((name, str(it)) for it in value) if value else [(name, "")]
    elif isinstance(value, dict):
        for key, it in value.items():
            yield from _query(f"{name}.{key}", it)
    elif isinstance(value, bool):
        yield name, str(value).lower()
    elif value is not None:
        yield name, str(value)


def page_limit(limit: float | None, default: int) -> int:
    """The rows of a page; more than the default is cut to it. Raises ApiError 400 on `limit`."""
    if limit is None:
        return default
    return min(whole("limit", limit, 1), default)


def whole(field: str, number: float, least: int) -> int:
    """The number as an integer that fits a statement. Raises ApiError 400 on `field`."""
    if not math.isfinite(number) or number < least or number != int(number):
        raise invalid_field(field, f"must be a whole number of {least} or more")
    return min(int(number), 2**63 - 1)


def page(params: msgspec.Struct, *, limit: float | None, cursor: str | None, default: int) -> Page:
    """The page that a list was asked for.

    Args:
        params: all parameters; the cursor is bound to them, so that it cannot carry over to other filters.
    Raises:
        ApiError: 400 on `limit` or `page_cursor`.
    """
    filters = {**msgspec.structs.asdict(params), "limit": None, "page_cursor": None}
    digest = hashlib.sha256(msgspec.json.encode([type(params).__name__, filters])).hexdigest()[:16]
    after = None
    if cursor is not None:
        decoded = _decode(cursor)
        if decoded.version != _VERSION or decoded.filters != digest:
            raise invalid_field("page_cursor", "belongs to a list with other parameters")
        after = (decoded.created_at_ms, decoded.id)
    return Page(limit=page_limit(limit, default), after=after, filters=digest)


def _decode(cursor: str) -> _Cursor:
    try:
        return _CURSOR.decode(base64.b64decode(cursor, validate=True))
    except (ValueError, RecursionError):  # not base64, not JSON, not a cursor
        raise invalid_field("page_cursor", "is not a cursor that a list returned") from None
