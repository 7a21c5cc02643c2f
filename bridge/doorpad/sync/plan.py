"""What has to be written to a keypad next. Pure: rows and a time in, actions and problems out.

A slot that is not ours is never touched unless its own code was asked to be deleted or converted. Codes are
placed ahead of their time while slots are free; when they are scarce, the next ones due come first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from doorpad.store.schema import AccessCode, Slot
from doorpad.store.status import on_keypad, wanted

NO_SPACE = "no_space_for_access_code_on_device"
DUPLICATE = "duplicate_code_on_device"


@dataclass(frozen=True, slots=True)
class Write:
    """Write a code into a slot that is at `if_version` (0: empty)."""

    access_code_id: str
    slot: int
    if_version: int
    code: str = field(repr=False)
    from_s: int | None
    until_s: int | None


@dataclass(frozen=True, slots=True)
class Clear:
    slot: int
    if_version: int


@dataclass(frozen=True, slots=True)
class Adopt:
    """Make the unmanaged code in a slot ours."""

    access_code_id: str
    slot: int
    if_version: int


Action = Write | Clear | Adopt


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a code that is due is not on the keypad. `detail`: further fields of the error."""

    error_code: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """`problems` by access-code id: what stands in a code's way now; every other code has none."""

    actions: list[Action]
    problems: dict[str, Problem]


def plan(
    codes: Iterable[AccessCode],
    slots: Mapping[int, Slot],
    *,
    capacity: int,
    slot_max: int,
    now_s: int,
    held: frozenset[str] = frozenset(),
) -> Plan:
    """Compare desired and reported.

    Args:
        codes: of this keypad, all that are not deleted.
        slots: the used slots by number, as just read.
        capacity: how many slots may be used; slots are numbered 1 to `slot_max`.
        held: ids of codes that the keypad refused a moment ago, not to be written again yet.
    """
    ours = {code.access_code_id: code for code in codes}
    held_by: dict[str, Slot] = {}  # access-code id -> its slot
    actions: list[Action] = []
    by_code: dict[str, Slot] = {}  # PIN -> the slot that has it and keeps it
    for slot in slots.values():
        code = ours.get(slot.access_code_id or "") if slot.access_code_id else None
        if code is None:
            code = next((c for c in ours.values() if not c.managed and c.slot == slot.slot), None)
        if code is None:
            actions.append(Clear(slot.slot, slot.version))  # its code was deleted here
            continue
        held_by[code.access_code_id] = slot
        if code.managed and not wanted(code, now_s):
            actions.append(Clear(slot.slot, slot.version))
            continue
        if not code.managed and code.state == "removing":
            actions.append(Clear(slot.slot, slot.version))
            continue
        if not code.managed and code.conversion is not None:
            actions.append(Adopt(code.access_code_id, slot.slot, slot.version))
        if slot.code is not None:
            by_code[slot.code] = slot
    problems: dict[str, Problem] = {}
    free = _free_numbers(slots, capacity, slot_max)
    for code in sorted(ours.values(), key=lambda c: (c.starts_at_s or 0, c.created_at_ms, c.access_code_id)):
        if not wanted(code, now_s) or code.access_code_id in held or code.code is None:
            continue
        slot_now = held_by.get(code.access_code_id)
        if on_keypad(code, slot_now):
            continue
        other = by_code.get(code.code)
        if other is not None and other is not slot_now:
            if _due(code, now_s):
                problems[code.access_code_id] = _duplicate(other, ours)
            continue
        if slot_now is not None:
            actions.append(_write(code, slot_now.slot, slot_now.version))
        elif free:
            actions.append(_write(code, free.pop(0), 0))
        elif _due(code, now_s):
            problems[code.access_code_id] = Problem(NO_SPACE, {})
            evicted = _evictable(ours.values(), held_by, actions, now_s)
            if evicted is not None:
                actions.append(Clear(evicted.slot, evicted.version))
    return Plan(actions, problems)


def next_due_s(codes: Iterable[AccessCode], now_s: float) -> float:
    """When time alone next changes what a keypad shall hold or is said to hold; infinity for never."""
    edges = (edge for code in codes if code.managed for edge in (code.starts_at_s, code.ends_at_s))
    return min((edge for edge in edges if edge is not None and edge > now_s), default=float("inf"))


def _due(code: AccessCode, now_s: int) -> bool:
    return code.starts_at_s is None or code.starts_at_s <= now_s


def _write(code: AccessCode, slot: int, if_version: int) -> Write:
    assert code.code is not None
    return Write(code.access_code_id, slot, if_version, code.code, code.starts_at_s, code.ends_at_s)


def _free_numbers(slots: Mapping[int, Slot], capacity: int, slot_max: int) -> list[int]:
    count = capacity - len(slots)
    free: list[int] = []
    number = 1
    while len(free) < count and number <= slot_max:
        if number not in slots:
            free.append(number)
        number += 1
    return free


def _duplicate(other: Slot, ours: Mapping[str, AccessCode]) -> Problem:
    holder = ours.get(other.access_code_id or "")
    if holder is not None and holder.managed:
        return Problem(DUPLICATE, {"managed_access_code_id": holder.access_code_id})
    unmanaged = next((c for c in ours.values() if not c.managed and c.slot == other.slot), None)
    return Problem(DUPLICATE, {"unmanaged_access_code_id": unmanaged.access_code_id} if unmanaged else {})


def _evictable(
    codes: Iterable[AccessCode], held_by: Mapping[str, Slot], actions: list[Action], now_s: int
) -> Slot | None:
    # The code of ours that is due last, if it is not due yet, gives its slot to one that is.
    leaving = {action.slot for action in actions if isinstance(action, Clear)}
    later = [
        (code.starts_at_s or 0, held_by[code.access_code_id])
        for code in codes
        if code.managed
        and not _due(code, now_s)
        and code.access_code_id in held_by
        and held_by[code.access_code_id].slot not in leaving
    ]
    return max(later, key=lambda pair: pair[0])[1] if later else None
