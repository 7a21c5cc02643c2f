"""Flash that forgets: whatever is lost of the newest record of a slot, no older one takes its place.

Slots 1 to 9 hold codes. Slot 5 was given another PIN and slot 6 was cleared, both in a later segment. Then flash is
damaged where their newest records are, and the keypad starts again.
"""

import random

from doorpad_fw import health
from doorpad_fw.log import Log
from doorpad_fw.slots import LAYOUT, RECORD_BYTES, Slot, Slots
from doorpad_link import messages

from cases import cases, equal
from ram_flash import BLOCK_BYTES, TEARS, Flash, PowerCut

HEAP = "400K"
SEGMENTS = 6
PER_SEGMENT = 63
PAGE_BYTES = 256
OTHERS = (1, 2, 3, 4, 7, 8, 9)


def _mount(flash):
    health.bits = 0
    return Slots(Log(flash, 0, SEGMENTS, LAYOUT, lambda: b"abcd"), 4096, bytes(range(32)))


def _slot(number, pin):
    return Slot(number, 0, messages.ENABLED, 0, 0, 1, bytes(8), bytes(16), pin)


def _put(slots, number, pin):
    held = slots.get(number)
    equal(slots.put(held.version if held else 0, _slot(number, pin))[0], messages.OK)


def _changed():
    """(flash, where the record of slot 5's new PIN is, where that of slot 6's clearing is), both in block 1."""
    flash = Flash(SEGMENTS)
    slots = _mount(flash)
    for number in range(1, 10):
        _put(slots, number, b"%04d" % number)
    for n in range(PER_SEGMENT):
        _put(slots, 20, b"20%04d" % n)
    flash.trace = []
    _put(slots, 5, b"5555")
    put_at = flash.trace[0][0]
    flash.trace = []
    equal(slots.clear(6, slots.get(6).version, bytes(8), 1)[0], messages.OK)
    clear_at = flash.trace[0][0]
    flash.trace = None
    for n in range(3):
        _put(slots, 21, b"21%04d" % n)  # neither is the newest record of all
    equal((put_at // BLOCK_BYTES, clear_at // BLOCK_BYTES), (1, 1))
    return flash, put_at, clear_at


def _check_others(slots):
    for number in OTHERS:
        equal(slots.find(b"%04d" % number).number, number)


def _check_revoked(slots):
    equal((slots.find(b"0005"), slots.find(b"0006"), slots.get(6)), (None, None, None))


def _lost(slots, generation):
    """Numbers of the slots that are told as lost after `generation`."""
    return [
        number
        for number, _, flags, maker, slot in slots.changed_since(generation, 1)
        if slot is None and flags == messages.LOST and maker == messages.MAKER_KEYPAD
    ]


def test_any_one_flipped_bit_is_turned_back_and_the_record_is_written_anew():
    flash, put_at, clear_at = _changed()
    sound = bytes(flash.image)
    generation = _mount(flash).generation
    for at in (put_at, clear_at):
        for bit in range(8, 8 * RECORD_BYTES):  # behind the mark
            flash.image[:] = sound
            flash.image[at + bit // 8] ^= 1 << bit % 8
            slots = _mount(flash)
            _check_revoked(slots)
            equal((slots.find(b"5555").number, slots.generation), (5, generation), "bit %d" % bit)
            equal(health.bits, messages.HEALTH_BIT_FLIPPED)
            if bit % 50 == 0:
                _check_others(slots)
                again = _mount(flash)
                equal((health.bits, again.find(b"5555").number, again.used), (0, 5, 10))
                _check_revoked(again)


def test_flipped_bits_of_a_mark_retire_no_record_and_bring_none_back():
    flash, put_at, clear_at = _changed()
    sound = bytes(flash.image)
    for bits in (1, 0x80, 0x18, 0x81):
        flash.image[:] = sound
        flash.image[put_at] ^= bits
        flash.image[clear_at] ^= bits
        for number in (5, 6):
            old_at = number * RECORD_BYTES
            equal(flash.image[old_at], 0, "mark of a replaced record")
            flash.image[old_at] ^= bits
        slots = _mount(flash)
        _check_revoked(slots)
        _check_others(slots)
        equal(slots.find(b"5555").number, 5)


def test_any_two_flipped_bits_lose_the_slot_and_bring_no_older_code_back():
    flash, put_at, clear_at = _changed()
    sound = bytes(flash.image)
    generation = _mount(flash).generation
    random.seed(1)
    for at in (put_at, clear_at):
        for first in range(8, 8 * RECORD_BYTES, 4):
            second = random.randrange(8, 8 * RECORD_BYTES)
            if second == first:
                continue
            flash.image[:] = sound
            flash.image[at + first // 8] ^= 1 << first % 8
            flash.image[at + second // 8] ^= 1 << second % 8
            what = "bits %d and %d" % (first, second)
            slots = _mount(flash)
            _check_revoked(slots)
            equal(health.bits, messages.HEALTH_RECORD_LOST, what)
            equal(_lost(slots, generation), [5 if at == put_at else 6], what)
            if first % 64 == 8:
                _check_others(slots)
                told = slots.generation
                again = _mount(flash)
                equal((health.bits, again.generation), (0, told), what)
                _check_revoked(again)
                equal(again.digest.root(), slots.digest.root(), what)


def _spoil(flash, start, size, how):
    if how == "random":
        random.seed(start)
        flash.image[start : start + size] = bytes(random.getrandbits(8) for _ in range(size))
    else:
        flash.image[start : start + size] = bytes([how]) * size


@cases(0, 255, "random")
def test_lost_page_loses_its_slots_and_brings_no_older_code_back(how):
    flash, put_at, clear_at = _changed()
    generation = _mount(flash).generation
    for at in (put_at, clear_at):
        _spoil(flash, at // PAGE_BYTES * PAGE_BYTES, PAGE_BYTES, how)
    slots = _mount(flash)
    _check_revoked(slots)
    _check_others(slots)
    equal((slots.find(b"5555"), _lost(slots, generation)[:2]), (None, [5, 6]))
    assert health.bits & messages.HEALTH_RECORD_LOST
    _put(slots, 5, b"5555")
    again = _mount(flash)
    equal(again.find(b"5555").number, 5)
    _check_revoked(again)


@cases(0, 255, "random")
def test_lost_block_loses_its_slots_and_brings_no_older_code_back(how):
    flash, _, _ = _changed()
    generation = _mount(flash).generation
    _spoil(flash, BLOCK_BYTES, BLOCK_BYTES, how)
    slots = _mount(flash)
    _check_revoked(slots)
    _check_others(slots)
    lost = _lost(slots, 0)
    assert 5 in lost and 6 in lost, lost
    assert health.bits & messages.HEALTH_RECORD_LOST
    if how == "random":  # what reads as erased, or as being erased, may have been so
        assert slots.generation > generation, "a version could be given twice"
    _put(slots, 5, b"5555")
    again = _mount(flash)
    equal(again.find(b"5555").number, 5)
    _check_revoked(again)


@cases(0, 255, "random")
def test_lost_header_loses_its_segment_and_brings_no_older_code_back(how):
    flash, _, _ = _changed()
    _spoil(flash, BLOCK_BYTES, 16, how)
    slots = _mount(flash)
    _check_revoked(slots)
    _check_others(slots)
    assert {5, 6} <= set(_lost(slots, 0)), _lost(slots, 0)


@cases(5, 6)
def test_record_found_damaged_while_running_is_told_as_lost_at_once(number):
    flash, put_at, clear_at = _changed()
    slots = _mount(flash)
    generation = slots.generation
    at = put_at if number == 5 else clear_at
    flash.image[at + 30] ^= 3
    equal((slots.find(b"5555") is None, slots.get(number)), (number == 5, None))
    equal((health.bits, _lost(slots, generation)), (messages.HEALTH_RECORD_LOST, [number]))
    _check_others(slots)
    root = slots.digest.root()
    again = _mount(flash)
    equal((health.bits, again.digest.root(), again.generation), (0, root, generation + 1))
    _check_revoked(again)


def test_power_cut_at_every_operation_of_mending_brings_no_older_code_back():
    flash, put_at, clear_at = _changed()
    flash.image[put_at + 30] ^= 3  # lost
    flash.image[clear_at + 30] ^= 1  # mended
    damaged = bytes(flash.image)
    before = flash.operations
    _mount(flash)
    needed = flash.operations - before
    assert needed >= 5, needed
    for tear in TEARS:
        for operation in range(1, needed + 1):
            flash.image[:] = damaged
            flash.cut_at(operation, tear)
            try:
                _mount(flash)
                raise AssertionError("the power did not go")
            except PowerCut:
                pass
            flash.power_up()
            slots = _mount(flash)
            _check_revoked(slots)
            _check_others(slots)
            equal((_lost(slots, 0), slots.find(b"5555"), slots.used), ([5], None, 9))
