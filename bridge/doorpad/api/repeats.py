"""Requests that are sent again: the SDKs send a PUT up to three times when its answer is lost.

The first one's answer is given again for a minute, as long as it holds: the same request is a new one when what the
first made is gone. Where the first is still under way, the second waits for it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

_KEPT_MS = 60_000
_KEPT_MAX = 1_000

Answer = dict[str, Any]


class Repeats:
    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._kept: dict[bytes, tuple[int, asyncio.Task[Answer]]] = {}  # oldest first

    async def once(
        self,
        request: bytes,
        answer: Callable[[], Awaitable[Answer]],
        holds: Callable[[Answer], Awaitable[bool]],
    ) -> Answer:
        """The answer to this request, made now or, if it still holds, within the last minute. No refusal is kept."""
        self._forget_old()
        kept = self._kept.get(request)
        holding = kept is None or not kept[1].done() or await holds(kept[1].result())
        if not holding and self._kept.get(request) is kept:  # another repetition may have been faster
            del self._kept[request]
        if request not in self._kept:
            task = asyncio.ensure_future(_task(answer))
            self._kept[request] = (self._now_ms(), task)
        task = self._kept[request][1]
        try:
            return await asyncio.shield(task)  # the first client may hang up while the second waits
        except Exception:
            self._kept.pop(request, None)
            raise

    def _forget_old(self) -> None:
        now_ms = self._now_ms()
        for request in list(self._kept):
            if now_ms - self._kept[request][0] < _KEPT_MS and len(self._kept) < _KEPT_MAX:
                break
            del self._kept[request]


async def _task(answer: Callable[[], Awaitable[Answer]]) -> Answer:
    return await answer()
