"""Letting time pass for all codes of a keypad, whether it can be reached or not."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.store.schema import AccessCode, Device, Slot
from doorpad.sync import degraded, external, overdue
from doorpad.sync.effects import settle
from doorpad.sync.timing import Timing
from doorpad.sync.unsettled import AT_ITS_SLOT


async def pass_time(
    session: AsyncSession, device_id: str, now_ms: int, timing: Timing, *, may_finish: bool
) -> None:
    """Log what has become true by `now_ms`, and report what waits for too long.

    Args:
        may_finish: the mirror is fresh, so that what it lacks is not on the keypad.
    """
    rows = await session.execute(
        select(AccessCode, Slot)
        .outerjoin(Slot, AT_ITS_SLOT)
        .where(AccessCode.device_id == device_id, AccessCode.state != "deleted")
    )
    pairs: list[tuple[AccessCode, Slot | None]] = [(row[0], row[1]) for row in rows]
    for code, slot in pairs:
        if may_finish and slot is None:
            code.slot = None
        await settle(session, code, slot, now_ms)
    held = {code.access_code_id: slot for code, slot in pairs if slot is not None}
    await external.review(session, device_id, now_ms, timing)
    await overdue.judge(session, [code for code, _ in pairs], held, now_ms, timing)
    await overdue.retire(session, device_id, now_ms, timing)
    await degraded.judge(session, await session.get_one(Device, device_id), now_ms, timing)
