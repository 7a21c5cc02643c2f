"""The application: every path in one table, one way in and one way out."""

import logging
from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, route
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from doorpad.api import (
    about,
    access_codes,
    attempts,
    code_changes,
    code_groups,
    device_changes,
    device_codes,
    devices,
    events,
    installation,
    not_possible,
    simulate,
    unmanaged,
    webhooks,
)
from doorpad.api.errors import ApiError, from_status, internal
from doorpad.api.gate import Gate, request_id
from doorpad.api.keys import ApiKeys
from doorpad.api.paging import Pagination
from doorpad.api.params import decode
from doorpad.api.repeats import Repeats
from doorpad.api.service import AnyOperation, Bench, Changes, Service
from doorpad.api.vocabulary import Vocabulary, in_vocabulary
from doorpad.events.log import EventFeed
from doorpad.store.database import Database

BODY_BYTES_MAX = 1 << 20

OPERATIONS: tuple[AnyOperation, ...] = (
    *access_codes.OPERATIONS,
    *code_changes.OPERATIONS,
    *code_groups.OPERATIONS,
    *device_codes.OPERATIONS,
    *unmanaged.OPERATIONS,
    *simulate.OPERATIONS,
    *devices.OPERATIONS,
    *device_changes.OPERATIONS,
    *not_possible.OPERATIONS,
    *events.OPERATIONS,
    *webhooks.OPERATIONS,
    *attempts.OPERATIONS,
    *installation.OPERATIONS,
)

_log = logging.getLogger(__name__)

_Request = Request[Any, Any, Any]


def create_app(
    *,
    database: Database,
    keys: ApiKeys,
    changes: Changes,
    bench: Bench,
    now_ms: Callable[[], int],
    feed: EventFeed,
    private_webhooks: bool = False,
    errors_vocabulary: Vocabulary = "2025",
) -> ASGIApp:
    """The API as an ASGI application.

    Args:
        now_ms: the hub's clock, Unix milliseconds.
        feed: of the same database; tells when a code typed at a keypad has been read back.
        private_webhooks: whether a webhook may be at an address that is not public.
        errors_vocabulary: the names of errors and warnings in all replies.
    """
    service = Service(
        database=database,
        changes=changes,
        bench=bench,
        feed=feed,
        now_ms=now_ms,
        private_webhooks=private_webhooks,
    )
    repeats = Repeats(now_ms)
    public = about.handlers(OPERATIONS, database)
    app = Litestar(
        route_handlers=[
            *(_handler(operation, service, repeats, errors_vocabulary) for operation in OPERATIONS),
            *public,
        ],
        exception_handlers={ApiError: _refused, HTTPException: _refused_by_framework, Exception: _failed},
        request_max_body_size=BODY_BYTES_MAX,
        openapi_config=None,
        logging_config=None,
    )
    return Gate(app, keys, about.PATHS)


def _handler(
    operation: AnyOperation, service: Service, repeats: Repeats, vocabulary: Vocabulary
) -> HTTPRouteHandler:
    @route(operation.path, http_method=list(operation.verbs), status_code=200)
    async def handle(request: _Request) -> Response[bytes]:
        body = await request.body()
        params = decode(operation.params, request.scope["query_string"], body)

        async def answer() -> dict[str, Any]:
            return {**in_vocabulary(vocabulary, await operation.run(service, params)), "ok": True}

        if request.method in operation.once:
            said = b"\0".join((operation.path.encode(), request.scope["query_string"], body))
            reply = await repeats.once(said, answer)
        else:
            reply = await answer()
        pagination = reply.get("pagination")
        if isinstance(pagination, Pagination):
            listed_at = f"{str(request.base_url).rstrip('/')}{operation.path}"
            reply["pagination"] = pagination.with_url(listed_at, params)
        return _json(200, reply)

    return handle


def _refused(_request: _Request, error: ApiError) -> Response[bytes]:
    return _json(error.status, error.envelope(request_id.get()))


def _refused_by_framework(request: _Request, error: HTTPException) -> Response[bytes]:
    return _refused(request, from_status(error.status_code))


def _failed(request: _Request, error: Exception) -> Response[bytes]:
    # The path without its query: a query can hold a PIN.
    _log.error("request %s %s failed", request_id.get(), request.scope["path"], exc_info=error)
    return _refused(request, internal())


def _json(status: int, reply: dict[str, Any]) -> Response[bytes]:
    return Response(msgspec.json.encode(reply), status_code=status, media_type="application/json")
