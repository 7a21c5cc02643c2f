"""The slot table: PINs and their windows on flash, and an index in RAM that finds a PIN in constant time.

A slot's newest record is the truth; a cleared slot keeps a record too, so that an older one that is still
on flash can never come back. PINs are encrypted on flash and found by a keyed tag.

    kind[1] slot[2] version[4] flags[2] from[4] until[4] maker[1] tag[2] op_id[8] access_code_id[16] pin[16]

Times are seconds since 2000, 0 for none. `version` is the table's generation at the record's writing.
"""

import struct
import sys

from cryptolib import aes
from doorpad_link import messages
from doorpad_link.digest import Digest
from doorpad_link.hkdf import Hmac, equal
from micropython import const

from doorpad_fw import health, memory
from doorpad_fw.log import FlashError
from doorpad_fw.memory import BUCKETS, SLOTS_MAX

RECORD_BYTES = const(64)
_LAYOUT = "<BHIHIIBH8s16s16s"
_MAKER_AT = const(17)
_TAG_AT = const(18)
_SET = const(1)
_CLEARED = const(2)
_ECB = const(1)
_NOWHERE = const(0xFFFF)
_NO_OP = bytes(8)
NO_CODE = bytes(16)
_SPARE_SEGMENTS = const(2)  # one to open next, one erased ahead of it
_TRIES_MAX = const(3)  # of one write: a bit that is stuck spoils one place, not its neighbours

assert BUCKETS <= 0x10000  # a bucket is found by the 16-bit tag


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


