"""What time alone makes of codes that wait: first a warning, then an error, in the end nothing to wait for.

Told once an episode: an episode begins when the present state was asked for (`asked_at_ms`) or falls due.
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.store.schema import AccessCode, CodeError, Slot
from doorpad.store.status import expired, on_keypad, wanted
from doorpad.sync.external import gave_up_conversion
from doorpad.sync.plan import Problem
from doorpad.sync.problems import FAILED_TO_SET, raise_problem
from doorpad.sync.telling import tell
from doorpad.sync.timing import Timing

SLOW_TO_SET = "delay_in_setting_on_device"
SLOW_TO_REMOVE = "delay_in_removing_from_device"
FAILED_TO_REMOVE = "failed_to_remove_from_device"

_STILL_OPENS = "Until the keypad has been reached, the code still opens."
_OPENS_NO_MORE = "The keypad refuses the code since its end."

NEVER = float("inf")


async def judge(
    session: AsyncSession,
    codes: Iterable[AccessCode],
    held: Mapping[str, Slot],
    now_ms: int,
    timing: Timing,
) -> float:
    """Warn of and report what waits for too long; return when (Unix seconds) the next of it is due."""
    edge_s = NEVER
    for code in codes:
        slot = held.get(code.access_code_id)
        now_s = now_ms // 1000
        if not code.managed:
            if code.state == "active" and code.conversion is not None:
                edge_s = min(edge_s, await _converting(session, code, now_ms, timing))
        elif wanted(code, now_s):
            if not on_keypad(code, slot):
                edge_s = min(edge_s, await _setting(session, code, now_ms, timing))
        elif slot is not None and code.state != "deleted":
            edge_s = min(edge_s, await _removing(session, code, now_ms, timing))
    return edge_s


async def _setting(session: AsyncSession, code: AccessCode, now_ms: int, timing: Timing) -> float:
    asked_s = code.asked_at_ms / 1000
    starts_s = code.starts_at_s or asked_s
    slow_s = max(asked_s + timing.set_slow_s, starts_s - timing.set_ahead_s)
    failed_s = max(asked_s, starts_s) + timing.set_failed_s
    if now_ms >= slow_s * 1000:
        event_type = "access_code.delay_in_setting_on_device"
        await raise_problem(
            session, code, Problem(SLOW_TO_SET, {}), now_ms, event_type=event_type, is_warning=True
        )
    if now_ms >= failed_s * 1000 and not await _has_error(session, code):
        await raise_problem(session, code, Problem(FAILED_TO_SET, {"late": True}), now_ms)
    return _next(now_ms, slow_s, failed_s)


async def _has_error(session: AsyncSession, code: AccessCode) -> bool:
    """Whether an error already says that the code is not on the keypad."""
    errors = await session.scalar(
        select(func.count()).where(
            CodeError.access_code_id == code.access_code_id, CodeError.is_warning.is_(False)
        )
    )
    return bool(errors)


async def _removing(session: AsyncSession, code: AccessCode, now_ms: int, timing: Timing) -> float:
    since_s = code.asked_at_ms / 1000
    if code.state != "removing":
        since_s = max(since_s, _ended_s(code) or since_s)
    hint = _OPENS_NO_MORE if expired(code, now_ms // 1000) else _STILL_OPENS
    slow_s, failed_s = since_s + timing.remove_slow_s, since_s + timing.remove_failed_s
    if now_ms >= slow_s * 1000:
        event_type = "access_code.delay_in_removing_from_device"
        slow = Problem(SLOW_TO_REMOVE, {})
        await raise_problem(session, code, slow, now_ms, event_type=event_type, is_warning=True, hint=hint)
    if now_ms >= failed_s * 1000:
        event_type = "access_code.failed_to_remove_from_device"
        await raise_problem(
            session, code, Problem(FAILED_TO_REMOVE, {}), now_ms, event_type=event_type, hint=hint
        )
    return _next(now_ms, slow_s, failed_s)


def _ended_s(code: AccessCode) -> float | None:
    return code.ends_at_s if code.used_at_ms is None else code.used_at_ms / 1000


async def _converting(session: AsyncSession, code: AccessCode, now_ms: int, timing: Timing) -> float:
    failed_s = code.asked_at_ms / 1000 + timing.convert_failed_s
    if now_ms < failed_s * 1000:
        return failed_s
    await gave_up_conversion(session, code, now_ms)
    return NEVER


def _next(now_ms: int, *edges_s: float) -> float:
    return min((edge for edge in edges_s if edge * 1000 > now_ms), default=NEVER)


async def retire(session: AsyncSession, device_id: str, now_ms: int, timing: Timing) -> float:
    """Delete what ended long ago and is off the keypad; return when (Unix seconds) the next is to go."""
    ended = (
        AccessCode.device_id == device_id,
        AccessCode.managed,
        AccessCode.state == "active",
        AccessCode.slot.is_(None),
    )
    ended_s = func.coalesce(AccessCode.used_at_ms // 1000, AccessCode.ends_at_s)
    gone_s = now_ms / 1000 - timing.ended_kept_s
    for code in (await session.scalars(select(AccessCode).where(*ended, ended_s <= gone_s))).all():
        code.state = "deleted"
        code.deleted_at_ms = now_ms
        await tell(session, code, "access_code.deleted", 0, now_ms)
    await session.flush()
    first = await session.scalar(select(func.min(ended_s)).where(*ended))
    return NEVER if first is None else first + timing.ended_kept_s
