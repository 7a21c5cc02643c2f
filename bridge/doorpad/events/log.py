"""The append-only event log: each event is written once, however often it is reported.

A reader that has to see everything reads the table. The feed is for those who want to know at once:
it tells of an event after its transaction is on disk, and drops the oldest when a reader is too slow.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.events.types import OWN
from doorpad.store.database import Database
from doorpad.store.schema import Delivery, Event, Webhook
from doorpad.store.statements import NewRow, Query

_RECORDED = "doorpad_recorded"  # where a session keeps the events of its transaction

_EVENT = NewRow(Event, once=Event.event_id, gives=Event.seq)
_WEBHOOKS = Query(Webhook, Webhook.disabled_at_ms.is_(None))
_DELIVERY = NewRow(Delivery)


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One event as it stands in the log. `payload` holds the further fields of its type, no PIN."""

    event_id: str
    event_type: str
    device_id: str | None
    access_code_id: str | None
    occurred_at_ms: int
    created_at_ms: int
    payload: dict[str, Any]


async def record(
    session: AsyncSession,
    *,
    event_id: str,
    event_type: str,
    device_id: str | None,
    access_code_id: str | None,
    occurred_at_ms: int,
    payload: dict[str, Any],
    created_at_ms: int | None = None,
) -> bool:
    """Write the event in the session's transaction, unless its id is already in the log.

    Args:
        payload: JSON; never a PIN, for the log is kept and shown to more people than a code is.
        created_at_ms: when the hub learned of it; None is now.
    Returns:
        Whether it was new.
    """
    event = LoggedEvent(
        event_id=event_id,
        event_type=event_type,
        device_id=device_id,
        access_code_id=access_code_id,
        occurred_at_ms=occurred_at_ms,
        created_at_ms=time.time_ns() // 1_000_000 if created_at_ms is None else created_at_ms,
        payload=payload,
    )
    seq = _EVENT.add(session, {name: getattr(event, name) for name in LoggedEvent.__slots__})
    if seq is None:
        return False
    # For every webhook that wants it, in its transaction: none is lost between log and delivery.
    wanted_as = (event_type,) if event_type in OWN else ("*", event_type)
    for webhook in _WEBHOOKS.all(session):
        if not set(wanted_as).isdisjoint(webhook.event_types):
            delivery = {
                "webhook_id": webhook.webhook_id,
                "seq": seq,
                "device_id": device_id,
                "attempts": 0,
                "next_at_ms": event.created_at_ms,
            }
            _DELIVERY.add(session, delivery)
    session.info.setdefault(_RECORDED, []).append(event)
    return True


class Subscription:
    """An endless asynchronous iterator over new events, in the order of their commits."""

    def __init__(self, size_max: int) -> None:
        self._queue: asyncio.Queue[LoggedEvent] = asyncio.Queue(size_max)
        self.missed = 0  # events dropped because the reader was too slow

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> LoggedEvent:
        return await self._queue.get()

    def put(self, event: LoggedEvent) -> None:
        """Called by the feed. Never waits: a slow page must not hold up a door's log."""
        if self._queue.full():
            self._queue.get_nowait()
            self.missed += 1
        self._queue.put_nowait(event)


class EventFeed:
    """Tells its subscribers of every event that `record` wrote through this database, after the commit."""

    def __init__(self, database: Database) -> None:
        self._subscriptions: set[Subscription] = set()
        database.after_commit.append(self._publish)

    @contextlib.contextmanager
    def subscribe(self, size_max: int = 1_000) -> Iterator[Subscription]:
        """A subscription that holds at most `size_max` unread events; it ends with the block."""
        subscription = Subscription(size_max)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def _publish(self, session: AsyncSession) -> None:
        for event in session.info.get(_RECORDED, ()):
            for subscription in self._subscriptions:
                subscription.put(event)
