"""Events about codes that the hub concludes itself, each once."""

from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.events.log import record
from doorpad.store.identity import effect_event_id
from doorpad.store.schema import AccessCode, Device


async def tell(
    session: AsyncSession,
    code: AccessCode,
    event_type: str,
    discriminator: str | int,
    now_ms: int,
    payload: dict[str, object] | None = None,
    occurred_at_ms: int | None = None,
) -> None:
    """Log an event about a code, once for each discriminator. `occurred_at_ms`: None for now."""
    await record(
        session,
        event_id=effect_event_id(code.access_code_id, event_type, discriminator),
        event_type=event_type,
        device_id=code.device_id,
        access_code_id=code.access_code_id,
        occurred_at_ms=now_ms if occurred_at_ms is None else occurred_at_ms,
        created_at_ms=now_ms,
        payload=payload or {},
    )


async def of_version(session: AsyncSession, code: AccessCode, version: int) -> str:
    """A discriminator for what happened at a slot's version. A table that began anew gives its numbers again."""
    device = await session.get_one(Device, code.device_id)
    return f"{device.table_epoch}:{version}"
