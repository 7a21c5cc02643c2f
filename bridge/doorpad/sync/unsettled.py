"""Which rows a keypad's next plan has to look at: those that time, the API or the keypad has unsettled.

A hub with a thousand codes that changes one must not read a thousand. What is settled (on the keypad as wanted,
and told) is left out by the database; what could stand in the way of the rest is read beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from doorpad_link.messages import SINGLE_USE
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.store.schema import AccessCode, Slot
from doorpad.store.status import wanted


@dataclass(frozen=True, slots=True)
class Unsettled:
    """As `plan` takes them. `held`: the slot of each code that has one."""

    codes: Sequence[AccessCode]
    held: dict[str, Slot]
    orphans: Sequence[Slot]
    used: frozenset[int]
    next_due_s: float


AT_ITS_SLOT = and_(
    Slot.device_id == AccessCode.device_id,
    Slot.slot == AccessCode.slot,
    or_(AccessCode.managed.is_(False), Slot.access_code_id == AccessCode.access_code_id),
)


def _settled(now_s: int) -> ColumnElement[bool]:
    as_wanted = and_(
        Slot.code.is_not_distinct_from(AccessCode.code),
        Slot.from_s.is_not_distinct_from(AccessCode.starts_at_s),
        Slot.until_s.is_not_distinct_from(AccessCode.ends_at_s),
        (Slot.flags.op("&")(SINGLE_USE) == SINGLE_USE) == AccessCode.one_time,
    )
    told = or_(
        AccessCode.announced == "set",
        and_(AccessCode.announced == "scheduled", AccessCode.starts_at_s > now_s),
    )
    used = AccessCode.used_at_ms.is_not(None)
    in_time = and_(~used, or_(AccessCode.ends_at_s.is_(None), AccessCode.ends_at_s > now_s))
    ended = and_(or_(used, AccessCode.ends_at_s <= now_s), AccessCode.slot.is_(None))
    return and_(
        AccessCode.state == "active",
        or_(
            and_(AccessCode.managed.is_(False), AccessCode.conversion.is_(None)),
            and_(AccessCode.managed, as_wanted, told, in_time),
            and_(AccessCode.managed, ended),
            and_(AccessCode.managed, AccessCode.taken_off, AccessCode.slot.is_(None)),
        ),
    )


async def read(session: AsyncSession, device_id: str, capacity: int, now_s: int) -> Unsettled:
    """Read what a plan for this keypad needs."""
    of_device = AccessCode.device_id == device_id
    living = and_(of_device, AccessCode.state != "deleted")
    used = frozenset(await session.scalars(select(Slot.slot).where(Slot.device_id == device_id)))
    rows = await session.execute(
        select(AccessCode, Slot)
        .outerjoin(Slot, AT_ITS_SLOT)
        .where(living, ~func.coalesce(_settled(now_s), False))
    )
    pairs: list[tuple[AccessCode, Slot | None]] = [(row[0], row[1]) for row in rows]
    scarce = len(used) >= capacity
    pairs += await _in_the_way(session, device_id, [code for code, _ in pairs], now_s, scarce=scarce)
    codes = {code.access_code_id: code for code, _ in pairs}
    orphans = await session.scalars(
        select(Slot)
        .join(AccessCode, AccessCode.access_code_id == Slot.access_code_id)
        .where(Slot.device_id == device_id, AccessCode.managed, AccessCode.state == "deleted")
    )
    return Unsettled(
        list(codes.values()),
        {code.access_code_id: slot for code, slot in pairs if slot is not None},
        orphans.all(),
        used,
        await _next_due_s(session, living, now_s),
    )


async def _in_the_way(
    session: AsyncSession, device_id: str, codes: Sequence[AccessCode], now_s: int, *, scarce: bool
) -> list[tuple[AccessCode, Slot | None]]:
    """Whoever holds a PIN that is to be written, and, where slots are scarce, whoever could give one up."""
    pins = [code.code for code in codes if code.code is not None and wanted(code, now_s)]
    if not pins:
        return []
    standing: ColumnElement[bool] = Slot.code.in_(pins)
    if scarce:
        standing = or_(standing, and_(AccessCode.managed, AccessCode.starts_at_s > now_s))
    rows = await session.execute(
        select(AccessCode, Slot)
        .join(Slot, AT_ITS_SLOT)
        .where(AccessCode.device_id == device_id, AccessCode.state != "deleted", standing)
    )
    return [(row[0], row[1]) for row in rows]


async def _next_due_s(session: AsyncSession, living: ColumnElement[bool], now_s: int) -> float:
    """When time alone next changes what the keypad shall hold or is said to hold; infinity for never."""
    edges = [
        await session.scalar(select(func.min(edge)).where(living, AccessCode.managed, edge > now_s))
        for edge in (AccessCode.starts_at_s, AccessCode.ends_at_s)
    ]
    return min((float(edge) for edge in edges if edge is not None), default=float("inf"))
