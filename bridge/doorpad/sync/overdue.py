"""What time alone makes of codes that wait: first a warning, then an error, in the end nothing to wait for.

Told once an episode: an episode begins when the present state was asked for (`asked_at_ms`) or falls due.

Codes that have a slot are given; those that wait for one are many, so the database finds the ones that are late.
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import and_, case, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.store.schema import OFF_KEYPAD, AccessCode, CodeError, Slot, begins_s
from doorpad.store.status import does, wanted
from doorpad.sync import conversion
from doorpad.sync.plan import Problem
from doorpad.sync.problems import FAILED_TO_SET, raise_problem
from doorpad.sync.telling import tell
from doorpad.sync.timing import Timing
from doorpad.sync.unsettled import waiting

SLOW_TO_SET = "delay_in_setting_on_device"
SLOW_TO_REMOVE = "delay_in_removing_from_device"
FAILED_TO_REMOVE = "failed_to_remove_from_device"

_STILL_OPENS = "Until the keypad has been reached, the code still opens."
_OPENS_NO_MORE = "The keypad refuses the code since its end."

NEVER = float("inf")
_AT_ONCE_MAX = 256  # codes that wait and are told of in one transaction


async def judge(
    session: AsyncSession,
    codes: Iterable[AccessCode],
    held: Mapping[str, Slot],
    now_ms: int,
    timing: Timing,
) -> float:
    """Warn of and report what is late, of codes that have a slot or are to leave one.

    Returns:
        When (Unix seconds) the next of it is due.
    """
    edge_s = NEVER
    for code in codes:
        slot = held.get(code.access_code_id)
        now_s = now_ms // 1000
        if not code.managed:
            if code.state == "active" and code.conversion is not None:
                edge_s = min(edge_s, await conversion.judge(session, code, slot, now_ms, timing))
        elif wanted(code, now_s):
            if code.slot is not None and not does(code, slot, now_s):
                edge_s = min(edge_s, await _setting(session, code, now_ms, timing))
        elif slot is not None and code.state != "deleted":
            edge_s = min(edge_s, await _removing(session, code, slot, now_ms, timing))
    return edge_s


async def judge_waiting(session: AsyncSession, device_id: str, now_ms: int, timing: Timing) -> float:
    """Warn of and report codes that have no slot and should; return when (Unix seconds) the next is due.

    That is at once if there are more of them than one transaction shall tell of.
    """
    ahead_s = now_ms // 1000 + int(timing.set_ahead_s)
    near = (*waiting(device_id, now_ms // 1000), begins_s <= ahead_s)
    asked_ms, starts_ms = AccessCode.asked_at_ms, AccessCode.starts_at_s * 1000
    slow_ms = asked_ms + int(timing.set_slow_s * 1000)  # its start is near enough
    failed_ms = case((starts_ms > asked_ms, starts_ms), else_=asked_ms) + int(timing.set_failed_s * 1000)
    stands = exists(select(1).where(CodeError.access_code_id == AccessCode.access_code_id, _STANDS))
    warned = exists(
        select(1).where(
            CodeError.access_code_id == AccessCode.access_code_id, CodeError.error_code == SLOW_TO_SET
        )
    )
    late = await session.scalars(
        select(AccessCode)
        .where(*near, or_(and_(slow_ms <= now_ms, ~warned), and_(failed_ms <= now_ms, ~stands)))
        .limit(_AT_ONCE_MAX)
    )
    told = 0
    for code in late.all():
        await _setting(session, code, now_ms, timing)
        told += 1
    if told == _AT_ONCE_MAX:
        return now_ms / 1000
    following_s = await session.scalar(
        select(func.min(begins_s)).where(*waiting(device_id, now_ms // 1000), begins_s > ahead_s)
    )
    (edges_ms,) = await session.execute(
        select(*(func.min(case((edge > now_ms, edge))) for edge in (slow_ms, failed_ms))).where(*near)
    )
    edges_s: list[float] = [edge / 1000 for edge in edges_ms if edge is not None]
    if following_s is not None:
        edges_s.append(following_s - timing.set_ahead_s)
    return min(edges_s, default=NEVER)


_STANDS = CodeError.is_warning.is_(False)


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
        select(func.count()).where(CodeError.access_code_id == code.access_code_id, _STANDS)
    )
    return bool(errors)


async def _removing(
    session: AsyncSession, code: AccessCode, slot: Slot, now_ms: int, timing: Timing
) -> float:
    since_s = code.asked_at_ms / 1000
    if code.state != "removing":
        since_s = max(since_s, _ended_s(code) or since_s)
    # By what the keypad holds: a code may have been shortened, or given out, while it could not be told.
    ended = code.used_at_ms is not None or (slot.until_s is not None and slot.until_s * 1000 <= now_ms)
    hint = _OPENS_NO_MORE if ended else _STILL_OPENS
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


def _next(now_ms: int, *edges_s: float) -> float:
    return min((edge for edge in edges_s if edge * 1000 > now_ms), default=NEVER)


async def retire(session: AsyncSession, device_id: str, now_ms: int, timing: Timing) -> float:
    """Delete what ended long ago and is off the keypad; return when (Unix seconds) the next is to go."""
    off = and_(OFF_KEYPAD, AccessCode.device_id == device_id)
    kept_ms = int(timing.ended_kept_s * 1000)
    edge_s = NEVER
    for ended, unit_ms, of_kind in (
        (AccessCode.ends_at_s, 1000, and_(off, AccessCode.used_at_ms.is_(None))),
        (AccessCode.used_at_ms, 1, and_(off, AccessCode.used_at_ms.is_not(None))),
    ):
        gone = select(AccessCode).where(of_kind, ended <= (now_ms - kept_ms) // unit_ms)
        for code in (await session.scalars(gone)).all():
            code.state = "deleted"
            code.deleted_at_ms = now_ms
            await tell(session, code, "access_code.deleted", 0, now_ms)
        await session.flush()
        first = await session.scalar(select(func.min(ended)).where(of_kind))
        if first is not None:
            edge_s = min(edge_s, (first * unit_ms + kept_ms) / 1000)
    return edge_s
