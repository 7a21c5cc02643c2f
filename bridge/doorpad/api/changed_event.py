"""The event that a client has changed a code."""

from collections.abc import Sequence
from typing import TypedDict
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.events.log import record
from doorpad.store.schema import AccessCode

# By the API's name; a PIN is not told, before and after are None then.
Change = TypedDict("Change", {"property": str, "from": str | None, "to": str | None})


def changed(name: str, before: str | None, after: str | None) -> Change:
    return {"property": name, "from": before, "to": after}


async def tell_changed(
    session: AsyncSession, code: AccessCode, changes: Sequence[Change], now_ms: int
) -> None:
    """Log it as new each time: the same change may be made again."""
    await record(
        session,
        event_id=str(uuid4()),
        event_type="access_code.changed",
        device_id=code.device_id,
        access_code_id=code.access_code_id,
        occurred_at_ms=now_ms,
        created_at_ms=now_ms,
        payload={"changed_properties": changes},
    )
