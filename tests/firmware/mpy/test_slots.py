"""The slot table against a model, operation by operation, and its index under collisions."""

import random

from cryptolib import aes
from doorpad_fw import free_slot, health
from doorpad_fw.log import FlashError, Log
from doorpad_fw.slots import LAYOUT, RECORD_BYTES, Slot, Slots
from doorpad_link import messages
from doorpad_link.hkdf import Hmac

from cases import cases, equal, raises
from ram_flash import Flash

HEAP = "400K"
SEGMENTS = 5
PER_SEGMENT = 63
NUMBERS = 40
DEVICE_KEY = bytes(range(32))
BUCKETS = 8192


def _mount(flash, capacity=4096):
    return Slots(Log(flash, 0, SEGMENTS, LAYOUT, lambda: b"abcd"), capacity, DEVICE_KEY)


def _slot(number, pin, op_id=bytes(8), flags=messages.ENABLED):
    return Slot(number, 0, flags, 0, 0, 1, op_id, bytes(16), pin)


class _Model:
    """What the table's contract says, with a dict for flash."""

    def __init__(self, capacity):
        self.capacity = capacity
        self.slots = {}  # number -> (pin, version, op_id), of those that hold a code
        self.cleared = {}  # number -> (version, op_id) of its clearing
        self.generation = 0

    def holder(self, pin):
        return next((n for n, slot in self.slots.items() if slot[0] == pin), None)

    def put(self, if_version, number, pin, op_id):
        there = self.slots.get(number)
        if there and there[2] == op_id:
            return messages.ALREADY, there[1]
        version = there[1] if there else 0
        if if_version != version:
            return messages.CONFLICT, version
        holder = self.holder(pin)
        if holder not in (None, number):
            return messages.DUPLICATE, holder
        if not there and len(self.slots) == self.capacity:
            return messages.NO_SPACE, self.capacity
        self.generation += 1
        self.slots[number] = (pin, self.generation, op_id)
        return messages.OK, self.generation

    def clear(self, number, if_version, op_id):
        there = self.slots.get(number)
        if there is None:
            version, last = self.cleared.get(number, (0, None))
            return (messages.ALREADY if last == op_id else messages.NOT_FOUND), version
        if if_version != there[1]:
            return messages.CONFLICT, there[1]
        self.generation += 1
        del self.slots[number]
        self.cleared[number] = (self.generation, op_id)
        return messages.OK, self.generation


def _check(slots, model, pins):
    equal((slots.used, slots.generation), (len(model.slots), model.generation), "used, generation")
    for number in range(1, NUMBERS + 1):
        slot = slots.get(number)
        got = (slot.pin, slot.version, slot.op_id) if slot else None
        equal(got, model.slots.get(number), "slot %d" % number)
    for pin in pins:
        found = slots.find(pin)
        equal(found.number if found else None, model.holder(pin), "holder of %r" % pin)


@cases(1, 2, 3, 4)
def test_random_operations_give_what_the_model_gives(seed):
    random.seed(seed)
    pins = [str(random.randrange(10**4, 10**5)).encode()[: random.randrange(4, 6)] for _ in range(50)]
    flash = Flash(SEGMENTS)
    capacity = 15
    slots = _mount(flash, capacity)
    model = _Model(capacity)
    seen = {}
    retry = None
    for step in range(500):
        number = random.randrange(1, NUMBERS + 1)
        there = model.slots.get(number)
        version = random.choice((there[1] if there else 0, there[1] if there else 0, 0, model.generation))
        pin = random.choice(pins) if random.randrange(10) < 7 else None
        change = (number, version, pin, (1000 + step).to_bytes(8, "big"))
        if retry and random.randrange(6) == 0:
            change = retry  # its reply was lost
        number, version, pin, op_id = change
        if pin:
            got, wanted = (
                slots.put(version, _slot(number, pin, op_id)),
                model.put(version, number, pin, op_id),
            )
        else:
            got, wanted = slots.clear(number, version, op_id, 1), model.clear(number, version, op_id)
        if got[0] == messages.OK:
            retry = change
        equal(got, wanted, "step %d" % step)
        seen[got[0]] = seen.get(got[0], 0) + 1
        if step % 100 == 99:
            _check(slots, model, pins)
            slots = _mount(flash, capacity)
            _check(slots, model, pins)
    wanted = {messages.OK, messages.ALREADY, messages.DUPLICATE, messages.CONFLICT, messages.NO_SPACE}
    wanted.add(messages.NOT_FOUND)
    equal(set(seen), wanted, "statuses that came up")


