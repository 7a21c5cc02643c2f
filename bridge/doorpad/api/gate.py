"""What holds for every request: an id, an API key that allows it, a path that answers to its verb, one envelope.

It is an ASGI application of its own and not a web framework: all paths are fixed, each has one function, and what a
framework does besides took longer than everything else that a read needs (bridge/BENCHMARKS.md).
"""

import itertools
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec

from doorpad.api import errors
from doorpad.api.errors import ApiError
from doorpad.api.failures import Failures
from doorpad.api.keys import ApiKey, ApiKeys
from doorpad.store.audit import Actor, acting
from doorpad.store.commits import DatabaseBusy

BODY_BYTES_MAX = 1 << 20
JSON = b"application/json"

Scope = Mapping[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_log = logging.getLogger(__name__)


class _HungUp(Exception):
    """The client was gone before its request was whole."""


class Asked(msgspec.Struct, frozen=True, gc=False):
    """One request. `query` is as it came, without the `?`. `scope`: of ASGI.

    `read_only`: it came with a key that must not see PINs.
    """

    verb: str
    path: str
    query: bytes
    body: bytes
    read_only: bool
    scope: Scope

    @property
    def base_url(self) -> str:
        """What the client reached the hub at."""
        scope = self.scope
        host = str(dict(scope["headers"]).get(b"host", b""), "latin-1")
        if not host:  # HTTP/1.0
            host = "{}:{}".format(*scope["server"])
        return f"{scope['scheme']}://{host}{scope.get('root_path', '')}"


@dataclass(frozen=True, slots=True)
class Route:
    """What answers at a path. `answer` gives the body of a 200, or raises ApiError."""

    verbs: Collection[str]
    answer: Callable[[Asked], Awaitable[bytes]]
    media_type: bytes = JSON
    public: bool = False  # needs no key
    changes: bool = False  # needs a key that is not read-only


class Gate:
    """The ASGI application of a table of routes, by path.

    The key is looked at before the path: a stranger learns nothing, not even which paths exist.
    """

    def __init__(self, routes: Mapping[str, Route], keys: ApiKeys, now_ms: Callable[[], int]) -> None:
        self._routes = routes
        self._keys = keys
        self._now_ms = now_ms
        self._failures = Failures()
        self._ids = _request_ids()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        id_ = next(self._ids)
        path = scope["path"]
        status, media_type, more = 200, JSON, []
        try:
            headers = dict(scope["headers"])
            route = self._routes.get(path)
            if route is None:
                path = _plain(path)
                route = self._routes.get(path)
            key = None if route is not None and route.public else self._key(scope, headers)
            if route is None:
                raise errors.no_path()
            if scope["method"] not in route.verbs:
                more.append((b"allow", ", ".join(route.verbs).encode()))
                raise errors.no_method()
            read_only = key is not None and key.read_only
            if read_only and route.changes:
                raise errors.forbidden("this API key is read-only; a change needs another one")
            if key is not None and route.changes:
                acting.set(Actor(key.key_id, key.name, id_, path, self._now_ms()))
            body = await route.answer(
                Asked(
                    verb=scope["method"],
                    path=path,
                    query=scope["query_string"],
                    body=await _body(receive) if _has_body(headers) else b"",
                    read_only=read_only,
                    scope=scope,
                )
            )
            media_type = route.media_type
        except (ApiError, DatabaseBusy) as refused:
            error = refused if isinstance(refused, ApiError) else errors.unavailable(str(refused))
            status, body = error.status, msgspec.json.encode(error.envelope(id_))
            if error.retry_after_s is not None:
                more.append((b"retry-after", b"%d" % error.retry_after_s))
        except _HungUp:
            return
        except Exception:
            # The path without its query: a query can hold a PIN.
            _log.exception("request %s %s failed", id_, path)
            refusal = errors.internal()
            status, body = refusal.status, msgspec.json.encode(refusal.envelope(id_))
        about = [
            (b"content-type", media_type),
            (b"content-length", b"%d" % len(body)),
            (b"seam-request-id", id_.encode()),
            *more,
        ]
        await send({"type": "http.response.start", "status": status, "headers": about})
        await send({"type": "http.response.body", "body": body})

    def _key(self, scope: Scope, headers: Mapping[bytes, bytes]) -> ApiKey:
        """The key that a request came with. Raises ApiError 401, or 429 where that was answered too often."""
        key = self._keys.accept(_bearer(headers))
        if key is None:
            address = scope["client"][0] if scope["client"] else ""
            wait_ms = self._failures.count(address, self._now_ms())
            raise errors.too_many_failures(wait_ms) if wait_ms else errors.unauthorized()
        return key


def _plain(path: str) -> str:
    """The path with one slash where several came, and none at the end."""
    return "/" + "/".join(filter(None, path.split("/")))


def _request_ids() -> Iterator[str]:
    """UUIDs: a beginning by chance, and a count. One that is all chance takes a call of the system."""
    beginning = str(uuid4())[:24]
    return map((beginning + "{:012x}").format, itertools.count())


def _bearer(headers: Mapping[bytes, bytes]) -> str:
    scheme, _, key = str(headers.get(b"authorization", b""), "latin-1").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _has_body(headers: Mapping[bytes, bytes]) -> bool:
    """Whether anything follows the head: RFC 9112, section 6.3."""
    return b"content-length" in headers or b"transfer-encoding" in headers


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
