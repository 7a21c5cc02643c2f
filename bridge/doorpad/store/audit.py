"""The audit log: which API key changed what, written in the very transaction of the change.

It tells the names of the fields that changed and never their values: there are PINs and secrets among them.
"""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
from sqlalchemy import event, inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from doorpad.errors import DoorpadError
from doorpad.store.schema import AccessCode, ActionAttempt, AuditEntry, Base, Device, Hub, Webhook
from doorpad.store.statements import NewRow

Did = Literal["created", "changed", "deleted"]

_ID_OF: dict[type[Base], tuple[str, str]] = {
    AccessCode: ("access_code", "access_code_id"),
    ActionAttempt: ("action_attempt", "action_attempt_id"),
    Device: ("device", "device_id"),
    Hub: ("connected_account", "connected_account_id"),
    Webhook: ("webhook", "webhook_id"),
}

_ACTOR = "actor"  # where a session keeps who asked for its changes
_ENTRY = NewRow(AuditEntry, gives=AuditEntry.seq)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks for a change, and how: an API key, by its id and name, in one request at one time."""

    key_id: str
    key_name: str
    request_id: str
    path: str
    at_ms: int


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


def audit_created(session: AsyncSession, subject: Base) -> None:
    """Log an object that a statement, and not the session, has written."""
    actor = acting.get()
    if actor is not None:
        kind, id_name = _ID_OF[type(subject)]
        _ENTRY.add(session, _entry(actor, "created", kind, getattr(subject, id_name), []))


def audit_changed(session: AsyncSession, subject: Base, fields: Collection[str]) -> None:
    """Log that a statement, and not the session, has changed these fields of an object."""
    actor = acting.get()
    if actor is not None and fields:
        kind, id_name = _ID_OF[type(subject)]
        in_order = [it.key for it in subject.__table__.columns if it.key in fields]
        _ENTRY.add(session, _entry(actor, "changed", kind, getattr(subject, id_name), in_order))


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
            kind, id_name = _ID_OF.get(type(subject), ("", ""))
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
