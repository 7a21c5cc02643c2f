"""Holding a reply until the keypad has done what was asked: `sync: true`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from doorpad.api.attempts import attempt_now
from doorpad.api.service import Service
from doorpad.events.log import Subscription
from doorpad.store.schema import ActionAttempt

_HOLD_S = 10.0  # then the reply tells that it is still pending; clients give up after 30 s


class Watch:
    """Sees what has been logged since `watching` began, so that nothing between commit and wait is missed."""

    def __init__(self, service: Service, events: Subscription | None) -> None:
        self._service = service
        self._events = events

    async def until_finished(self, attempt: ActionAttempt) -> None:
        """Return when the attempt is no longer pending, at the latest after 10 s. At once without `sync`."""
        if self._events is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_HOLD_S):
                while await self._is_pending(attempt):
                    async for event in self._events:
                        if event.access_code_id == attempt.access_code_id:
                            break

    async def _is_pending(self, attempt: ActionAttempt) -> bool:
        return (await attempt_now(self._service, attempt)).status == "pending"


@contextlib.asynccontextmanager
async def watching(service: Service, sync: bool | None) -> AsyncIterator[Watch]:
    """Begin to watch, before the change is written, if the reply is to be held for it."""
    if not sync:
        yield Watch(service, None)
        return
    with service.feed.subscribe() as events:
        yield Watch(service, events)
