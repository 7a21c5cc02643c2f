"""The audit log: which API key changed what, written in the very transaction of the change.

It tells the names of the fields that changed and never their values: there are PINs and secrets among them.
"""

import sqlite3
from collections.abc import Iterator
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

Did = Literal["created", "changed", "deleted"]

_ID_OF: dict[type[Base], tuple[str, str]] = {
    AccessCode: ("access_code", "access_code_id"),
    ActionAttempt: ("action_attempt", "action_attempt_id"),
    Device: ("device", "device_id"),
    Hub: ("connected_account", "connected_account_id"),
    Webhook: ("webhook", "webhook_id"),
}


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
    actor = acting.get()
    if actor is not None:

        def log(flushing: Session, _context: Any, _objects: Any) -> None:
            flushing.add_all(list(_entries(flushing, actor)))

        event.listen(session.sync_session, "before_flush", log)


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


def _entries(session: Session, actor: Actor) -> Iterator[AuditEntry]:
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
            if isinstance(subject, ActionAttempt) and subject.access_code_id is not None:
                continue  # its code's entry says it
            yield AuditEntry(
                at_ms=actor.at_ms,
                key_id=actor.key_id,
                key_name=actor.key_name,
                request_id=actor.request_id,
                path=actor.path,
                did=did,
                subject=kind,
                subject_id=getattr(subject, id_name),
                fields=fields,
            )


def _changed(subject: Base) -> list[str]:
    return [it.key for it in inspect(subject).attrs if it.history.has_changes()]
