"""The application: every path in one table, one way in and one way out."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from doorpad.api import (
    about,
    access_codes,
    account_link,
    attempts,
    backup_codes,
    code_changes,
    code_groups,
    device_changes,
    device_codes,
    device_removal,
    device_simulation,
    devices,
    events,
    installation,
    locks,
    not_possible,
    repeats,
    simulate,
    unmanaged,
    webhooks,
)
from doorpad.api.errors import ApiError
from doorpad.api.gate import Asked, Gate, Route
from doorpad.api.kept import KeptReplies
from doorpad.api.keys import ApiKeys
from doorpad.api.paging import Pagination
from doorpad.api.params import decode
from doorpad.api.prevented import note_prevented
from doorpad.api.readers import check_question, without_secrets
from doorpad.api.service import READ, AnyOperation, Bench, Changes, Service
from doorpad.api.vocabulary import Vocabulary, in_vocabulary
from doorpad.events.log import EventFeed
from doorpad.store.database import Database

OPERATIONS: tuple[AnyOperation, ...] = (
    *access_codes.OPERATIONS,
    *code_changes.OPERATIONS,
    *code_groups.OPERATIONS,
    *device_codes.OPERATIONS,
    *backup_codes.OPERATIONS,
    *unmanaged.OPERATIONS,
    *simulate.OPERATIONS,
    *device_simulation.OPERATIONS,
    *devices.OPERATIONS,
    *device_changes.OPERATIONS,
    *device_removal.OPERATIONS,
    *locks.OPERATIONS,
    *not_possible.OPERATIONS,
    *events.OPERATIONS,
    *webhooks.OPERATIONS,
    *attempts.OPERATIONS,
    *installation.OPERATIONS,
    *account_link.OPERATIONS,
)


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
    lines: Callable[[], list[dict[str, Any]]] = list,
) -> Gate:
    """The API as an ASGI application.

    Args:
        now_ms: the hub's clock, Unix milliseconds.
        feed: of the same database; tells when a code typed at a keypad has been read back.
        private_webhooks: whether a webhook may be at an address that is not public.
        errors_vocabulary: the names of errors and warnings in all replies.
        lines: how the line of each keypad is doing, for /health (sync/lines.py).
    """
    service = Service(
        database=database,
        changes=changes,
        bench=bench,
        feed=feed,
        now_ms=now_ms,
        private_webhooks=private_webhooks,
    )
    kept = KeptReplies(database)
    routes = {
        operation.path: Route(
            operation.verbs,
            _answer(operation, service, kept, errors_vocabulary),
            changes=operation.verbs != READ,
        )
        for operation in OPERATIONS
    }
    return Gate(routes | about.routes(OPERATIONS, database, lines), keys, now_ms)


def _answer(
    operation: AnyOperation, service: Service, kept: KeptReplies, vocabulary: Vocabulary
) -> Callable[[Asked], Awaitable[bytes]]:
    async def run(asked: Asked) -> dict[str, Any]:
        params = decode(operation.params, asked.query, asked.body)
        if asked.read_only:
            check_question(params)
        try:
            found = await operation.run(service, params)
        except ApiError as error:
            await note_prevented(service, error)
            raise
        reply = {**in_vocabulary(vocabulary, found), "ok": True}
        pagination = reply.get("pagination")
        if isinstance(pagination, Pagination):
            reply["pagination"] = pagination.with_url(asked.base_url + operation.path, params)
        return reply

    async def answer(asked: Asked) -> bytes:
        if operation.once:
            path = operation.path.encode()
            repeats.begin(path, asked.query, asked.body, repeatable=asked.verb in operation.once)
        return _body(asked, await run(asked))

    async def answer_from_kept(asked: Asked) -> bytes:
        assert operation.lasts_until_ms is not None
        question = (operation.path, asked.query, asked.body, asked.read_only)
        now_ms = service.now_ms()
        body = kept.get(question, now_ms)
        if body is None:
            version = kept.version
            reply = await run(asked)
            body = _body(asked, reply)
            # With an address of the next page it is for one client only: it has the name that it knows us by.
            if getattr(reply.get("pagination"), "next_page_url", None) is None:
                kept.keep(question, body, version, now_ms, operation.lasts_until_ms(reply, now_ms))
        return body

    return answer if operation.lasts_until_ms is None else answer_from_kept


def _body(asked: Asked, reply: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(without_secrets(reply) if asked.read_only else reply)
