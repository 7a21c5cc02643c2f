"""What may be read without a key: the API's own description, and whether it is well."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from doorpad.api import openapi
from doorpad.api.errors import unavailable
from doorpad.api.gate import Asked, Route
from doorpad.api.service import AnyOperation
from doorpad.store.database import Database


def routes(
    operations: Sequence[AnyOperation], database: Database, lines: Callable[[], list[dict[str, Any]]]
) -> dict[str, Route]:
    """The public paths. Document and page are made once: they are the same for everybody."""
    described = openapi.document(operations)
    document = msgspec.json.encode(described)
    page = openapi.page(described).encode()

    async def show_document(_asked: Asked) -> bytes:
        return document

    async def show_page(_asked: Asked) -> bytes:
        return page

    async def show_health(_asked: Asked) -> bytes:
        """Whether the database answers, and what both ends of each line count. Why one is away, its device tells."""
        try:
            async with database.read() as session:
                await session.execute(text("SELECT 1 FROM hub"))
        except SQLAlchemyError:
            raise unavailable("the database does not answer") from None
        return msgspec.json.encode({"ok": True, "keypads": lines()})

    return {
        "/openapi.json": Route(("GET",), show_document, public=True),
        "/docs": Route(("GET",), show_page, media_type=b"text/html; charset=utf-8", public=True),
        "/health": Route(("GET",), show_health, public=True),
    }
