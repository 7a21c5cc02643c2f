"""What is old is forgotten: entries of the audit log, events, action attempts.

Each table is walked from its oldest row on, some rows at a time and each time in a transaction of its own: who
writes meanwhile waits for one of those and not for all. The place that rows leave in the file is used again.

What something still depends on stays, however old it is: an event that a webhook is still to be told, and those
about the hub itself, which are few and by which it knows what it has told.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Integer, bindparam, delete, exists, func, literal_column, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.errors import DoorpadError
from doorpad.store.schema import ActionAttempt, AuditEntry, Base, Delivery, Event
from doorpad.store.statements import Statement

log = logging.getLogger(__name__)

_DAY_MS = 86_400_000
# Rows looked at in one transaction. Each may be in five indexes, and nobody is served while they go: 500 of 200,000
# events at a time held the loop for up to 52 ms on a busy machine.
PART = 200


class Writing(Protocol):
    """The database, as far as this needs it."""

    def write(self) -> AbstractAsyncContextManager[AsyncSession]: ...


class Kept:
    """A table of which old rows are deleted.

    Args:
        order: a column that rises from row to row, as they were written.
        at: when a row was written, Unix milliseconds.
        may_go: what else has to hold of a row that is deleted.
    """

    def __init__(self, model: type[Base], order: Any, at: Any, *may_go: ColumnElement[bool]) -> None:
        part = select(order, at).where(order > bindparam("after")).order_by(order).limit(PART).subquery()
        self._look = Statement(select(func.max(part.c[0]), func.min(part.c[1]), func.max(part.c[1])))
        self._delete = Statement(
            delete(model).where(
                order > bindparam("after"), order <= bindparam("last"), at < bindparam("before_ms"), *may_go
            )
        )

    async def forget(self, database: Writing, before_ms: int, now_ms: int) -> int:
        """Delete rows that were written before a time; return how many.

        Younger rows follow on older ones, so that the first part without an old one is the last to be looked at;
        unless it was written while the clock was ahead.
        """
        after, deleted = 0, 0
        while True:
            async with database.write() as session:
                last, oldest_ms, newest_ms = self._look.run(session, {"after": after}).fetchone()
                if last is None or (oldest_ms >= before_ms and newest_ms <= now_ms):
                    return deleted
                asked = {"after": after, "last": last, "before_ms": before_ms}
                deleted += self._delete.run(session, asked).rowcount
            after = last


AUDIT_LOG = Kept(AuditEntry, AuditEntry.seq, AuditEntry.at_ms)
EVENTS = Kept(
    Event,
    Event.seq,
    Event.created_at_ms,
    Event.device_id.is_not(None),
    ~exists(select(1).where(Delivery.seq == Event.seq)),
)
ACTION_ATTEMPTS = Kept(ActionAttempt, literal_column("rowid", Integer), ActionAttempt.created_at_ms)


async def forget_old(database: Writing, kept_days: Mapping[Kept, int], now_ms: Callable[[], int]) -> None:
    """Keep tables as short as they shall be, for ever: now, and each day."""
    while True:
        try:
            for kept, days in kept_days.items():
                await kept.forget(database, now_ms() - days * _DAY_MS, now_ms())
        except (DoorpadError, SQLAlchemyError):
            log.exception("what is old is still there; trying again in a day")
        await asyncio.sleep(_DAY_MS / 1_000)
