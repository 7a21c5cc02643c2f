"""What holds for every request: an id for it, an API key, a path that answers to its verb, one envelope.

It is an ASGI application of its own and not a web framework: all paths are fixed, each has one function, and what a
framework does besides took longer than everything else that a read needs.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec

from doorpad.api import errors
from doorpad.api.errors import ApiError
from doorpad.api.keys import ApiKeys

BODY_BYTES_MAX = 1 << 20
JSON = b"application/json"

Scope = Mapping[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

request_id: ContextVar[str] = ContextVar("request_id")

_log = logging.getLogger(__name__)


class _HungUp(Exception):
    """The client was gone before its request was whole."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `query` is as it came, without the `?`; `base_url` is what the client reached the hub at."""

    verb: str
    path: str
    query: bytes
    body: bytes
    base_url: str


@dataclass(frozen=True, slots=True)
class Route:
    """What answers at a path. `answer` gives the body of a 200, or raises ApiError."""

    verbs: Collection[str]
    answer: Callable[[Asked], Awaitable[bytes]]
    media_type: bytes = JSON
    public: bool = False  # needs no key


class Gate:
    """The ASGI application of a table of routes, by path.

    The key is looked at before the path: a stranger learns nothing, not even which paths exist.
    """

    def __init__(self, routes: Mapping[str, Route], keys: ApiKeys) -> None:
        self._routes = routes
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        id_ = str(uuid4())
        request_id.set(id_)
        status, media_type, allow = 200, JSON, b""
        try:
            path = scope["path"]
            route = self._routes.get(path) or self._routes.get(_plain(path))
            if (route is None or not route.public) and not self._keys.accept(_bearer(scope)):
                raise errors.unauthorized()
            if route is None:
                raise errors.no_path()
            if scope["method"] not in route.verbs:
                allow = ", ".join(route.verbs).encode()
                raise errors.no_method()
            body = await route.answer(
                Asked(
                    verb=scope["method"],
                    path=path,
                    query=scope["query_string"],
                    body=await _body(receive),
                    base_url=_base_url(scope),
                )
            )
            media_type = route.media_type
        except ApiError as error:
            status, body = error.status, msgspec.json.encode(error.envelope(id_))
        except _HungUp:
            return
        except Exception:
            # The path without its query: a query can hold a PIN.
            _log.exception("request %s %s failed", id_, scope["path"])
            refusal = errors.internal()
            status, body = refusal.status, msgspec.json.encode(refusal.envelope(id_))
        headers = [
            (b"content-type", media_type),
            (b"content-length", b"%d" % len(body)),
            (b"seam-request-id", id_.encode()),
        ]
        if allow:
            headers.append((b"allow", allow))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _plain(path: str) -> str:
    """The path with one slash where several came, and none at the end."""
    return "/" + "/".join(filter(None, path.split("/")))


def _header(scope: Scope, wanted: bytes) -> str:
    for name, value in scope["headers"]:
        if name == wanted:
            return str(value, "latin-1")
    return ""


def _bearer(scope: Scope) -> str:
    scheme, _, key = _header(scope, b"authorization").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _base_url(scope: Scope) -> str:
    host = _header(scope, b"host")
    if not host:  # HTTP/1.0
        host = "{}:{}".format(*scope["server"])
    return f"{scope['scheme']}://{host}{scope.get('root_path', '')}"


async def _body(receive: Receive) -> bytes:
    """Raises ApiError 413 as soon as it is too long."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False) and len(body) <= BODY_BYTES_MAX:
        message = await receive()
        body += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise _HungUp
    if len(body) > BODY_BYTES_MAX:
        raise errors.too_large()
    return body
