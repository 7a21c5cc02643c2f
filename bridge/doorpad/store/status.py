"""Where a code stands, judged from its desired row and its slot's row. Pure: the second is an argument.

The slot row is the one at (`device_id`, `slot`) of the code, or None if the keypad holds no such slot.
"""

from typing import Literal

from doorpad_link.messages import DURESS, ENABLED

from doorpad.store.schema import PULLED, AccessCode, Slot
from doorpad.uses import COUNT_FLAGS, as_flags

Status = Literal["unset", "setting", "set", "removing", "unknown"]

_KIND = ENABLED | COUNT_FLAGS | DURESS


def expired(code: AccessCode, now_s: int) -> bool:
    """Whether the code will not open again: its window is over, or it has opened as often as it may.

    `ends_at_s` is the first second out.
    """
    return code.used_at_ms is not None or (code.ends_at_s is not None and now_s >= code.ends_at_s)


def wanted(code: AccessCode, now_s: int) -> bool:
    """Whether the keypad should hold the code, now or ahead of its time."""
    return code.managed and code.state == "active" and not code.taken_off and not expired(code, now_s)


def on_keypad(code: AccessCode, slot: Slot | None) -> bool:
    """Whether the keypad holds the code as it is wanted. The name is not on the keypad."""
    return slot is not None and (slot.code, slot.from_s, slot.until_s, slot.flags & _KIND) == (
        code.code,
        code.starts_at_s,
        code.ends_at_s,
        ENABLED | as_flags(code.uses_left) | (DURESS if code.duress else 0),
    )


def opens(code: AccessCode, slot: Slot | None, now_s: int) -> bool:
    """Whether the slot has the code's PIN and opens now, be it in another window than the code shall have."""
    return (
        slot is not None
        and slot.code == code.code
        and bool(slot.flags & ENABLED)
        and (slot.from_s or 0) <= now_s
        and (slot.until_s is None or now_s < slot.until_s)
    )


def does(code: AccessCode, slot: Slot | None, now_s: int) -> bool:
    """Whether the keypad holds the code as it is wanted, or it is a backup that opens by its lease till then."""
    return on_keypad(code, slot) or (code.backup == PULLED and opens(code, slot, now_s))


def status(code: AccessCode, slot: Slot | None, now_s: int, *, cut_off: bool) -> Status:
    """The API's status of a managed code. Total: each pair of rows has exactly one.

    `cut_off`: the account is disconnected. What is due may then be on the keypad or not: nobody can tell.
    """
    if code.state == "deleted":
        return "unset"
    if code.state == "removing":
        return "removing"
    if expired(code, now_s):
        return "unset" if slot is None else "removing"
    if code.starts_at_s is not None and now_s < code.starts_at_s:
        return "unset"
    if code.taken_off:
        return "unset" if slot is None else "removing"
    if cut_off:
        return "unknown"
    return "set" if does(code, slot, now_s) else "setting"
