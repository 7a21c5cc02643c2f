"""Which rows a keypad's next plan has to look at: those that time, the API or the keypad has unsettled.

A hub with ten thousand bookings for a keypad with a hundred slots must not read ten thousand to change one. What is
settled (on the keypad as wanted, and told) is left out by the database; of what waits for a slot the first ones
are read, which is as many as one step can write; and what could stand in the way of these is read beside them.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass

from doorpad_link.messages import COUNTED, DURESS, ENABLED, ONE_MORE_USE
from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from doorpad.store.schema import POOLED, REMOVING, WAITING, AccessCode, CodeError, Slot, begins_s
from doorpad.store.status import wanted
from doorpad.sync.plan import DUPLICATE, NO_SPACE
from doorpad.uses import COUNT_FLAGS

Pair = tuple[AccessCode, Slot | None]


@dataclass(frozen=True, slots=True)
class Unsettled:
    """As `plan` takes them. `held`: the slot of each code that has one.

    `more`: there may be further codes that are due and without a word why they are not on the keypad.
    """

    codes: Sequence[AccessCode]
    held: dict[str, Slot]
    orphans: Sequence[Slot]
    used: frozenset[int]
    next_due_s: float
    more: bool


AT_ITS_SLOT = and_(
    Slot.device_id == AccessCode.device_id,
    Slot.slot == AccessCode.slot,
    or_(AccessCode.managed.is_(False), Slot.access_code_id == AccessCode.access_code_id),
)


def _settled(now_s: int) -> ColumnElement[bool]:
    """Of a code that has a slot: there is nothing to do about it, and nothing to tell."""
    as_wanted = and_(
        Slot.code.is_not_distinct_from(AccessCode.code),
        Slot.from_s.is_not_distinct_from(AccessCode.starts_at_s),
        Slot.until_s.is_not_distinct_from(AccessCode.ends_at_s),
        Slot.flags.op("&")(ENABLED) == ENABLED,
        # As `as_flags` has it, but for a code that has no use left: that one is not in time.
        Slot.flags.op("&")(COUNT_FLAGS)
        == func.coalesce((AccessCode.uses_left - 1) * ONE_MORE_USE + COUNTED, 0),
        Slot.flags.op("&")(DURESS) == case((AccessCode.duress, DURESS), else_=0),
    )
    told = or_(
        AccessCode.announced == "set",
        and_(AccessCode.announced == "scheduled", AccessCode.starts_at_s > now_s),
    )
    in_time = and_(
        AccessCode.used_at_ms.is_(None), or_(AccessCode.ends_at_s.is_(None), AccessCode.ends_at_s > now_s)
    )
    return and_(
        AccessCode.state == "active",
        or_(
            and_(AccessCode.managed.is_(False), AccessCode.conversion.is_(None)),
            and_(AccessCode.managed, AccessCode.conversion.is_(None), as_wanted, told, in_time),
        ),
    )


def waiting(device_id: str, now_s: int) -> tuple[ColumnElement[bool], ...]:
    """The condition that a code waits for a slot of this keypad, so written that the index for it is used."""
    return (
        WAITING,
        AccessCode.device_id == device_id,
        or_(AccessCode.ends_at_s.is_(None), AccessCode.ends_at_s > now_s),
    )


_IN_ORDER = (begins_s, AccessCode.created_at_ms, AccessCode.access_code_id)


async def placed(session: AsyncSession, device_id: str, now_s: int) -> list[Pair]:
    """The codes that have a slot, or had one, and are not settled."""
    pairs: list[Pair] = []
    # In two parts, of which the index holds both: with OR between them another would look as good.
    for part in (AccessCode.slot.is_not(None), and_(AccessCode.slot.is_(None), REMOVING)):
        rows = await session.execute(
            select(AccessCode, Slot)
            .outerjoin(Slot, AT_ITS_SLOT)
            .where(
                AccessCode.device_id == device_id,
                AccessCode.state != "deleted",
                part,
                ~func.coalesce(_settled(now_s), False),
            )
        )
        pairs += [(row[0], row[1]) for row in rows]
    return pairs


async def read(
    session: AsyncSession, device_id: str, capacity: int, now_s: int, at_most: int, paused: Set[str | int]
) -> Unsettled:
    """Read what a plan for this keypad needs.

    Args:
        at_most: so many of the codes that wait are wanted, beside those in `paused`.
        paused: ids of codes that are not to be written now, and numbers of slots that are not to be cleared.
    """
    used = frozenset(await session.scalars(select(Slot.slot).where(Slot.device_id == device_id)))
    pairs = await placed(session, device_id, now_s)
    at_most += len(paused)
    pairs += [(code, None) for code in await _first_to_place(session, device_id, now_s, at_most)]
    unexplained = await _unexplained(session, device_id, now_s, at_most)
    pairs += [(code, None) for code in unexplained]
    scarce = len(used) + sum(slot is None for _, slot in pairs) > capacity
    pairs += await _in_the_way(
        session, device_id, [code for code, _ in pairs], now_s, at_most if scarce else 0
    )
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
        await _next_due_s(session, device_id, now_s),
        len(unexplained) >= at_most,
    )


async def _first_to_place(
    session: AsyncSession, device_id: str, now_s: int, at_most: int
) -> Sequence[AccessCode]:
    """The first ones that wait, without those whose PIN stands on the keypad for another that has precedence.

    These would fill the front: a guest who comes each week with one PIN has a year of them.
    """
    holder = aliased(AccessCode)
    gives_way = and_(
        holder.managed,
        or_(holder.backup == POOLED, and_(holder.starts_at_s > now_s, holder.starts_at_s > begins_s)),
    )
    barred = exists(
        select(1)
        .select_from(Slot)
        .outerjoin(
            holder,
            and_(holder.device_id == Slot.device_id, holder.slot == Slot.slot, holder.state != "deleted"),
        )
        .where(
            Slot.device_id == AccessCode.device_id,
            Slot.code == AccessCode.code,
            ~func.coalesce(gives_way, False),
        )
    )
    found = await session.scalars(
        select(AccessCode)
        .where(*waiting(device_id, now_s), AccessCode.code.is_not(None), ~barred)
        .order_by(*_IN_ORDER)
        .limit(at_most)
    )
    return found.all()


async def _unexplained(
    session: AsyncSession, device_id: str, now_s: int, at_most: int
) -> Sequence[AccessCode]:
    """Of those that are due and wait: first the ones with no error that says why, then those said to be duplicates,
    which may be ones of another code by now."""
    said = (
        select(CodeError.error_code)
        .where(
            CodeError.access_code_id == AccessCode.access_code_id,
            CodeError.error_code.in_((NO_SPACE, DUPLICATE)),
        )
        .limit(1)
        .scalar_subquery()
    )
    found = await session.scalars(
        select(AccessCode)
        .where(
            *waiting(device_id, now_s),
            begins_s <= now_s,
            AccessCode.backup.is_distinct_from(POOLED),
            AccessCode.code.is_not(None),
            said.is_distinct_from(NO_SPACE),
        )
        .order_by(case((said.is_(None), 0), else_=1), *_IN_ORDER)
        .limit(at_most)
    )
    return found.all()


async def _in_the_way(
    session: AsyncSession, device_id: str, codes: Sequence[AccessCode], now_s: int, may_go: int
) -> list[Pair]:
    """Whoever holds a PIN that is to be written, and the last `may_go` of those that could give up a slot."""
    pins = {code.code for code in codes if code.code is not None and wanted(code, now_s)}
    if not pins:
        return []
    at_its_slot = (
        select(AccessCode, Slot)
        .join(Slot, AT_ITS_SLOT)
        .where(AccessCode.device_id == device_id, AccessCode.state != "deleted", AccessCode.slot.is_not(None))
    )
    pairs: list[Pair] = [
        (row[0], row[1]) for row in await session.execute(at_its_slot.where(Slot.code.in_(pins)))
    ]
    if may_go:
        ahead = (
            at_its_slot.where(
                AccessCode.managed, or_(AccessCode.starts_at_s > now_s, AccessCode.backup == POOLED)
            )
            .order_by(
                AccessCode.starts_at_s.desc(),
                AccessCode.created_at_ms.desc(),
                AccessCode.access_code_id.desc(),
            )
            .limit(may_go)
        )
        pairs += [(row[0], row[1]) for row in await session.execute(ahead)]
    return pairs


async def _next_due_s(session: AsyncSession, device_id: str, now_s: int) -> float:
    """When time alone next changes what the keypad shall hold or is said to hold; infinity for never."""
    on_it = and_(AccessCode.device_id == device_id, AccessCode.slot.is_not(None), AccessCode.managed)
    edges = [
        await session.scalar(select(func.min(edge)).where(condition, edge > now_s))
        for condition, edge in (
            (on_it, AccessCode.starts_at_s),
            (on_it, AccessCode.ends_at_s),
            (and_(*waiting(device_id, now_s)), begins_s),
        )
    ]
    return min((float(edge) for edge in edges if edge is not None), default=float("inf"))
