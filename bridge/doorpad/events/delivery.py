"""Delivering the outbox: at least once, in order within a device, for a week.

Each pair of webhook and device is a queue; its first event is tried until it is acknowledged or too old. So a
receiver that is down holds up nobody but itself, and one door's trouble not another's news.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import BigInteger, String, bindparam, delete, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from doorpad.events.log import EventFeed
from doorpad.events.posting import Post
from doorpad.events.signing import signed_headers
from doorpad.store.database import Database
from doorpad.store.schema import Delivery, Event, Hub, Webhook
from doorpad.store.statements import Statement

# As upstream: at once, then after so long, and on at the last interval.
RETRIES_S = (5, 300, 1_800, 7_200, 18_000, 36_000)
KEPT_MS = 7 * 86_400_000
_GONE = 410  # the receiver's word for "never again"
_AT_ONCE_MAX = 4  # posts under way to one receiver
_AGAIN_S = 5.0  # after the hub's own database failed: another program may have locked it

log = logging.getLogger(__name__)

# Made once: each event wakes the deliverer, and to put these together takes longer than to ask them.
_ANY = Statement(select(Delivery.seq).limit(1))


# The first event of each queue. The queues are walked from device to device by their index: a receiver that is down
# has all that happened in a week in the outbox, and nobody else may wait while that is read. The last queue of each
# webhook is that of no device.
_FIRST = (
    text("""
        WITH RECURSIVE queues (webhook_id, device_id) AS (
            SELECT w.webhook_id, (SELECT min(d.device_id) FROM deliveries d WHERE d.webhook_id = w.webhook_id)
            FROM webhooks w
            UNION ALL
            SELECT q.webhook_id, (
                SELECT min(d.device_id) FROM deliveries d
                WHERE d.webhook_id = q.webhook_id AND d.device_id > q.device_id
            )
            FROM queues q WHERE q.device_id IS NOT NULL
        )
        SELECT q.webhook_id, (
            SELECT min(d.seq) FROM deliveries d WHERE d.webhook_id = q.webhook_id AND d.device_id IS q.device_id
        ) AS seq
        FROM queues q
    """)
    .columns(webhook_id=String, seq=BigInteger)
    .subquery("first")
)
_HEADS = (
    select(Delivery, Event, Webhook)
    .select_from(_FIRST)
    .join(Delivery, (Delivery.webhook_id == _FIRST.c.webhook_id) & (Delivery.seq == _FIRST.c.seq))
    .join(Event, Event.seq == Delivery.seq)
    .join(Webhook, Webhook.webhook_id == Delivery.webhook_id)
    .order_by(Delivery.next_at_ms, Delivery.seq)
)
_OLD = (
    select(Delivery.seq)
    .join(Event, Event.seq == Delivery.seq)
    .where(Event.created_at_ms <= bindparam("until_ms"))
)

Queue = tuple[str, str | None]  # webhook, device


@dataclass(frozen=True, slots=True)
class _Due:
    queue: Queue
    seq: int
    attempts: int
    url: str
    event: Event
    secret: str


class Deliverer:
    """`run()` until cancelled.

    Args:
        render: an event as receivers get it.
        now_ms: Unix milliseconds; when it is moved, `wake()`.
    """

    def __init__(
        self,
        database: Database,
        feed: EventFeed,
        post: Post,
        render: Callable[[Hub, Event], dict[str, Any]],
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._feed = feed
        self._post = post
        self._render = render
        self._now_ms = now_ms
        self._woken = asyncio.Event()
        self._under_way: dict[Queue, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """Something may be due now."""
        self._woken.set()

    async def run(self) -> None:
        listening = asyncio.create_task(self._listen())
        try:
            while True:
                self._woken.clear()
                try:
                    next_ms = await self._start_due()
                except SQLAlchemyError:
                    log.exception("webhooks: what is due could not be read; again in %g s", _AGAIN_S)
                    next_ms = self._now_ms() + round(_AGAIN_S * 1000)
                seconds = None if next_ms is None else max(next_ms - self._now_ms(), 0) / 1000
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._woken.wait()
        finally:
            tasks = [listening, *self._under_way.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self) -> None:
        with self._feed.subscribe() as events:
            async for _ in events:
                self.wake()

    async def _start_due(self) -> int | None:
        """Start what is due and has room; return when the next is due, None if nothing waits for time."""
        now_ms = self._now_ms()
        async with self._database.read() as session:
            if _ANY.run(session, {}).fetchone() is None:
                return None
        hub = await self._database.hub()
        next_ms: int | None = None
        busy = set(self._under_way)  # what ends while the heads are read may still be among them
        heads = await self._heads()
        if any(due.event.created_at_ms <= now_ms - KEPT_MS for due, _ in heads):
            await self._drop_old(now_ms)
            heads = await self._heads()
        for due, at_ms in heads:
            if due.queue in busy:
                continue
            if at_ms > now_ms:
                next_ms = at_ms if next_ms is None else min(next_ms, at_ms)
            elif sum(webhook == due.queue[0] for webhook, _ in self._under_way) < _AT_ONCE_MAX:
                task = asyncio.create_task(self._deliver(hub, due))
                self._under_way[due.queue] = task
                task.add_done_callback(partial(self._ended, due.queue))
        return next_ms

    def _ended(self, queue: Queue, task: asyncio.Task[None]) -> None:
        del self._under_way[queue]
        if task.cancelled():
            return
        if error := task.exception():
            log.error("webhook %s: a delivery failed in the hub itself", queue[0], exc_info=error)
            # What it was is still due.
            asyncio.get_running_loop().call_later(_AGAIN_S, self.wake)
        else:
            self.wake()

    async def _heads(self) -> list[tuple[_Due, int]]:
        """The first event of each queue, and when it may be tried."""
        async with self._database.read() as session:
            rows = (await session.execute(_HEADS)).all()
        return [
            (
                _Due(
                    (webhook.webhook_id, delivery.device_id),
                    delivery.seq,
                    delivery.attempts,
                    webhook.url,
                    event,
                    webhook.secret,
                ),
                delivery.next_at_ms,
            )
            for delivery, event, webhook in rows
        ]

    async def _deliver(self, hub: Hub, due: _Due) -> None:
        body = msgspec.json.encode(self._render(hub, due.event))
        headers = signed_headers(due.secret, due.event.event_id, self._now_ms() // 1000, body)
        status = await self._post(due.url, headers, body)
        webhook_id = due.queue[0]
        this = (Delivery.webhook_id == webhook_id, Delivery.seq == due.seq)
        async with self._database.write() as session:
            now_ms = self._now_ms()
            if status is not None and 200 <= status < 300:
                await session.execute(delete(Delivery).where(*this))
                # It answers again: whatever else waits for it need not wait longer.
                await session.execute(
                    update(Delivery)
                    .where(Delivery.webhook_id == webhook_id, Delivery.next_at_ms > now_ms)
                    .values(next_at_ms=now_ms)
                )
            elif status == _GONE:
                await session.execute(delete(Delivery).where(Delivery.webhook_id == webhook_id))
                await session.execute(
                    update(Webhook).where(Webhook.webhook_id == webhook_id).values(disabled_at_ms=now_ms)
                )
            else:
                wait_s = RETRIES_S[min(due.attempts, len(RETRIES_S) - 1)]
                await session.execute(
                    update(Delivery)
                    .where(*this)
                    .values(attempts=due.attempts + 1, next_at_ms=now_ms + wait_s * 1000)
                )

    async def _drop_old(self, now_ms: int) -> None:
        async with self._database.write() as session:
            await session.execute(
                delete(Delivery).where(Delivery.seq.in_(_OLD)), {"until_ms": now_ms - KEPT_MS}
            )
