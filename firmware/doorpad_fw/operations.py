"""What each operation of the link does here (protocol/README.md, section 4)."""

import sys

from doorpad_link import messages
from doorpad_link.cbor import is_bytes
from micropython import const

from doorpad_fw import config, health, seldom
from doorpad_fw.line import limits
from doorpad_fw.log import FlashError
from doorpad_fw.memory import SLOTS_MAX
from doorpad_fw.slots import Slot
from doorpad_fw.version import VERSION

_SLOT_BYTES = const(72)  # the most that one slot takes in a reply
_EVENT_BYTES = const(56)
_LOOK_SLOTS = const(512)  # that one SINCE looks at: some 0.5 to 1 s of an ESP32
_PIN_MIN_AT = const(4)  # in `capabilities`; the longest follows
_PAGES_MAX = const(16)  # digests in a reply: more would need a larger piece of a full heap than may be there
_REPLY_BYTES = const(900)  # MTU less header, tag, CRC and what stands around the list
_FLAGS_OF_HOST = messages.MANAGED | messages.ENABLED | messages.COUNTED | messages.DURESS | messages.MORE_USES
_OP_ID_BYTES = const(8)
_OP_ID_MAX = 0xFFFF_FFFF_FFFF_FFFF
_CODE_ID_BYTES = const(16)


def _are_numbers(*values):
    for value in values:
        if type(value) is not int:  # True is none
            return False
    return True


def _of_slot(write, *arguments):
    # What flash does not take is told of the slot alone: those before it in the request are written.
    try:
        return write(*arguments)
    except FlashError as error:
        sys.print_exception(error)
        return messages.FLASH, 0


