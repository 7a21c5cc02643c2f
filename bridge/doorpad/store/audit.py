"""The audit log: who changed what, an API key or a user of the hub's system at its command line.

What lies in the database is logged in the very transaction of its change. What lies elsewhere, on a keypad, is
logged before it is asked for, and the entry taken back where that was refused: no change is without its entry, and
one whose outcome nobody knows has one too.

It tells the names of the fields that changed and never their values: there are PINs and secrets among them.
"""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import closing
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal

import msgspec
from sqlalchemy import FromClause, bindparam, delete, event, inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from doorpad import os_user
from doorpad.errors import DoorpadError
from doorpad.store.retention import Writing
from doorpad.store.schema import AccessCode, ActionAttempt, AuditEntry, Base, Device, Hub, Webhook
from doorpad.store.statements import NewRow, Statement

Did = Literal["created", "changed", "deleted"]

_ID_OF: dict[FromClause, tuple[str, str]] = {
    AccessCode.__table__: ("access_code", "access_code_id"),
    ActionAttempt.__table__: ("action_attempt", "action_attempt_id"),
    Device.__table__: ("device", "device_id"),
    Hub.__table__: ("connected_account", "connected_account_id"),
    Webhook.__table__: ("webhook", "webhook_id"),
}

_ACTOR = "actor"  # where a session keeps who asked for its changes
_ENTRY = NewRow(AuditEntry, gives=AuditEntry.seq)
_TAKE_BACK = Statement(delete(AuditEntry).where(AuditEntry.seq == bindparam("seq")))


class Actor(msgspec.Struct, frozen=True, gc=False):
    """Who asks for a change, and how: an API key, by its id and name, in one request at one time.

    `of_user` makes that of a person at the command line, who has no key and makes no request.
    """

    key_id: str
    key_name: str
    request_id: str
    path: str
    at_ms: int


def of_user(command: str, at_ms: int, user: str | None = None) -> Actor:
    """A user of the hub's system, by default the one who runs this process, in a command such as "doorpad run"."""
    return Actor("", f"user {user or os_user.name()}", "", command, at_ms)


class NoAuditLog(DoorpadError):
    """The database cannot be read, or knows of no audit log."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}; has a bridge of this version used it?")


# Set by the API for the request that it serves; nobody's while the hub works by itself.
acting: ContextVar[Actor | None] = ContextVar("acting", default=None)


def audit(session: AsyncSession) -> None:
    """Log what the session will change in the name of the present actor, if there is one."""
    session.info[_ACTOR] = acting.get()


@event.listens_for(Session, "before_flush")
def _log(flushing: Session, _context: Any, _objects: Any) -> None:
    actor = flushing.info.get(_ACTOR)
    if actor is not None:
        flushing.add_all([AuditEntry(**entry) for entry in _entries(flushing, actor)])


def audit_created(session: AsyncSession, subject: Base, by: Actor | None = None) -> None:
    """Log an object that the present actor has not written by the session itself, or that somebody else wrote."""
    actor = by or acting.get()
    if actor is not None:
        kind, id_name = _ID_OF[subject.__table__]
        _ENTRY.add(session, _entry(actor, "created", kind, getattr(subject, id_name), []))


def audit_changed(
    session: AsyncSession, subject: Base, fields: Collection[str], by: Actor | None = None
) -> None:
    """Log that these fields of an object were changed, as `audit_created`."""
    actor = by or acting.get()
    if actor is not None and fields:
        kind, id_name = _ID_OF[subject.__table__]
        in_order = [it.key for it in subject.__table__.columns if it.key in fields]
        _ENTRY.add(session, _entry(actor, "changed", kind, getattr(subject, id_name), in_order))


@contextlib.asynccontextmanager
async def audited(
    database: Writing,
    actor: Actor,
    device_id: str,
    fields: Collection[str],
    refusals: type[Exception] | tuple[type[Exception], ...],
) -> AsyncIterator[None]:
    """Log a change that the block makes at a keypad, before it makes it.

    Args:
        refusals: what the block raises when it has changed nothing; the entry is then taken back.
    """
    async with database.write() as session:
        seq = _ENTRY.add(session, _entry(actor, "changed", "device", device_id, sorted(fields)))
    try:
        yield
    except refusals:
        async with database.write() as session:
            _TAKE_BACK.run(session, {"seq": seq})
        raise


def read_entries(path: Path) -> Iterator[dict[str, Any]]:
    """The log, the oldest entry first, of a database file that a bridge may be using.

    Raises:
        NoAuditLog: no bridge of this version has used the file.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            for row in connection.execute("SELECT * FROM audit_log ORDER BY seq"):
                yield {**row, "fields": msgspec.json.decode(row["fields"])}
    except sqlite3.Error as error:
        raise NoAuditLog(path, str(error)) from error


def _entries(session: Session, actor: Actor) -> Iterator[dict[str, Any]]:
    changes: tuple[tuple[Did, Any], ...] = (
        ("created", session.new),
        ("changed", session.dirty),
        ("deleted", session.deleted),
    )
    for did, subjects in changes:
        for subject in subjects:
            kind, id_name = _ID_OF.get(subject.__table__, ("", ""))
            fields = _changed(subject) if did == "changed" else []
            if not kind or (did == "changed" and not fields):
                continue
            yield _entry(actor, did, kind, getattr(subject, id_name), fields)


def _entry(actor: Actor, did: Did, subject: str, subject_id: str, fields: list[str]) -> dict[str, Any]:
    return {
        "at_ms": actor.at_ms,
        "key_id": actor.key_id,
        "key_name": actor.key_name,
        "request_id": actor.request_id,
        "path": actor.path,
        "did": did,
        "subject": subject,
        "subject_id": subject_id,
        "fields": fields,
    }


def _changed(subject: Base) -> list[str]:
    return [it.key for it in inspect(subject).attrs if it.history.has_changes()]
