"""/webhooks: who is told of events."""

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import delete, func, select

from doorpad.api import repeats
from doorpad.api.errors import ApiError, invalid_field, not_found
from doorpad.api.params import Text
from doorpad.api.service import CREATE, READ, REMOVE, AnyOperation, Operation, Reply, Service, Verb
from doorpad.events.posting import is_public
from doorpad.events.signing import new_secret
from doorpad.events.types import not_named
from doorpad.store.schema import Delivery, Webhook

_REPLACE: tuple[Verb, ...] = ("PUT", "POST")

# A name that a name server can be asked for: RFC 1123, section 2.1, and the underscore that some networks use.
_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_HOST_NAME = re.compile(rf"(?=.{{1,254}}$){_LABEL}(\.{_LABEL})*\.?")

_WEBHOOKS_MAX = 100  # each may hold up to four connections of the hub

EventTypes = Annotated[list[Text], msgspec.Meta(min_length=1, max_length=200)]
Url = Annotated[str, msgspec.Meta(max_length=2_000)]


class CreateParams(msgspec.Struct, kw_only=True):
    url: Url
    event_types: EventTypes = msgspec.field(default_factory=lambda: ["*"])


class OneParams(msgspec.Struct, kw_only=True):
    webhook_id: UUID


class UpdateParams(OneParams, kw_only=True):
    event_types: EventTypes


class NoParams(msgspec.Struct):
    pass


class WebhookObject(msgspec.Struct, kw_only=True):
    """`secret` is shown by create and get alone."""

    webhook_id: str
    url: str
    event_types: list[str]
    secret: str | UnsetType = UNSET


def _shown(webhook: Webhook, *, secret: bool) -> WebhookObject:
    return WebhookObject(
        webhook_id=webhook.webhook_id,
        url=webhook.url,
        event_types=webhook.event_types,
        secret=webhook.secret if secret else UNSET,
    )


def _check_types(names: list[str]) -> list[str]:
    """The names, each once. Raises ApiError 400 invalid_event_types."""
    unknown = not_named(name for name in names if name != "*")
    if unknown:
        raise ApiError(400, "invalid_event_types", f"there are no events named {', '.join(unknown[:5])}")
    return list(dict.fromkeys(names))


def _check_url(url: str, *, private_allowed: bool) -> None:
    """Raises ApiError 400 on `url` for what can never be delivered to."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port  # raises on what is no port
    except ValueError:
        raise invalid_field("url", "is not a URL") from None
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or not url.isprintable():
        raise invalid_field("url", "must be an http or https URL")
    if port == 0:
        raise invalid_field("url", "must have a port from 1 to 65535, or none")
    if parts.username is not None:
        raise invalid_field("url", "must not have a user name or password")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if not _HOST_NAME.fullmatch(host):
            raise invalid_field("url", "must name a host by its name or address") from None
        return  # what the name stands for is looked at before each delivery
    if not private_allowed and not is_public(host):
        raise invalid_field("url", "must not be a private address; the hub's owner can allow it")


async def _create(service: Service, params: CreateParams) -> Reply:
    _check_url(params.url, private_allowed=service.private_webhooks)
    webhook = Webhook(
        webhook_id=str(uuid4()),
        url=params.url,
        secret=new_secret(),
        event_types=_check_types(params.event_types),
        created_at_ms=service.now_ms(),
    )
    async with service.database.write() as session:
        if (await session.scalar(select(func.count()).select_from(Webhook)) or 0) >= _WEBHOOKS_MAX:
            raise ApiError(
                400, "too_many_webhooks", f"there are {_WEBHOOKS_MAX} webhooks already; delete one"
            )
        session.add(webhook)
    return {"webhook": _shown(webhook, secret=True)}


async def _get(service: Service, params: OneParams) -> Reply:
    async with service.database.read() as session:
        webhook = await session.get(Webhook, str(params.webhook_id))
    if webhook is None:
        raise not_found("webhook", params.webhook_id)
    return {"webhook": _shown(webhook, secret=True)}


async def _list(service: Service, _params: NoParams) -> Reply:
    query = select(Webhook).order_by(Webhook.created_at_ms, Webhook.webhook_id)
    async with service.database.read() as session:
        return {"webhooks": [_shown(it, secret=False) for it in await session.scalars(query)]}


async def _update(service: Service, params: UpdateParams) -> Reply:
    """Events that wait already are delivered still; one that was disabled is tried again."""
    names = _check_types(params.event_types)
    async with service.database.write() as session:
        webhook = await session.get(Webhook, str(params.webhook_id))
        if webhook is None:
            raise not_found("webhook", params.webhook_id)
        webhook.event_types = names
        webhook.disabled_at_ms = None
    return {}


async def _delete(service: Service, params: OneParams) -> Reply:
    async with service.database.write() as session:
        webhook = await session.get(Webhook, str(params.webhook_id))
        if webhook is None:
            if repeats.done_before(session, service.now_ms()) is None:
                raise not_found("webhook", params.webhook_id)
            return {}
        await session.execute(delete(Delivery).where(Delivery.webhook_id == webhook.webhook_id))
        await session.delete(webhook)
        repeats.note(session, service.now_ms())
    return {}


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "/webhooks/create",
        CREATE,
        CreateParams,
        _create,
        "Have events of these types posted to a URL.",
        {"webhook": WebhookObject},
    ),
    Operation(
        "/webhooks/get",
        READ,
        OneParams,
        _get,
        "Show one webhook with its secret.",
        {"webhook": WebhookObject},
    ),
    Operation(
        "/webhooks/list",
        READ,
        NoParams,
        _list,
        "List the webhooks.",
        {"webhooks": list[WebhookObject]},
    ),
    Operation("/webhooks/update", _REPLACE, UpdateParams, _update, "Replace the types of events.", {}),
    Operation(
        "/webhooks/delete",
        REMOVE,
        OneParams,
        _delete,
        "End it; what was not delivered yet never is.",
        {},
        once=("DELETE",),
    ),
)
