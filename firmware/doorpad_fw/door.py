"""The door: what a key press leads to. Entry, decision, strike, journal and local programming meet here."""

import gc
import sys

from doorpad_link import messages
from doorpad_link.hkdf import equal
from micropython import const
from time import ticks_diff, ticks_ms

from doorpad_fw import entry, health, inputs, program, seldom
from doorpad_fw.decide import decide
from doorpad_fw.doorway import Doorway
from doorpad_fw.log import FlashError

_ATTENDED_S = const(10)  # so long after a key somebody is still there
_TYPES_S = const(2)  # and so long the next key may come at any moment
_HELD_S = const(10)  # of typing without such a pause: then erases wait for the end of an entry only
_HELD_S_MAX = const(60)  # and then no more: whoever plays with the keys must not keep a hub from the table
_MATRIX = const(0)
_WIEGAND = const(1)
_EXIT_AGAIN_MS = const(1000)  # a contact that flutters must not fill the journal


class Door:
    """`on_change()` is called when table or journal changed here, so that the link can tell the host."""

    def __init__(self, identity, slots, journal, lockout, clock, outputs, settings, on_change):
        self._identity = identity
        self._slots = slots
        self._journal = journal
        self._clock = clock
        self.outputs = outputs
        self._settings = settings
        self._on_change = on_change
        # Of the matrix and of the Wiegand keypad: whoever types at one must not spoil what is typed at the other.
        self._entries = entry.Entry(), entry.Entry()
        self._programming = program.Programming()
        self._programmed_at = _MATRIX
        self._doorway = Doorway(settings)
        self._lockout = lockout
        self._stuck = 0  # keys
        self._attended_s = 0
        self._typed_s = 0  # without a pause, since a write last erased meanwhile
        self._exit_ms = ticks_ms()  # when the button inside was last noted
        self._uptime_ms = 0
        self._uptime_ticks = ticks_ms()

    def uptime_ms(self):
        """Milliseconds since this start, up to 2**32 (49 days) and then from 0 again."""
        now = ticks_ms()
        self._uptime_ms = (self._uptime_ms + ticks_diff(now, self._uptime_ticks)) & 0xFFFF_FFFF
        self._uptime_ticks = now
        return self._uptime_ms

    def note(self, kind, reason=0, slot=None, maker=messages.MAKER_KEYPAD):
        """Write a journal entry, dated now; `maker`: the host on whose behalf.

        Neither a worn out flash nor a full heap may stop the door: it is said, and that is all.
        """
        self._journal.lockout = self._lockout.pack()
        now_s, ms = self._clock.now()
        try:
            self._journal.append(kind, reason, now_s, ms, self.uptime_ms(), slot, maker)
        except (FlashError, MemoryError) as error:
            health.report(messages.HEALTH_JOURNAL)
            sys.print_exception(error)
        self._on_change()

    def key_changed(self, maker):
        """The host `maker` has a new link key."""
        self.note(messages.EV_KEY_CHANGED, 0, None, maker)

    def is_master(self, pin):
        """Whether this is the master PIN. There is none until one is set: its tag is then all zeros."""
        master_tag = self._identity.master_tag
        return any(master_tag) and equal(self._identity.tag_of(pin), master_tag)

    def is_pin(self, digits):
        return self._settings["pin_min"] <= len(digits) <= self._settings["pin_max"]

    def is_attended(self):
        """Whether somebody is at the keypad: a restart would take from him what he has begun."""
        return self._attended_s > 0 or self._programming.active or self.outputs.is_unlocked

    def holds_erases(self):
        """Whether a host's write that may erase has to wait: somebody types, and would lose a key."""
        if self._attended_s <= _ATTENDED_S - _TYPES_S:
            return False
        if self._typed_s < (_HELD_S_MAX if any(it.has_begun for it in self._entries) else _HELD_S):
            return True
        self._typed_s = 0
        return False

    def erase_ahead(self):
        """Erase a piece of flash if few are left to write to; return whether it did. Nothing else runs meanwhile."""
        return self._slots.erase_ahead() or self._journal.erase_ahead()

    def tick(self):
        """Let time pass: lapse the lockout, an entry begun, a dialogue begun. Call it about every second."""
        try:
            self._tick()
        except MemoryError as error:
            self._lacks_memory(error)

    def _tick(self):
        now_ms = ticks_ms()
        self._attended_s = max(self._attended_s - 1, 0)
        self._typed_s = self._typed_s + 1 if self._attended_s > _ATTENDED_S - _TYPES_S else 0
        self.uptime_ms()
        self._clock.tick(self._journal.floor)
        if self._lockout.lapse(now_ms):
            self.note(messages.EV_LOCKOUT_END)
        self._note_doorway(self._doorway.tick(now_ms))
        for typed in self._entries:
            typed.expire(now_ms)
        dialogue = self._programming
        if dialogue.active and (dialogue.expire(now_ms) or not self._settings["programming"]):
            dialogue.end()
            self.outputs.programming(False)

    def input(self, which, active):
        """Take a change of a contact (inputs.py)."""
        try:
            self._input(which, active)
        except MemoryError as error:
            self._lacks_memory(error)

    def _input(self, which, active):
        now_ms = ticks_ms()
        if which == inputs.EXIT:
            if active:
                self._exit(now_ms)
        elif which == inputs.DOOR:
            self._note_doorway(self._doorway.contact(active, now_ms))
        else:
            self.note(messages.EV_TAMPER if active else messages.EV_TAMPER_END)

    def _note_doorway(self, kind):
        if kind:
            self.note(kind, min(self._settings["held_open_s"], 255) if kind == messages.EV_HELD_OPEN else 0)

    def _note_locked(self):
        self.note(messages.EV_LOCKED)

    def _exit(self, now_ms):
        is_first = not self.outputs.is_unlocked
        self.unlock(now_ms)
        # Less than nothing: it was more than 6.2 days ago.
        if is_first or not 0 <= ticks_diff(now_ms, self._exit_ms) < _EXIT_AGAIN_MS:
            self._exit_ms = now_ms
            self.note(messages.EV_EXIT)

    def unlock(self, now_ms):
        """Open; the strike's time begins now, also if the door was open already."""
        self.outputs.open_strike(self._note_locked)
        self._doorway.unlocked(now_ms)
        try:
            self.outputs.granted()
        except MemoryError as error:
            self._lacks_memory(error)  # the door is open all the same, and the journal is to have it

    def key(self, key, at=_MATRIX):
        """Take one key press. For one that the heap has no room for, all of the entry is refused."""
        try:
            self._key(key, at)
        except MemoryError as error:
            self._lacks_memory(error)
            self._entries[at].key("*", ticks_ms())
            self.outputs.refused()

    def wiegand_key(self, key):
        """The same at the Wiegand keypad."""
        self.key(key, _WIEGAND)

    def _lacks_memory(self, error):
        gc.collect()
        health.report(messages.HEALTH_MEMORY)
        sys.print_exception(error)

    def _key(self, key, at):
        now_ms = ticks_ms()
        self._attended_s = _ATTENDED_S
        self.outputs.key_pressed()
        typed = self._entries[at]
        is_programming = self._programming.active and at == self._programmed_at
        if is_programming:
            self._programming.touch(now_ms)
        did = typed.key(key, now_ms)
        if did == entry.CLEARED and is_programming:
            self._programming.end()
            self.outputs.programming(False)
        elif did == entry.ENTERED:
            if is_programming:
                self._program(typed.entered)
            else:
                self._judge(typed.entered, now_ms, at)

    def key_stuck(self, key, stuck):
        """Note that a key is held down by something else than a finger, or came free."""
        self._stuck += 1 if stuck else -1
        if self._stuck:
            health.report(messages.HEALTH_KEY_STUCK)
        else:
            health.withdraw(messages.HEALTH_KEY_STUCK)
        self.note(messages.EV_KEY_STUCK if stuck else messages.EV_KEY_FREED, ord(key))

    def _judge(self, pin, now_ms, at):
        if self._lockout.lapse(now_ms):
            self.note(messages.EV_LOCKOUT_END)
        shut = self._lockout.shut
        slot = None if shut else self._find(pin)
        if slot is None and not shut and self._settings["programming"] and self.is_master(pin):
            self._lockout.right_pin()
            self._programming.begin(now_ms)
            self._programmed_at = at
            self.outputs.programming(True)
            self.note(messages.EV_PROGRAMMING)
            return
        reason = decide(slot, self._clock.now_s(), self._clock.trusted, shut)
        if slot is not None and reason == messages.GRANTED and slot.flags & messages.COUNTED:
            reason = self._spend(slot)
        if slot is not None and reason == messages.GRANTED:
            self.unlock(now_ms)
            self._lockout.right_pin()
            duress = slot.flags & messages.DURESS
            self.note(messages.EV_GRANTED, messages.UNDER_DURESS if duress else reason, slot)
            return
        shut_now = reason == messages.UNKNOWN_PIN and self._lockout.wrong_pin(now_ms)
        self.outputs.refused()
        self.note(messages.EV_DENIED, reason, slot)
        if shut_now:
            self.note(messages.EV_LOCKOUT, self._lockout.level)

    def _find(self, pin):
        try:
            return self._slots.find(pin)
        except MemoryError as error:
            self._lacks_memory(error)
        return self._slots.find(pin)

    def _spend(self, slot):
        # Before the strike moves: a power cut in between costs a code, never a second opening.
        try:
            self._slots.spend(slot.number)
        except FlashError as error:
            sys.print_exception(error)
            return messages.CANNOT_SPEND
        return messages.GRANTED

    def _program(self, number):
        action = self._programming.entered(number)
        if action == program.NONE:
            self.outputs.key_pressed()
        elif action == program.COUNT:
            self.outputs.count(self._slots.used)
        elif self._do_locally(action):
            self.outputs.accepted()
        else:
            self.outputs.refused()

    def _do_locally(self, action):
        parts = self._identity, self._slots, self._clock
        codes = seldom.call("doorpad_fw.local_codes", "LocalCodes", self, *parts)
        return codes.do(action, self._programming.numbers)
