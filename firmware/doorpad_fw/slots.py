"""The slot table: PINs and their windows on flash, and an index in RAM that finds a PIN in constant time.

Each slot has at most one record that is not retired, and that is the truth: whatever a change, a clearing or a copy
replaces is retired after the new record has been read back. A slot of which flash holds retired records alone has
lost its newest one. It opens nothing, and gets a record that says so under a new version: the hub writes it again.
A cleared slot keeps a record too: the hub asks what was cleared.

    mark[1] kind|maker[1] slot[2] version[4] flags[2] from[4] until[4] tag[2] op_id[8] code_id[16] pin[16]

Times are seconds since 2000, 0 for none. `version` is the table's generation at the record's writing. Slot 0 is no
slot: its record keeps the generation where records were lost that may have had a later one.

PINs are encrypted on flash and found by a keyed tag, both by AES under one key that is used for nothing else: the
block is length[1] digits[12] version[3]; of the same with version 0, the first two bytes are the tag. HMAC would
take three times as long, and 2 KB of the heap for each entry.
"""

import struct
import sys

from cryptolib import aes
from doorpad_link import messages
from doorpad_link.digest import Digest
from doorpad_link.hkdf import Hmac
from micropython import const

from doorpad_fw import memory, seldom, slot_index
from doorpad_fw.decide import after_use
from doorpad_fw.log import FlashError
from doorpad_fw.memory import RECENT, SLOTS_MAX

RECORD_BYTES = const(64)
LAYOUT = (b"dpS2", RECORD_BYTES, 1)
_FIELDS = "<BBHIHIIH8s16s16s"
_TERMS = "<IHIIHI"  # as far as into the operation id
_KIND_AT = const(1)
NUMBER_AT = const(2)  # the version follows
VERSION_AT = const(4)
_TAG_AT = const(18)
_OP_ID_AT = const(20)
_CODE_AT = const(28)
_PIN_AT = const(44)
_LIVE = const(0xFF)  # mark of a record that counts
_SET = const(0x10)  # kind, over the maker's number
_CLEARED = const(0x20)
_MAKER = const(0x0F)
_ECB = const(1)
NOWHERE = const(0xFFFF)  # no record
_NO_OP = bytes(8)
NO_CODE = bytes(16)
_SPARE_SEGMENTS = const(2)  # one to open next, one erased ahead of it
_ROOM_BYTES = const(
    1024
)  # of heap: far more than is taken at once between a record and its place in the index
_TRIES_MAX = const(3)  # of one write: a bit that is stuck spoils one place, not its neighbours


def is_set(payload):
    """Whether a record is of a slot that holds a code."""
    return payload[_KIND_AT] & _SET != 0


def tag_of(payload):
    return payload[_TAG_AT] | payload[_TAG_AT + 1] << 8


def op_id_at(version):
    """Return the operation id of what the keypad itself writes under a version. A code keeps it when it is used."""
    return struct.pack("<II", version, 0)


def _made(maker, op_id_low, version):
    # Under which version somebody wrote it: a use has a later one. Of another maker, or an older release, only
    # the present one is known.
    return version if maker else op_id_low or version


class Terms:
    """What a decision and its journal entry need to know of a slot. Times in seconds since 2000, 0 for none.

    `made`: the version under which it was written; that of its last use is `version`.
    """

    def __init__(self):
        self.number = self.version = self.made = self.flags = self.from_s = self.until_s = 0
        self.access_code_id = bytearray(16)


class Slot:
    """One slot as stored. Times in seconds since 2000, 0 for none; `pin` is ASCII digits."""

    def __init__(self, number, version, flags, from_s, until_s, maker, op_id, access_code_id, pin):
        self.number = number
        self.version = version
        self.flags = flags
        self.from_s = from_s
        self.until_s = until_s
        self.maker = maker
        self.op_id = op_id
        self.access_code_id = access_code_id
        self.pin = pin

    @property
    def made(self):
        """The version under which it was written; that of its last use is `version`."""
        return _made(self.maker, struct.unpack_from("<I", self.op_id)[0], self.version)


