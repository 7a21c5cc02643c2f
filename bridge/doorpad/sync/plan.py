"""What has to be written to a keypad next. Pure: rows and a time in, actions and problems out.

A slot that is not ours is never touched unless its own code was asked to be deleted or converted. Codes are
placed ahead of their time while slots are free. When they are scarce the next ones due hold them, and not only
from the moment that they are due: the keypad may be out of reach then. So a code gives up its slot, or its PIN,
to one that begins earlier, as long as it has not begun itself. Where codes have changed their PINs among each other,
each waits until who has its new one has got another; of a circle one is taken off first. A spare code stands back
behind all that should be on the keypad by now: it counts as one that begins when these end.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from doorpad.store.schema import POOLED, RELEASED, AccessCode, Slot
from doorpad.store.status import on_keypad, wanted

NO_SPACE = "no_space_for_access_code_on_device"
DUPLICATE = "duplicate_code_on_device"


@dataclass(frozen=True, slots=True)
class Write:
    """Write a code into a slot that is at `if_version` (0: empty). `managed` False: as it is there, to let it go."""

    access_code_id: str
    slot: int
    if_version: int
    code: str = field(repr=False)
    from_s: int | None
    until_s: int | None
    uses_left: int | None = None
    duress: bool = False
    managed: bool = True


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
    held: Mapping[str, Slot],
    *,
    orphans: Iterable[Slot],
    used: Set[int],
    capacity: int,
    slot_max: int,
    now_s: int,
    ahead_s: int,
    paused: Set[str | int] = frozenset(),
) -> Plan:
    """Compare desired and reported.

    Args:
        codes: those of this keypad that may need something, and those that may stand in their way: who has a PIN
            that is to be written and, where slots are scarce, who holds one ahead of time. Of those that wait
            the first ones are enough: the next plan sees the next.
        held: by access-code id, the slot that holds the code now.
        orphans: slots whose code was deleted here.
        used: the numbers of all used slots; numbers go from 1 to `slot_max`, and `capacity` of them may be used.
        ahead_s: so long before its beginning a code should be on the keypad.
        paused: ids of codes that the keypad refused a moment ago, not to be written again yet, and numbers of slots
            that it refused to clear.
    """

    def begins_s(code: AccessCode) -> int:
        return now_s + ahead_s if code.backup == POOLED else code.starts_at_s or 0

    codes = sorted(codes, key=lambda code: (begins_s(code), code.created_at_ms, code.access_code_id))
    actions: list[Action] = [Clear(slot.slot, slot.version) for slot in orphans if slot.slot not in paused]
    holders: dict[str, AccessCode] = {}  # PIN -> who has it on the keypad and keeps it
    for code in codes:
        slot = held.get(code.access_code_id)
        if slot is None:
            continue
        if code.state == "removing" or (code.managed and not wanted(code, now_s)):
            if slot.slot not in paused:
                actions.append(Clear(slot.slot, slot.version))
                continue
        elif not code.managed and code.conversion is not None and code.access_code_id not in paused:
            actions.append(Adopt(code.access_code_id, slot.slot, slot.version))
        if slot.code is not None:
            holders[slot.code] = code
    problems: dict[str, Problem] = {}
    free = _free_numbers(used, capacity, slot_max)
    clears = sum(isinstance(action, Clear) for action in actions)
    freeing = max(min(clears, capacity - len(used) + clears), 0)  # slots that are free in a moment anyway
    evicted: set[str] = set()
    ahead = [  # those that may give up their slots; the last one first
        code
        for code in codes
        if wanted(code, now_s) and not _due(code, now_s) and code.access_code_id in held
    ]

    def evict(code: AccessCode) -> None:
        evicted.add(code.access_code_id)
        slot = held[code.access_code_id]
        if slot.slot not in paused:
            actions.append(Clear(slot.slot, slot.version))

    def gives_way(holder: AccessCode, code: AccessCode) -> bool:
        return not _due(holder, now_s) and begins_s(holder) > begins_s(code)

    def keeper(code: AccessCode) -> AccessCode | None:
        """Who keeps the PIN of a code from it; None: nobody, in a moment. The code itself: those who have the PINs
        want each other's, and none of them can be the first to get one.
        """
        seen = [code]
        while (holder := holders.get(seen[-1].code or "")) is not None:
            if holder is seen[-1] or holder.access_code_id in evicted or gives_way(holder, seen[-1]):
                return None
            if holder.code == seen[-1].code or holder.access_code_id in paused or not wanted(holder, now_s):
                return holder
            if holder in seen:
                return code if holder is code else None
            seen.append(holder)
        return None

    for code in codes:
        if not wanted(code, now_s) or code.code is None:
            continue
        if code.access_code_id in paused or code.access_code_id in evicted:
            continue
        slot = held.get(code.access_code_id)
        if slot is not None and on_keypad(code, slot):
            if code.conversion == RELEASED:
                actions.append(_write(code, slot.slot, slot.version, managed=False))
            continue
        holder = holders.get(code.code)
        if holder is not None and holder is not code:
            if holder.access_code_id in evicted:
                pass  # its slot is free in a moment, and this one's turn comes then
            elif gives_way(holder, code) or (kept_by := keeper(code)) is code:
                evict(holder)
            elif kept_by is not None and _due(code, now_s):
                problems[code.access_code_id] = _duplicate(holder)
        elif slot is not None:
            actions.append(_write(code, slot.slot, slot.version))
            holders[code.code] = code
        elif free:
            actions.append(_write(code, free.pop(0), 0))
            holders[code.code] = code
        elif freeing:
            freeing -= 1
        else:
            while ahead and ahead[-1].access_code_id in evicted:
                ahead.pop()
            if ahead and begins_s(ahead[-1]) > begins_s(code):
                evict(ahead[-1])
            elif _due(code, now_s):
                problems[code.access_code_id] = Problem(NO_SPACE, {})
    return Plan(actions, problems)


def _due(code: AccessCode, now_s: int) -> bool:
    return code.backup != POOLED and (code.starts_at_s is None or code.starts_at_s <= now_s)


def _write(code: AccessCode, slot: int, if_version: int, *, managed: bool = True) -> Write:
    assert code.code is not None
    return Write(
        code.access_code_id,
        slot,
        if_version,
        code.code,
        code.starts_at_s,
        code.ends_at_s,
        uses_left=code.uses_left,
        duress=code.duress,
        managed=managed,
    )


def _free_numbers(used: Set[int], capacity: int, slot_max: int) -> list[int]:
    numbers = (number for number in range(1, slot_max + 1) if number not in used)
    return list(islice(numbers, max(capacity - len(used), 0)))


def _duplicate(holder: AccessCode) -> Problem:
    kind = "managed" if holder.managed else "unmanaged"
    return Problem(DUPLICATE, {f"{kind}_access_code_id": holder.access_code_id})