class Slots:
    """The table over one Log. `capacity`: how many slots may hold a code, 1 to SLOTS_MAX.

    The index lives in arrays taken at the start: making a second table ends the first.
    """

    def __init__(self, log, capacity, device_key):
        self._log = log
        self.capacity = capacity
        self.generation = 0
        self.used = 0
        memory.forget_slots()
        self._buckets = memory.slot_buckets
        self._positions = memory.slot_positions
        self._live = bytearray(256)  # newest records in each segment
        self.digest = Digest(SLOTS_MAX)
        self._tag_mac = Hmac(device_key)
        self._pin_key = Hmac(device_key).digest(b"pin at rest")[:16]
        self._load()

    @property
    def epoch(self):
        return self._log.epoch

    def _load(self):
        for segment in self._log.segments():
            for position, payload in self._log.records(segment):
                _kind, number, version = struct.unpack_from("<BHI", payload)
                if version >= self._newest(number)[1]:
                    self._positions[number] = position
        for number in range(1, SLOTS_MAX + 1):
            position = self._positions[number]
            if position == _NOWHERE:
                continue
            self._live[position // self._log.per_segment] += 1
            payload = self._log.read(position)
            version = struct.unpack_from("<I", payload, 3)[0]
            self.generation = max(self.generation, version)
            if payload[0] == _SET:
                self.digest.add(number, version)
                self._link(number, self._tag_of(payload))
                self.used += 1
        self._make_room()

    # The index: open addressing, linear probing, deletion by moving entries back. The tags stay on flash: a copy
    # in RAM would save a read of 64 bytes a probe and cost 8 KiB of the heap.

    def _tag_of(self, payload):
        return struct.unpack_from("<H", payload, _TAG_AT)[0]

    def _link(self, number, tag):
        at = tag % BUCKETS
        while self._buckets[at]:
            at = (at + 1) % BUCKETS
        self._buckets[at] = number

    def _unlink(self, number, tag):
        hole = tag % BUCKETS
        while self._buckets[hole] != number:
            hole = (hole + 1) % BUCKETS
        at = hole
        while True:
            at = (at + 1) % BUCKETS
            other = self._buckets[at]
            if not other:
                break
            try:
                home = self._tag_of(self._log.read(self._positions[other])) % BUCKETS
            except FlashError:
                home = at  # it stays where it is until whoever reads it next finds it damaged
            # `other` may move into the hole unless its home lies behind the hole, on its way to here.
            if (at - home) % BUCKETS >= (at - hole) % BUCKETS:
                self._buckets[hole] = other
                hole = at
        self._buckets[hole] = 0

    def _tag(self, pin):
        digest = self._tag_mac.digest(b"pin" + pin)
        return digest[0] | digest[1] << 8

    def find(self, pin):
        """Return the slot that holds `pin` (ASCII digits), or None."""
        tag = self._tag(pin)
        at = tag % BUCKETS
        found = None
        while True:
            number = self._buckets[at]
            if not number:
                return found
            payload = self._payload(number)
            if payload is None:
                continue  # it was damaged, and another slot may stand here now
            if self._tag_of(payload) == tag:
                slot = self.get(number)
                if equal(slot.pin, pin):
                    found = slot
            at = (at + 1) % BUCKETS

    def _payload(self, number):
        # The slot's newest record, valid until the next call, or None. A damaged one is gone from here on.
        position = self._positions[number]
        if position == _NOWHERE:
            return None
        try:
            return self._log.read(position)
        except FlashError:
            self._lose(number)
            return None

    def _lose(self, number):
        health.report(messages.HEALTH_RECORD_LOST)
        for at in range(BUCKETS):
            if self._buckets[at] == number:
                self._unlink(number, at)
                self.used -= 1
                break
        self._live[self._positions[number] // self._log.per_segment] -= 1
        self._positions[number] = _NOWHERE

    def get(self, number):
        """Return the slot if it holds a code, else None. `number`: 1 to SLOTS_MAX."""
        payload = self._payload(number)
        if payload is None or payload[0] != _SET:
            return None
        _, number, version, flags, from_s, until_s, maker, _tag, op_id, access_code_id, sealed = (
            struct.unpack(_LAYOUT, payload)
        )
        block = aes(self._pin_key, _ECB).decrypt(sealed)
        return Slot(
            number, version, flags, from_s, until_s, maker, op_id, access_code_id, block[1 : 1 + block[0]]
        )

    def free_number(self):
        """Return the lowest slot without a code, or 0 if as many as allowed hold one."""
        if self.used < self.capacity:
            for number in range(1, SLOTS_MAX + 1):
                if not self._newest(number)[0]:
                    return number
        return 0

    def _newest(self, number):
        # (holds a code, version, op_id) of the slot's newest record.
        payload = self._payload(number)
        if payload is None:
            return False, 0, _NO_OP
        return payload[0] == _SET, struct.unpack_from("<I", payload, 3)[0], bytes(payload[20:28])

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
        holder = self.find(slot.pin)
        if holder is not None and holder.number != slot.number:
            return messages.DUPLICATE, holder.number
        if not is_set and self.used >= self.capacity:
            return messages.NO_SPACE, self.used
        tag = self._tag(slot.pin)
        old_tag = self._tag_of(self._log.read(self._positions[slot.number])) if is_set else 0
        version = self._write_set(slot, slot.flags, slot.maker, tag)
        if is_set:
            self._unlink(slot.number, old_tag)
        else:
            self.used += 1
        self._link(slot.number, tag)
        self._make_room()
        return messages.OK, version

    def _write_set(self, slot, flags, maker, tag):
        version = self.generation + 1
        block = bytes([len(slot.pin)]) + slot.pin + bytes(12 - len(slot.pin)) + version.to_bytes(4, "big")[1:]
        self._write(
            slot.number,
            struct.pack(
                _LAYOUT,
                _SET,
                slot.number,
                version,
                flags,
                slot.from_s,
                slot.until_s,
                maker,
                tag,
                slot.op_id,
                slot.access_code_id,
                aes(self._pin_key, _ECB).encrypt(block),
            ),
        )
        return version

    def spend(self, slot):
        """Mark a slot as used up. It keeps its operation id: a put that comes again finds itself done."""
        self._write_set(slot, slot.flags | messages.SPENT, messages.MAKER_KEYPAD, self._tag(slot.pin))
        self._make_room()

    def clear(self, number, if_version, op_id, maker):
        """Clear a slot that is at `if_version`; return (status, version) as `put` does."""
        is_set, version, last_op_id = self._newest(number)
        if not is_set:
            return (messages.ALREADY if op_id == last_op_id != _NO_OP else messages.NOT_FOUND), version
        if if_version != version:
            return messages.CONFLICT, version
        tag = self._tag_of(self._log.read(self._positions[number]))
        version = self.generation + 1
        self._write(
            number,
            struct.pack(_LAYOUT, _CLEARED, number, version, 0, 0, 0, maker, 0, op_id, NO_CODE, bytes(16)),
        )
        self._unlink(number, tag)
        self.used -= 1
        self._make_room()
        return messages.OK, version

    def _write(self, number, payload):
        was_set, old_version, _ = self._newest(number)
        self._moved(number, self._append(payload))
        self.generation = struct.unpack_from("<I", payload, 3)[0]
        if was_set:
            self.digest.remove(number, old_version)
        if payload[0] == _SET:
            self.digest.add(number, self.generation)

    def _moved(self, number, position):
        old = self._positions[number]
        if old != _NOWHERE:
            self._live[old // self._log.per_segment] -= 1
        self._positions[number] = position
        self._live[position // self._log.per_segment] += 1

    def _make_room(self):
        """Copy the newest records out of the segment with the fewest of them, until enough segments are free.

        What flash refuses here is left for the next time: the write that asked for room has succeeded.
        """
        try:
            while self._log.free_segments < _SPARE_SEGMENTS:
                victims = [n for n in self._log.segments() if n != self._log.current]
                victim = min(victims, key=lambda n: self._live[n]) if victims else self._log.current
                if self._live[victim] >= self._log.per_segment or not victims:
                    return  # nothing to win: so many segments are bad that the rest is full
                self._move_out(victim)
                self._log.erase(victim)
        except FlashError as error:
            sys.print_exception(error)

    def _move_out(self, segment):
        first = segment * self._log.per_segment
        for number in range(1, SLOTS_MAX + 1):
            if not first <= self._positions[number] < first + self._log.per_segment:
                continue
            payload = self._payload(number)
            if payload is not None:
                self._moved(number, self._append(bytes(payload)))

    def _append(self, payload):
        # A record that does not take leaves its place to the next one.
        for _ in range(_TRIES_MAX - 1):
            try:
                return self._log.append(payload)
            except FlashError:
                pass
        return self._log.append(payload)

    def changed_since(self, generation, first):
        """Yield (number, version, maker, slot or None) of slots from `first` that changed after `generation`."""
        for number in range(first, SLOTS_MAX + 1):
            payload = self._payload(number)
            if payload is None:
                continue
            version = struct.unpack_from("<I", payload, 3)[0]
            if version > generation:
                yield number, version, payload[_MAKER_AT], self.get(number)
