"""The backup that was pulled for a code shares the code's fate: its window, and its end.

Whoever takes a booking back must not have to think of a second PIN that opens for it.
"""

from sqlalchemy import bindparam
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api.changed_event import changed, tell_changed
from doorpad.api.times import iso_s
from doorpad.store.audit import audit_changed
from doorpad.store.schema import AccessCode
from doorpad.store.statements import Query, change

_BACKUP = Query(
    AccessCode,
    AccessCode.access_code_id == bindparam("id"),
    AccessCode.state == "active",
    AccessCode.managed.is_(True),
)


def pulled_for(session: AsyncSession, code: AccessCode) -> AccessCode | None:
    """The backup that was pulled for the code, to look at; None if there is none, or it was deleted."""
    if code.pulled_backup_id is None:
        return None
    return _BACKUP.first(session, id=code.pulled_backup_id)


async def follow(session: AsyncSession, code: AccessCode, now_ms: int) -> None:
    """Give the backup of a code the code's window, with its event. Uses are counted for one PIN alone."""
    backup = pulled_for(session, code)
    if backup is None:
        return
    if code.uses_left is not None:
        revoke(session, code, now_ms)
        return
    asked = {"starts_at_s": code.starts_at_s, "ends_at_s": code.ends_at_s}
    changes = [
        changed(name.removesuffix("_s"), iso_s(getattr(backup, name)), iso_s(value))
        for name, value in asked.items()
        if getattr(backup, name) != value
    ]
    if not changes:
        return
    change(session, backup, **asked, announced=None, asked_at_ms=now_ms)
    audit_changed(session, backup, asked)
    await tell_changed(session, backup, changes, now_ms)


def revoke(session: AsyncSession, code: AccessCode, now_ms: int) -> None:
    """Ask for the removal of the backup of a code that is being removed."""
    backup = pulled_for(session, code)
    if backup is not None:
        asked = {"state": "removing", "asked_at_ms": now_ms}
        change(session, backup, **asked)
        audit_changed(session, backup, asked)
