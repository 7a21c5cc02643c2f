"""Letting time pass for all codes of a keypad, whether it can be reached or not."""

from sqlalchemy import exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.store.schema import AccessCode, Device
from doorpad.sync import backups, degraded, external, overdue, unsettled
from doorpad.sync.effects import settle
from doorpad.sync.timing import Timing


async def pass_time(
    session: AsyncSession, device_id: str, now_ms: int, timing: Timing, *, may_finish: bool
) -> None:
    """Log what has become true by `now_ms`, and report what waits for too long.

    Args:
        may_finish: the mirror is fresh, so that what it lacks is not on the keypad.
    """
    if may_finish:
        await session.execute(
            update(AccessCode)
            .where(
                AccessCode.device_id == device_id,
                AccessCode.slot.is_not(None),
                ~exists(select(1).where(unsettled.AT_ITS_SLOT)),
            )
            .values(slot=None)
            .execution_options(synchronize_session=False)
        )
    pairs = await unsettled.placed(session, device_id, now_ms // 1000)
    for code, slot in pairs:
        await settle(session, code, slot, now_ms)
    held = {code.access_code_id: slot for code, slot in pairs if slot is not None}
    await external.review(session, device_id, now_ms, timing)
    await overdue.judge(session, [code for code, _ in pairs], held, now_ms, timing)
    await overdue.judge_waiting(session, device_id, now_ms, timing)
    await overdue.retire(session, device_id, now_ms, timing)
    device = await session.get_one(Device, device_id)
    await degraded.judge(session, device, now_ms, timing)
    await backups.review(session, device, now_ms, timing)
