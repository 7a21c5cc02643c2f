"""4,096 codes in a keypad's heap, over the emulator's own flash: found, changed 10,000 times, and no byte leaks."""

import gc
import random

from doorpad_fw.log import Log
from doorpad_fw.memory import SLOTS_MAX
from doorpad_fw.slots import LAYOUT, Slot, Slots
from doorpad_link import messages
from esp32 import Partition

from cases import equal

SEGMENTS = 128  # half of the 1 MiB partition
CHANGES = 10_000


def _mount():
    partition = Partition.find(Partition.TYPE_DATA, label="slots")[0]
    return Slots(Log(partition, 0, SEGMENTS, LAYOUT, lambda: b"abcd"), SLOTS_MAX, bytes(range(32)))


def _put(slots, number, version, pin, op):
    slot = Slot(number, 0, messages.ENABLED, 0, 0, 1, op.to_bytes(8, "big"), bytes(16), pin)
    return slots.put(version, slot)


def test_full_table_is_found_changed_and_reloaded_within_the_heap():
    with open("flash.bin", "wb") as file:
        for _ in range(SEGMENTS):
            file.write(b"\xff" * 4096)
    slots = _mount()
    for number in range(1, SLOTS_MAX + 1):
        equal(_put(slots, number, 0, b"%06d" % number, number), (messages.OK, number))
    equal(_put(slots, 1, 0, b"999999", 1_000_000)[0], messages.CONFLICT)
    equal(slots.used, SLOTS_MAX)
    random.seed(5)
    gc.collect()
    allocated = 0
    for change in range(1, CHANGES + 1):
        number = random.randrange(1, SLOTS_MAX + 1)
        version = slots.get(number).version
        # The new PIN is this change's own, so no other slot can have it.
        equal(_put(slots, number, version, b"9%06d" % change, SLOTS_MAX + change)[0], messages.OK)
        if change % 100 == 0:
            slots.erase_ahead()
        if change == 1000:
            gc.collect()
            allocated = gc.mem_alloc()
    gc.collect()
    grown = gc.mem_alloc() - allocated
    assert grown < 512, "%d bytes more after %d changes" % (grown, CHANGES - 1000)
    assert Partition.erases > 100, "the table did not go around its flash"
    _check_every_code(slots)
    generation = slots.generation
    del slots
    gc.collect()
    slots = _mount()
    equal((slots.used, slots.generation), (SLOTS_MAX, generation))
    _check_every_code(slots)


def _check_every_code(slots):
    for number in range(1, SLOTS_MAX + 1):
        slot = slots.get(number)
        found = slots.find(slot.pin)
        equal(found.number if found else None, number, "holder of slot %d's PIN" % number)
    equal(slots.find(b"0000"), None)
