"""Requests that are sent again: the SDKs send a PUT or DELETE up to three times when its answer is lost.

What such a request has done is noted in the very transaction that does it. The same request by the same key within
a minute finds that, and does nothing: also where the hub was started anew in between, and where both come at a time.
"""

import hashlib
from collections.abc import Sequence
from contextvars import ContextVar

from sqlalchemy import bindparam, delete, or_
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.store.audit import acting
from doorpad.store.schema import RepeatableRequest
from doorpad.store.statements import NewRow, Query, Statement

_KEPT_MS = 60_000

_NOTE = NewRow(RepeatableRequest)
_NOTED = Query(
    RepeatableRequest,
    RepeatableRequest.request == bindparam("request"),
    RepeatableRequest.at_ms.between(bindparam("since_ms"), bindparam("until_ms")),
)
# Also what a clock that was ahead has left.
_FORGET = Statement(
    delete(RepeatableRequest).where(
        or_(
            RepeatableRequest.request == bindparam("request"),
            ~RepeatableRequest.at_ms.between(bindparam("since_ms"), bindparam("until_ms")),
        )
    )
)

# Names the request that is being served, if it is of those that are sent again.
_present: ContextVar[str | None] = ContextVar("present", default=None)


def begin(*said: bytes, repeatable: bool) -> None:
    """A request is served from now on in this context: `said`, by the key that is acting."""
    actor = acting.get()
    whole = b"\0".join((b"" if actor is None else actor.key_id.encode(), *said))
    _present.set(hashlib.sha256(whole).hexdigest() if repeatable else None)


def done_before(session: AsyncSession, now_ms: int) -> list[str] | None:
    """The ids of what this request has made within the last minute; None if it is a new one."""
    if _present.get() is None:
        return None
    noted = _NOTED.first(session, **_lately(now_ms))
    return None if noted is None else noted.made


def note(session: AsyncSession, now_ms: int, made: Sequence[str] = ()) -> None:
    """Remember, with the session's work or not at all, that this request was done and made what has these ids."""
    if _present.get() is not None:
        _FORGET.run(session, _lately(now_ms))
        _NOTE.add(session, {"request": _present.get(), "at_ms": now_ms, "made": list(made)})


def _lately(now_ms: int) -> dict[str, object]:
    """The clock may have been put back a little since."""
    return {"request": _present.get(), "since_ms": now_ms - _KEPT_MS + 1, "until_ms": now_ms + _KEPT_MS}
