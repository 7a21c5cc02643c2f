"""What local programming does to codes and master PIN. Every change is journaled."""

import sys

from doorpad_link import identity as identities
from doorpad_link import messages
from micropython import const

from doorpad_fw import program, seldom
from doorpad_fw.slots import NO_CODE, Slot, op_id_at

_NO_OP = bytes(8)
_DAY_S = const(86_400)
_DAYS_MAX = const(365)


class LocalCodes:
    """`door` notes what was done and knows what may be a PIN."""

    def __init__(self, door, identity, slots, clock):
        self._door = door
        self._clock = clock
        self._identity = identity
        self._slots = slots

    def do(self, action, numbers):
        """Do an action of program.py; return whether it was done."""
        try:
            if action == program.ADD:
                return self._add(numbers[0], 0)
            if action == program.ADD_ONCE:
                return self._add(numbers[0], messages.COUNTED)
            if action == program.ADD_DURESS:
                return self._add(numbers[0], messages.DURESS)
            if action == program.ADD_FOR_DAYS:
                return self._add_for_days(numbers[0], numbers[1], 0)
            if action == program.ADD_ONCE_FOR_DAYS:
                return self._add_for_days(numbers[0], numbers[1], messages.COUNTED)
            if action == program.DELETE:
                return self._delete(numbers[0])
            if action == program.CHANGE:
                return self._change(numbers[0], numbers[1])
            if action == program.MASTER:
                return self._change_master(numbers[0], numbers[1])
        except OSError as error:  # flash, or the file system
            sys.print_exception(error)
        return False

    def _is_free(self, pin):
        return self._door.is_pin(pin) and not self._door.is_master(pin)

    def _put(self, if_version, number, flags, from_s, until_s, access_code_id, pin):
        flags |= messages.FROM_KEYPAD
        maker = messages.MAKER_KEYPAD
        op_id = op_id_at(self._slots.generation + 1)
        slot = Slot(number, 0, flags, from_s, until_s, maker, op_id, access_code_id, pin)
        return self._slots.put(if_version, slot)[0] == messages.OK

    def _add(self, pin, flags, from_s=0, until_s=0):
        number = seldom.call("doorpad_fw.free_slot", "lowest", self._slots)
        if (
            not number
            or not self._is_free(pin)
            or not self._put(0, number, flags | messages.ENABLED, from_s, until_s, NO_CODE, pin)
        ):
            return False
        self._door.note(messages.EV_SLOT_SET, 0, self._slots.get(number))
        return True

    def _add_for_days(self, days, pin, flags):
        count = int(days)
        if not self._clock.trusted or not 1 <= count <= _DAYS_MAX:
            return False  # without the time there is no end to it
        now_s = self._clock.now_s()
        return self._add(pin, flags | messages.TIME_BOUND, now_s, now_s + count * _DAY_S)

    def _change(self, old, new):
        slot = self._slots.find(old)
        if (
            slot is None
            or not self._is_free(new)
            or not self._put(
                slot.version, slot.number, slot.flags, slot.from_s, slot.until_s, slot.access_code_id, new
            )
        ):
            return False
        if slot.access_code_id == NO_CODE:
            # Nothing but its PIN tells whose it is: with another one it is another code.
            self._door.note(messages.EV_SLOT_CLEARED, 0, slot)
            self._door.note(messages.EV_SLOT_SET, 0, self._slots.get(slot.number))
        else:
            self._door.note(messages.EV_SLOT_CHANGED, 0, slot)
        return True

    def _delete(self, pin):
        slot = self._slots.find(pin)
        if slot is None:
            return False
        if self._slots.clear(slot.number, slot.version, _NO_OP, messages.MAKER_KEYPAD)[0] != messages.OK:
            return False
        self._door.note(messages.EV_SLOT_CLEARED, 0, slot)
        return True

    def _change_master(self, new, again):
        if new != again or not self._is_free(new) or self._slots.find(new) is not None:
            return False
        before = self._identity.master_tag
        self._identity.master_tag = self._identity.tag_of(new)
        try:
            seldom.call("doorpad_fw.keys", "store", identities.pack(self._identity))
        except OSError:
            self._identity.master_tag = before
            raise
        self._door.note(messages.EV_MASTER_CHANGED)
        return True
