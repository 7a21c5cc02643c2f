"""Events about the hub as a whole, which the API calls a connected account. Each is told once."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.events.log import record
from doorpad.store.identity import connect_webview_id_for, effect_event_id
from doorpad.store.schema import Event, Hub

CREATED = "connected_account.created"
FIRST_SYNC = "connected_account.completed_first_sync"
SYNC_AFTER = "connected_account.completed_first_sync_after_reconnection"
_CONNECTED = "connected_account.connected"


async def tell_of_creation(session: AsyncSession) -> None:
    """The hub's database is there."""
    hub = await session.get_one(Hub, 1)
    webview_id = connect_webview_id_for(hub.connected_account_id)
    await _tell(session, CREATED, "", hub.created_at_ms, {"connect_webview_id": webview_id})


async def tell_of_sync(session: AsyncSession, now_ms: int) -> None:
    """All keypads hold what is wanted of them: the first time, and the first time after a reconnection."""
    await _tell(session, FIRST_SYNC, "", now_ms)
    newest = select(Event.event_id).where(Event.event_type == _CONNECTED).order_by(Event.seq.desc()).limit(1)
    reconnected = await session.scalar(newest)
    if reconnected is not None:
        await _tell(session, SYNC_AFTER, reconnected, now_ms)


async def _tell(
    session: AsyncSession,
    event_type: str,
    discriminator: str,
    now_ms: int,
    payload: dict[str, object] | None = None,
) -> None:
    hub = await session.get_one(Hub, 1)
    await record(
        session,
        event_id=effect_event_id(hub.connected_account_id, event_type, discriminator),
        event_type=event_type,
        device_id=None,
        access_code_id=None,
        occurred_at_ms=now_ms,
        created_at_ms=now_ms,
        payload=payload or {},
    )