class Operations:
    """Does the requests of hosts. `serve` is what a session calls for each."""

    def __init__(self, slots, journal, clock, door, settings, boot_id):
        self._slots = slots
        self._journal = journal
        self._clock = clock
        self._door = door
        self._settings = settings
        self._boot_id = boot_id
        self._updating = None  # an Update while one is being taken in
        self._attempts = []  # remote.py's
        self._by_number = {
            messages.OP_STATE: self._state,
            messages.OP_PING: self._ping,
            messages.OP_DIGEST: self._digest,
            messages.OP_PUT: self._put,
            messages.OP_DEL: self._delete,
            messages.OP_ADOPT: self._adopt,
            messages.OP_SINCE: self._since,
            messages.OP_EVENTS: self._events,
            messages.OP_CONFIG: self._config,
            messages.OP_CRASHES: self._crashes,
            messages.OP_UPDATE_STATE: self._update_state,
            messages.OP_STRIKE: self._strike,
        }
        self.capabilities = list(limits(settings)) + [
            slots.capacity,
            settings["pin_min"],
            settings["pin_max"],
            VERSION,
        ]

    def serve(self, maker, op, body):
        """Do one request of the host `maker`, and use its body up; return (status, result)."""
        operation = self._by_number.get(op)
        if messages.OP_UPDATE_BEGIN <= op <= messages.OP_UPDATE_CANCEL:
            operation = self._update
            body = op, body
        elif self._updating is not None:
            self._updating.expire()
        try:
            if op in (messages.OP_TIME, messages.OP_CLOCK):
                return seldom.call(
                    "doorpad_fw.clock_setting",
                    "serve",
                    op,
                    self._clock,
                    self._journal,
                    self._door,
                    maker,
                    body,
                )
            return operation(maker, body) if operation else (messages.UNSUPPORTED, None)
        except FlashError as error:
            sys.print_exception(error)
            return messages.FLASH, None
        except MemoryError as error:
            health.report(messages.HEALTH_MEMORY)
            sys.print_exception(error)
            return messages.INTERNAL, None
        except (TypeError, ValueError, IndexError) as error:
            sys.print_exception(error)  # the body has another shape than the operation takes
            return messages.INVALID, None

    def _state(self, _maker, _body):
        now_s = self._clock.now_s()
        return messages.OK, [
            self._boot_id,
            self._slots.epoch,
            self._slots.generation,
            self._slots.used,
            self._slots.capacity,
            self._journal.epoch,
            self._journal.first,
            self._journal.head,
            now_s + messages.UNIX_OF_2000 if now_s else None,
            self._journal.boot,
            self._door.uptime_ms(),
            health.bits,
            self._slots.digest.root(),
        ]

    def _digest(self, _maker, body):
        first, count = body
        if not _are_numbers(first, count) or first < 0:
            return messages.INVALID, None
        pages = range(first, min(first + min(count, _PAGES_MAX), self._slots.digest.page_count))
        return messages.OK, [self._slots.digest.page(page) for page in pages]

    def _ping(self, _maker, body):
        return messages.OK, body

    def _has_to_wait(self, changes):
        return not self._slots.has_room(changes) and self._door.holds_erases()

    def _put(self, maker, body):
        op_id, code_ids, puts = body
        if len(op_id) != _OP_ID_BYTES or not puts or len(code_ids) != _CODE_ID_BYTES * len(puts):
            return messages.INVALID, None
        for if_version, step, pin, from_unix, until_unix, flags in puts:  # before the first one is written
            if (
                not _are_numbers(if_version, step, flags)
                or not 1 <= step <= SLOTS_MAX
                or not isinstance(pin, bytes)
                or not (from_unix is until_unix is None or _are_numbers(from_unix, until_unix))
            ):
                return messages.INVALID, None
        if self._has_to_wait(len(puts)):
            return messages.BUSY, None
        operation = int.from_bytes(op_id, "big")
        # Each result takes the place of what was asked: there is no room on the heap for a list of both.
        number = 0
        for place, (if_version, step, pin, from_unix, until_unix, flags) in enumerate(puts):
            number += step
            from_s = until_s = 0
            if from_unix is not None:
                from_s = from_unix - messages.UNIX_OF_2000
                until_s = until_unix - messages.UNIX_OF_2000
            if (
                number > SLOTS_MAX
                or not self._door.is_pin(pin)
                or not pin.isdigit()
                or flags & ~_FLAGS_OF_HOST
                or flags & messages.MORE_USES
                and not flags & messages.COUNTED
                or not 0 <= from_s <= until_s
            ):
                puts[place] = (number, messages.INVALID, 0)
            elif self._door.is_master(pin):
                puts[place] = (number, messages.DUPLICATE, 0)
            else:
                if from_unix is not None:
                    flags |= messages.TIME_BOUND
                own_id = (operation + place & _OP_ID_MAX).to_bytes(_OP_ID_BYTES, "big")
                code_id = code_ids[place * _CODE_ID_BYTES : (place + 1) * _CODE_ID_BYTES]
                slot = Slot(number, 0, flags, from_s, until_s, maker, own_id, code_id, pin)
                puts[place] = (number,) + _of_slot(self._slots.put, if_version, slot)
        return messages.OK, puts

    def _delete(self, maker, body):
        if not body:
            return messages.INVALID, None
        for if_version, number, op_id in body:  # before the first one is cleared
            if (
                not _are_numbers(if_version, number)
                or not 1 <= number <= SLOTS_MAX
                or not is_bytes(op_id, _OP_ID_BYTES)
            ):
                return messages.INVALID, None
        if self._has_to_wait(len(body)):
            return messages.BUSY, None
        return messages.OK, [
            (number,) + _of_slot(self._slots.clear, number, if_version, op_id, maker)
            for if_version, number, op_id in body
        ]

    def _adopt(self, maker, body):
        if_version, number, op_id, access_code_id = body
        if (
            not _are_numbers(if_version, number)
            or not 1 <= number <= SLOTS_MAX
            or not is_bytes(op_id, _OP_ID_BYTES)
            or not is_bytes(access_code_id, _CODE_ID_BYTES)
        ):
            return messages.INVALID, None
        if self._has_to_wait(1):
            return messages.BUSY, None
        slot = self._slots.get(number)
        if slot is None:
            return messages.NOT_FOUND, None
        if slot.op_id != op_id:
            slot.flags |= messages.MANAGED
            slot.maker = maker
            slot.op_id = op_id
            slot.access_code_id = access_code_id
        return messages.OK, (number,) + _of_slot(self._slots.put, if_version, slot)

    def _since(self, _asking, body):
        generation, first, codes_too = body
        slots: list[list[object]] = []
        first = max(first, 1)
        last = SLOTS_MAX if self._slots.remembers(generation) else min(first + _LOOK_SLOTS - 1, SLOTS_MAX)
        following = last + 1 if last < SLOTS_MAX else None
        for number, version, flags, maker, slot in self._slots.changed_since(generation, first, last):
            if (len(slots) + 1) * _SLOT_BYTES > _REPLY_BYTES:
                following = number
                break
            if slot is None:
                slots.append([number, version, flags, None, None, None, None, None, maker])
                continue
            bound = flags & messages.TIME_BOUND
            slots.append(
                [
                    number,
                    version,
                    flags,
                    slot.pin if codes_too else None,
                    slot.from_s + messages.UNIX_OF_2000 if bound else None,
                    slot.until_s + messages.UNIX_OF_2000 if bound else None,
                    slot.op_id,
                    slot.access_code_id,
                    maker,
                ]
            )
        return messages.OK, [self._slots.epoch, self._slots.generation, following, slots]

    def _config(self, maker, body):
        if body is not None:
            if_version, changes = body
            if if_version != self._settings[config.VERSION]:
                return messages.CONFLICT, self._settings[config.VERSION]
            try:
                seldom.call("doorpad_fw.config", "change", self._settings, changes)
            except OSError as error:
                sys.print_exception(error)
                return messages.FLASH, None
            self._door.note(messages.EV_SETTINGS_CHANGED, 0, None, maker)
            self.capabilities[_PIN_MIN_AT : _PIN_MIN_AT + 2] = (
                self._settings["pin_min"],
                self._settings["pin_max"],
            )
        described = seldom.call("doorpad_fw.config", "describe", self._settings)
        return messages.OK, [self._settings[config.VERSION], described]

    def _update_state(self, _maker, _body):
        return messages.OK, seldom.call("doorpad_fw.update_room", "state")

    def _update(self, _maker, op_and_body):
        if self._updating is None:
            from doorpad_fw import update  # seldom needed: it does not stay on the heap

            self._updating = update.Update(self._door.is_attended, self._forget_update)
        return self._updating.serve(*op_and_body)

    def _forget_update(self):
        self._updating = None
        seldom.forget("doorpad_fw.update")

    def _crashes(self, _maker, body):
        return messages.OK, seldom.call("doorpad_fw.crash", "read", body[0])

    def _strike(self, maker, body):
        return seldom.call(
            "doorpad_fw.remote", "move", self._door, self._journal, self._attempts, maker, body
        )

    def _events(self, _maker, body):
        cursor, count = body
        entries = self._journal.after(cursor, min(count, _REPLY_BYTES // _EVENT_BYTES))
        for place, entry in enumerate(entries):  # in its place: the heap need not hold both forms of them all
            sequence, time_s, kind, reason, slot, version, by, _, boot, uptime_ms, access_code_id, ms = entry
            time_s = time_s + messages.UNIX_OF_2000 if time_s else None
            told = (sequence, time_s, ms, kind, reason, slot, version, access_code_id, boot, uptime_ms, by)
            entries[place] = told
        return messages.OK, [self._journal.epoch, self._journal.first, self._journal.head, entries]