def _tag(pin):
    # As slots.py says: AES of length[1] digits[12] 0[3], the first two bytes.
    key = Hmac(DEVICE_KEY).digest(b"pin at rest")[:16]
    enciphered = aes(key, 1).encrypt(bytes([len(pin)]) + pin + bytes(15 - len(pin)))
    return enciphered[0] | enciphered[1] << 8


def _crowd(first, buckets, count):
    """PINs whose homes are `count` neighbouring buckets from `first` on, around the end of the index."""
    homes = {(first + n) % BUCKETS for n in range(buckets)}
    found = []
    n = 0
    while len(found) < count:
        pin = b"%05d" % n
        if _tag(pin) % BUCKETS in homes:
            found.append(pin)
        n += 1
    return found


@cases(8190, 100)
def test_crowded_buckets_lose_no_pin_whatever_is_deleted(first):
    random.seed(first)
    pins = _crowd(first, 4, 24)
    flash = Flash(SEGMENTS)
    slots = _mount(flash)
    model = _Model(4096)
    for step in range(600):
        number = random.randrange(1, NUMBERS + 1)
        there = model.slots.get(number)
        if there and random.randrange(2):
            slots.clear(number, there[1], bytes(8), 1)
            model.clear(number, there[1], None)
        else:
            pin = random.choice(pins)
            version = there[1] if there else 0
            op_id = step.to_bytes(8, "little")
            equal(slots.put(version, _slot(number, pin, op_id)), model.put(version, number, pin, op_id))
        if step % 10 == 0:
            for pin in pins:
                found = slots.find(pin)
                equal(found.number if found else None, model.holder(pin), "step %d, %r" % (step, pin))
    _check(_mount(flash), model, pins)


def test_two_pins_with_the_same_tag_are_told_apart():
    by_tag = {}
    n = 0
    while True:
        pin = b"%05d" % n
        other = by_tag.get(_tag(pin))
        if other:
            break
        by_tag[_tag(pin)] = pin
        n += 1
    slots = _mount(Flash(SEGMENTS))
    slots.put(0, _slot(1, pin))
    equal(slots.find(other), None)
    equal(slots.put(0, _slot(2, other))[0], messages.OK)
    equal((slots.find(pin).number, slots.find(other).number), (1, 2))
    slots.clear(1, slots.get(1).version, bytes(8), 0)
    equal((slots.find(pin), slots.find(other).number), (None, 2))


def test_pin_is_not_readable_on_flash():
    flash = Flash(SEGMENTS)
    slots = _mount(flash)
    slots.put(0, _slot(1, b"471108154711"))
    equal(flash.image.find(b"471108154711"), -1)
    equal(slots.get(1).pin, b"471108154711")


def test_same_pin_written_twice_looks_different_on_flash():
    flash = Flash(SEGMENTS)
    slots = _mount(flash)
    flash.trace = []
    _, version = slots.put(0, _slot(1, b"4711", b"a" * 8))
    slots.put(version, _slot(1, b"4711", b"b" * 8))
    sealed = [data[44:60] for _, data in flash.trace if len(data) == RECORD_BYTES]
    equal(len(sealed), 2)
    assert sealed[0] != sealed[1]


