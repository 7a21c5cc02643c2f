"""Offline codes: PINs that the lock makes up itself, which end if nobody opens with them within a day.

A keypad that plays such a lock holds them in slots as any other code. That one was used says its journal; one that
was not is used up here when its day is over, and then leaves the keypad by the way of all codes that have ended.
"""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.store import brands
from doorpad.store.schema import UNUSED, USED, AccessCode, Device

_DAY_S = 86_400
_NEVER = float("inf")


def opened(code: AccessCode) -> None:
    """Somebody has opened with the code: from now on it lasts until its end."""
    if code.offline == UNUSED:
        code.offline = USED


async def lapse(session: AsyncSession, device: Device, now_ms: int) -> float:
    """End those that were not used in time; return when (Unix seconds) the next one lapses.

    The day begins with the code's window, or when it was made if that was later. The journal has been read before:
    who opened while the keypad was away has opened.
    """
    if not brands.of(device).has_offline_codes:
        return _NEVER
    unused = await session.scalars(
        select(AccessCode).where(
            AccessCode.device_id == device.device_id,
            AccessCode.offline == UNUSED,
            AccessCode.state == "active",
            AccessCode.used_at_ms.is_(None),
        )
    )
    next_s = _NEVER
    for code in unused.all():
        until_s = max(code.starts_at_s or 0, code.created_at_ms // 1000) + _DAY_S
        if now_ms < until_s * 1000:
            next_s = min(next_s, until_s)
        else:
            code.used_at_ms = now_ms
    return next_s
