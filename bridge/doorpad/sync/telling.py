"""Events about codes and keypads that the hub concludes itself, each once."""

from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.events.log import record
from doorpad.store import makers
from doorpad.store.identity import effect_event_id
from doorpad.store.schema import POOLED, AccessCode, Device


async def tell(
    session: AsyncSession,
    code: AccessCode,
    event_type: str,
    discriminator: str | int,
    now_ms: int,
    payload: dict[str, object] | None = None,
    occurred_at_ms: int | None = None,
    made_by: int | None = None,
) -> None:
    """Log an event about a code, once for each discriminator. Nothing is told of one that nobody was given.

    Args:
        occurred_at_ms: None for now.
        made_by: the maker number of the hand that did it, where that is not this hub's.
    """
    if code.backup == POOLED:
        return
    shown = dict(payload or {})
    if made_by is not None:
        shown["doorpad"] = {"maker": makers.name(await session.get_one(Device, code.device_id), made_by)}
    await record(
        session,
        event_id=effect_event_id(code.access_code_id, event_type, discriminator),
        event_type=event_type,
        device_id=code.device_id,
        access_code_id=code.access_code_id,
        occurred_at_ms=now_ms if occurred_at_ms is None else occurred_at_ms,
        created_at_ms=now_ms,
        payload=shown,
    )


async def of_version(session: AsyncSession, code: AccessCode, version: int) -> str:
    """A discriminator for what happened at a slot's version. A table that began anew gives its numbers again."""
    device = await session.get_one(Device, code.device_id)
    return f"{device.table_epoch}:{version}"


async def tell_of_device(
    session: AsyncSession,
    device_id: str,
    event_type: str,
    now_ms: int,
    payload: dict[str, object] | None = None,
) -> None:
    """Log an event about a keypad; the same at the same time is one."""
    await record(
        session,
        event_id=effect_event_id(device_id, event_type, now_ms),
        event_type=event_type,
        device_id=device_id,
        access_code_id=None,
        occurred_at_ms=now_ms,
        created_at_ms=now_ms,
        payload=payload or {},
    )