def test_replaced_pin_is_gone_and_a_cleared_slot_stays_cleared_after_a_restart():
    flash = Flash(SEGMENTS)
    slots = _mount(flash)
    _, version = slots.put(0, _slot(3, b"1111"))
    _, version = slots.put(version, _slot(3, b"2222"))
    equal((slots.find(b"1111"), slots.find(b"2222").number), (None, 3))
    slots.clear(3, version, bytes(8), 0)
    again = _mount(flash)
    equal((again.get(3), again.find(b"1111"), again.find(b"2222"), again.used), (None, None, None, 0))


def test_changes_since_a_generation_are_told_once_and_with_their_maker():
    slots = _mount(Flash(SEGMENTS))
    slots.put(0, _slot(1, b"1111"))
    slots.put(0, _slot(2, b"2222"))
    _, version = slots.put(0, _slot(3, b"3333"))
    slots.clear(1, 1, bytes(8), 0)
    changed = [
        (number, version, flags, maker, slot.pin if slot else None)
        for number, version, flags, maker, slot in slots.changed_since(2, 1)
    ]
    equal(changed, [(1, 4, 0, 0, None), (3, version, messages.ENABLED, 1, b"3333")])
    equal([row[0] for row in slots.changed_since(0, 2)], [2, 3])
    equal(list(slots.changed_since(4, 1)), [])


def _changes(slots, generation, first):
    return [
        (number, version, flags, slot.pin if slot else None)
        for number, version, flags, _, slot in slots.changed_since(generation, first)
    ]


@cases(1, 2, 3)
def test_changes_since_any_generation_are_those_that_all_of_the_table_shows(seed):
    random.seed(seed)
    flash = Flash(SEGMENTS)
    slots = _mount(flash)
    versions = {}
    for change in range(100):
        number = random.randrange(1, NUMBERS)
        if versions.get(number) and random.randrange(3) == 0:
            slots.clear(number, versions.pop(number), bytes(8), 0)
        else:
            versions[number] = slots.put(versions.get(number, 0), _slot(number, b"%06d" % change))[1]
        if change == 60:
            slots = _mount(flash)  # what it remembered is gone
        whole = _changes(slots, 0, 1)
        for ago in range(min(change + 2, 40)):
            generation = slots.generation - ago
            first = random.randrange(1, NUMBERS)
            wanted = [row for row in whole if row[1] > generation and row[0] >= first]
            equal(_changes(slots, generation, first), wanted, (change, ago, first))
    equal(_changes(slots, slots.generation + 1, 1), [], "of a generation that never was")


def test_few_changes_cost_few_reads_of_a_table_however_full():
    flash = Flash(SEGMENTS)
    slots = _mount(flash)
    for number in range(1, 101):
        slots.put(0, _slot(number, b"%06d" % number))
    reads = []
    slots.log._device = _Counted(flash, reads)
    equal([row[0] for row in _changes(slots, 98, 1)], [99, 100])
    assert len(reads) <= 4, reads


class _Counted:
    def __init__(self, device, reads):
        self._device = device
        self._reads = reads

    def readblocks(self, block, buffer, offset=0):
        self._reads.append((block, offset))
        self._device.readblocks(block, buffer, offset)


def test_write_that_fails_leaves_the_old_code_and_the_next_one_succeeds():
    flash = Flash(SEGMENTS)
    slots = _mount(flash)
    equal(slots.put(0, _slot(3, b"4711")), (messages.OK, 1))
    for place in (2, 3, 4):  # a write tries three places
        flash.stuck[place * RECORD_BYTES + 30] = 0xFF
    raises(FlashError, slots.put, 1, _slot(3, b"0815"))
    equal((slots.find(b"4711").number, slots.find(b"0815"), slots.generation), (3, None, 1))
    equal(slots.put(1, _slot(3, b"0815")), (messages.OK, 2))
    again = _mount(flash)
    equal((again.find(b"4711"), again.find(b"0815").number, again.used), (None, 3, 1))


def _filled(flash):
    # Slots 1 to 5, the last record of segment 2 written: the next change opens segment 3 and has to make room.
    slots = _mount(flash)
    versions = [0] * 6
    for n in range(3 * PER_SEGMENT):
        number = 1 + n % 5
        status, versions[number] = slots.put(versions[number], _slot(number, b"%04d" % n))
        equal(status, messages.OK)
    equal(flash.erases, 0)
    return slots, versions


