"""What holds for every request, before routing: an id for it, and an API key.

It stands outside the web framework, so that a stranger learns nothing, not even which paths exist.
"""

from collections.abc import Collection
from contextvars import ContextVar
from uuid import uuid4

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from doorpad.api import errors
from doorpad.api.keys import ApiKeys

request_id: ContextVar[str] = ContextVar("request_id")


class Gate:
    """An ASGI application in front of another. `public`: paths that need no key."""

    def __init__(self, app: ASGIApp, keys: ApiKeys, public: Collection[str]) -> None:
        self._app = app
        self._keys = keys
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        id_ = str(uuid4())
        request_id.set(id_)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"seam-request-id", id_.encode())]
            await send(message)

        if scope["path"] in self._public or self._keys.accept(_bearer(scope)):
            await self._app(scope, receive, send_with_id)
        else:
            await _refuse(errors.unauthorized(), send_with_id)


def _bearer(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, key = value.decode("latin-1").partition(" ")
            return key.strip() if scheme.lower() == "bearer" else ""
    return ""


async def _refuse(error: errors.ApiError, send: Send) -> None:
    body = msgspec.json.encode(error.envelope(request_id.get()))
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
