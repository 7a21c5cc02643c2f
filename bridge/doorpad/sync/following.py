"""The object of a code follows what its slot holds, where the keypad is right."""

from doorpad_link.messages import DURESS

from doorpad.link.operations import SlotRecord
from doorpad.store.schema import AccessCode, Slot
from doorpad.uses import uses_left


def follow(code: AccessCode, slot: Slot | SlotRecord) -> None:
    """Give a code the window, the uses and the kind of its slot. The PIN tells whether it is the same code."""
    code.starts_at_s, code.ends_at_s = slot.from_s, slot.until_s
    code.uses_left = uses_left(slot.flags)
    code.duress = bool(slot.flags & DURESS)