class Slots:
    """The table over one Log of LAYOUT. `capacity`: how many slots may hold a code, 1 to SLOTS_MAX.

    `feed()` feeds the watchdog: to read a full table takes an ESP32 about as long as it waits.
    The index lives in arrays taken at the start: making a second table ends the first.
    """

    def __init__(self, log, capacity, device_key, feed=None):
        self.log = log
        self.capacity = capacity
        self.generation = 0
        self.used = 0
        memory.forget_slots()
        self.positions = memory.slot_positions
        self.live = bytearray(log.count)  # newest records in each segment
        self.digest = Digest(SLOTS_MAX)
        self._pin_key = Hmac(device_key).digest(b"pin at rest")[:16]
        # What a decision works with is there from the start: it takes next to nothing from the heap.
        self._cipher = aes(self._pin_key, _ECB)
        self._block = bytearray(16)
        self._enciphered = bytearray(16)
        self._found = Terms()
        self._holds_block = self._holds
        self._pin_on_flash = log.payload[_PIN_AT:]
        self._code_on_flash = log.payload[_CODE_AT:_PIN_AT]
        seldom.call("doorpad_fw.slot_care", "load", self, feed)
        self._start = self.generation  # nothing before it is among the recent changes

    @property
    def epoch(self):
        return self.log.epoch

    def tag_at(self, number):
        """Return the tag under which a slot is found, -1 where its record is damaged."""
        try:
            return tag_of(self.log.read(self.positions[number]))
        except FlashError:
            return -1

    def _encipher(self, pin, version):
        # Into `_enciphered`, whence it must be taken before the next call.
        struct.pack_into("<B12sHB", self._block, 0, len(pin), pin, version & 0xFFFF, version >> 16 & 0xFF)
        self._cipher.encrypt(self._block, self._enciphered)

    def _tag(self, pin):
        self._encipher(pin, 0)
        return self._enciphered[0] | self._enciphered[1] << 8

    def _holder(self, pin):
        # Number of the slot that holds the PIN, 0 for none. Leaves the record in `log.payload`.
        return slot_index.find(self._tag(pin), self._holds_block)

    def _holds(self, number):
        # Whether the slot holds the PIN that `_encipher` took last.
        payload = self._payload(number)
        if payload is None:
            return False
        block = self._block
        block[13] = payload[VERSION_AT]
        block[14] = payload[VERSION_AT + 1]
        block[15] = payload[VERSION_AT + 2]
        self._cipher.encrypt(block, self._enciphered)
        return self._pin_on_flash == self._enciphered

    def find(self, pin):
        """Return the Terms, valid until the next call, of the slot that holds `pin` (ASCII digits), or None."""
        number = self._holder(pin)
        if not number:
            return None
        found = self._found
        found.number = number
        found.version, found.flags, found.from_s, found.until_s, _tag, op_id_low = struct.unpack_from(
            _TERMS, self.log.payload, VERSION_AT
        )
        found.made = _made(self.log.payload[_KIND_AT] & _MAKER, op_id_low, found.version)
        found.access_code_id[:] = self._code_on_flash
        return found

    def _payload(self, number):
        # The slot's newest record, valid until the next call, or None. One found damaged is gone from here on, one
        # that could be mended gets another place.
        position = self.positions[number]
        if position == NOWHERE:
            return None
        try:
            payload = self.log.read(position)
            if not self.log.mended:
                return payload
        except FlashError:
            seldom.call("doorpad_fw.slot_care", "lose", self, number)
        else:
            self.copy(number)
        self.make_room()
        try:
            return self.log.read(self.positions[number])
        except FlashError:
            return None  # flash does not take that the record is lost

    def get(self, number):
        """Return the slot if it holds a code, else None. `number`: 1 to SLOTS_MAX."""
        payload = self._payload(number)
        if payload is None or not is_set(payload):
            return None
        _, kind, number, version, flags, from_s, until_s, _tag, op_id, access_code_id, sealed = struct.unpack(
            _FIELDS, payload
        )
        block = aes(self._pin_key, _ECB).decrypt(sealed)
        return Slot(
            number,
            version,
            flags,
            from_s,
            until_s,
            kind & _MAKER,
            op_id,
            access_code_id,
            block[1 : 1 + block[0]],
        )

    def _newest(self, number):
        # (holds a code, version, op_id) of the slot's newest record.
        payload = self._payload(number)
        if payload is None:
            return False, 0, _NO_OP
        return (
            is_set(payload),
            struct.unpack_from("<I", payload, VERSION_AT)[0],
            bytes(payload[_OP_ID_AT:_CODE_AT]),
        )

    def put(self, if_version, slot):
        """Write `slot` if the slot is at `if_version` (0: must be empty); return (status, version).

        The stored version is the new generation; `slot.version` is ignored. On DUPLICATE the second value is
        the slot that has the PIN, on CONFLICT the version found. Raises FlashError; the old record then stands.
        """
        is_set, version, op_id = self._newest(slot.number)
        if is_set and op_id == slot.op_id != _NO_OP:
            return messages.ALREADY, version
        if if_version != (version if is_set else 0):
            return messages.CONFLICT, version if is_set else 0
        holder = self._holder(slot.pin)
        if holder not in (0, slot.number):
            return messages.DUPLICATE, holder
        if not is_set and self.used >= self.capacity:
            return messages.NO_SPACE, self.used
        tag = self._tag(slot.pin)
        old_tag = tag_of(self.log.read(self.positions[slot.number])) if is_set else 0
        version = self._write_set(slot, tag)
        if is_set:
            slot_index.unlink(slot.number, old_tag, self.tag_at)
        else:
            self.used += 1
        slot_index.link(slot.number, tag)
        self.make_room()
        return messages.OK, version

    def _write_set(self, slot, tag):
        version = self.generation + 1
        self._encipher(slot.pin, version)
        self._write(
            slot.number,
            struct.pack(
                _FIELDS,
                _LIVE,
                _SET | slot.maker,
                slot.number,
                version,
                slot.flags,
                slot.from_s,
                slot.until_s,
                tag,
                slot.op_id,
                slot.access_code_id,
                self._enciphered,
            ),
        )
        return version

    def write_cleared(self, number, maker, op_id, flags):
        version = self.generation + 1
        self._write(
            number,
            struct.pack(
                _FIELDS, _LIVE, _CLEARED | maker, number, version, flags, 0, 0, 0, op_id, NO_CODE, bytes(16)
            ),
        )
        return version

    def spend(self, number):
        """Take one use off a counted slot.

        It keeps operation id and maker: a put that comes again finds itself done, and whose code it is stays told.
        Somebody waits at the door, so segments are freed by the next change, or when none is left to write to.

        Raises FlashError, also where its record is found damaged.
        """
        slot = self.get(number)
        if slot is None:
            raise FlashError("slot %d holds no code" % number)
        slot.flags = after_use(slot.flags)
        self._write_set(slot, self._tag(slot.pin))
        if not self.log.free_segments:
            self.make_room()

    def clear(self, number, if_version, op_id, maker):
        """Clear a slot that is at `if_version`; return (status, version) as `put` does."""
        is_set, version, last_op_id = self._newest(number)
        if not is_set:
            return (messages.ALREADY if op_id == last_op_id != _NO_OP else messages.NOT_FOUND), version
        if if_version != version:
            return messages.CONFLICT, version
        tag = tag_of(self.log.read(self.positions[number]))
        version = self.write_cleared(number, maker, op_id, 0)
        slot_index.unlink(number, tag, self.tag_at)
        self.used -= 1
        self.make_room()
        return messages.OK, version

    def _write(self, number, payload):
        bytearray(_ROOM_BYTES)  # a MemoryError comes here, while nothing has changed, or not at all
        was_set, old_version, _ = self._newest(number)
        old = self.positions[number]
        self._moved(number, self._append(payload))
        self.generation = struct.unpack_from("<I", payload, VERSION_AT)[0]
        memory.recent_slots[self.generation % RECENT] = number
        if was_set:
            self.digest.remove(number, old_version)
        if is_set(payload):
            self.digest.add(number, self.generation)
        if old != NOWHERE:
            self.retire(old)

    def retire(self, position):
        # Flash that does not take it is reported by the log. The newer record counts all the same while it is whole.
        try:
            self.log.retire(position)
        except FlashError as error:
            sys.print_exception(error)

    def copy(self, number):
        # Write a record that can still be read to another place.
        old = self.positions[number]
        try:
            self._moved(number, self._append(bytes(self.log.read(old))))
            self.log.retire(old)
        except FlashError as error:
            sys.print_exception(error)

    def _moved(self, number, position):
        old = self.positions[number]
        if old != NOWHERE:
            self.live[old // self.log.per_segment] -= 1
        self.positions[number] = position
        self.live[position // self.log.per_segment] += 1

    def has_room(self, changes):
        """Whether so many changes can be written without an erase."""
        free = self.log.free_segments - _SPARE_SEGMENTS
        return free > 0 or free == 0 and self.log.used + changes <= self.log.per_segment

    def make_room(self):
        """Free segments until as many are free as a write may need."""
        while self.log.free_segments < _SPARE_SEGMENTS:
            if not self._reclaim(self.log.per_segment - 1):
                return  # nothing to win: so many segments are bad that the rest is full

    def erase_ahead(self):
        """Free one segment if few are free, so that the next writes wait for no erase; return whether it did.

        Few are fewer than an eighth of all. What costs more copying than it wins is left until it has to be.
        """
        return self.log.free_segments < self.log.count // 8 and self._reclaim(self.log.per_segment * 3 // 4)

    def _reclaim(self, live_max):
        """Copy the newest records out of the segment with the fewest of them, and erase it; return whether.

        Not if there are more than `live_max`. What flash or heap refuse here is left for the next time: the write
        that asked for room has succeeded.
        """
        victim = self._victim()
        if victim < 0 or self.live[victim] > live_max:
            return False
        try:
            self._move_out(victim)
            self.log.erase(victim)
        except (FlashError, MemoryError) as error:
            sys.print_exception(error)
            return False
        return True

    def _victim(self):
        # The oldest of those with the fewest newest records, -1 for none. No list: the heap may be nearly full.
        victim = -1
        for segment in range(self.log.count):
            if not self.log.sequence(segment) or segment == self.log.current:
                continue
            more = self.live[segment] - self.live[victim] if victim >= 0 else -1
            if more < 0 or more == 0 and self.log.sequence(segment) < self.log.sequence(victim):
                victim = segment
        return victim

    def _move_out(self, segment):
        # Nothing is retired here: the segment is erased next, and a start after a cut retires what was copied.
        first = segment * self.log.per_segment
        for number in range(SLOTS_MAX + 1):
            position = self.positions[number]
            if first <= position < first + self.log.per_segment:
                try:
                    payload = bytes(self.log.read(position))
                except FlashError:
                    seldom.call("doorpad_fw.slot_care", "lose", self, number)
                    continue
                self._moved(number, self._append(payload))

    def _append(self, payload):
        # A record that does not take leaves its place to the next one.
        for _ in range(_TRIES_MAX - 1):
            try:
                return self.log.append(payload)
            except FlashError:
                pass
        return self.log.append(payload)

    def remembers(self, generation):
        """Whether each change since is known without a look at all of the table, which takes an ESP32 seconds."""
        return generation >= max(self._start, self.generation - RECENT)

    def _suspects(self, generation, first, last):
        # Those that may have changed since.
        if not self.remembers(generation):
            return range(first, last + 1)
        changed = {memory.recent_slots[n % RECENT] for n in range(generation + 1, self.generation + 1)}
        return sorted(number for number in changed if first <= number <= last)

    def changed_since(self, generation, first, last=SLOTS_MAX):
        """Yield (number, version, flags, maker, slot or None) of slots `first` to `last` newer than `generation`."""
        for number in self._suspects(generation, first, last):
            payload = self._payload(number)
            if payload is None:
                continue
            version, flags = struct.unpack_from("<IH", payload, VERSION_AT)
            if version > generation:
                yield number, version, flags, payload[_KIND_AT] & _MAKER, self.get(number)
