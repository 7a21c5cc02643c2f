"""What may be read without a key: the API's own description, and whether it is well."""

from collections.abc import Sequence

import msgspec
from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from doorpad.api import openapi
from doorpad.api.errors import unavailable
from doorpad.api.service import AnyOperation
from doorpad.store.database import Database

PATHS = frozenset({"/openapi.json", "/docs", "/health"})


def handlers(operations: Sequence[AnyOperation], database: Database) -> list[HTTPRouteHandler]:
    """The routes of `PATHS`. Document and page are made once: they are the same for everybody."""
    described = openapi.document(operations)
    document = msgspec.json.encode(described)
    page = openapi.page(described)

    @get("/openapi.json")
    async def show_document() -> Response[bytes]:
        return Response(document, media_type=MediaType.JSON)

    @get("/docs")
    async def show_page() -> Response[str]:
        return Response(page, media_type=MediaType.HTML)

    @get("/health")
    async def show_health() -> Response[bytes]:
        """Whether the database answers. Of a keypad that does not, the device tells."""
        try:
            async with database.read() as session:
                await session.execute(text("SELECT 1 FROM hub"))
        except SQLAlchemyError:
            raise unavailable("the database does not answer") from None
        return Response(msgspec.json.encode({"ok": True}), media_type=MediaType.JSON)

    return [show_document, show_page, show_health]