def test_write_stands_though_the_segment_reclaimed_after_it_does_not_erase():
    flash = Flash(SEGMENTS)
    slots, versions = _filled(flash)
    flash.dead_blocks.update(range(SEGMENTS))
    health.bits = 0
    equal(slots.put(versions[1], _slot(1, b"777777")), (messages.OK, 3 * PER_SEGMENT + 1))
    equal(slots.find(b"777777").number, 1)
    equal(health.bits, messages.HEALTH_BAD_SEGMENT)
    again = _mount(flash)
    equal((again.find(b"777777").number, again.used), (1, 5))


def test_flash_that_erases_no_more_refuses_in_the_end_and_keeps_what_it_took():
    flash = Flash(SEGMENTS)
    slots, versions = _filled(flash)
    flash.dead_blocks.update(range(SEGMENTS))
    pin = b""
    for n in range(SEGMENTS * PER_SEGMENT):
        try:
            versions[1] = slots.put(versions[1], _slot(1, b"7%05d" % n))[1]
        except FlashError:
            break
        pin = b"7%05d" % n
    else:
        raise AssertionError("more was taken than flash has room for")
    equal((slots.find(pin).number, slots.used), (1, 5))
    again = _mount(flash)
    equal((again.find(pin).number, again.used), (1, 5))


@cases(1, 20, 63)
def test_bits_that_flip_in_a_live_record_cost_that_code_alone(byte):
    flash = Flash(SEGMENTS)
    slots = _mount(flash)
    for number in range(1, 11):
        slots.put(0, _slot(number, b"%04d" % number))
    health.bits = 0
    flash.image[5 * RECORD_BYTES + byte] ^= 0x12
    equal(slots.find(b"0005"), None)
    equal(health.bits, messages.HEALTH_RECORD_LOST)
    equal((slots.used, slots.get(5)), (9, None))
    for number in (1, 2, 3, 4, 6, 7, 8, 9, 10):
        equal(slots.find(b"%04d" % number).number, number)
    equal([change[:3] for change in slots.changed_since(10, 1)], [(5, 11, messages.LOST)])
    equal(slots.put(0, _slot(5, b"0005")), (messages.OK, 12))
    equal((slots.find(b"0005").number, slots.used), (5, 10))
    again = _mount(flash)
    equal((again.find(b"0005").number, again.used), (5, 10))


def test_damage_in_what_is_reclaimed_leaves_the_other_codes():
    random.seed(11)
    flash = Flash(SEGMENTS)
    slots = _mount(flash)
    for number in range(1, 11):
        slots.put(0, _slot(number, b"%04d" % number))
    flash.image[7 * RECORD_BYTES + 9] ^= 3
    for change in range(600):  # until the ten are alone in their segment, and it is the one to be copied
        number = random.randrange(20, 100)
        held = slots.get(number)
        status, _ = slots.put(held.version if held else 0, _slot(number, b"9%05d" % change))
        equal(status, messages.OK)
    assert flash.image[4:8] != b"\x01\x00\x00\x00", "segment 0 was never reclaimed"
    for restart in (False, True):
        if restart:
            slots = _mount(flash)
        equal((slots.get(7), slots.used), (None, 89))
        for number in (1, 2, 3, 4, 5, 6, 8, 9, 10):
            equal(slots.find(b"%04d" % number).number, number)


def test_lowest_slot_without_a_code_is_free_until_the_capacity_is_reached():
    slots = _mount(Flash(SEGMENTS), 3)
    for number, pin in ((1, b"1111"), (3, b"3333")):
        slots.put(0, _slot(number, pin))
    equal(free_slot.lowest(slots), 2)
    slots.put(0, _slot(2, b"2222"))
    equal(free_slot.lowest(slots), 0)
    slots.clear(1, 1, bytes(8), 0)
    equal(free_slot.lowest(slots), 1)
