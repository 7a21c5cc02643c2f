"""Runs inside MicroPython: what a decision, a change and a start cost. Prints one JSON object.

micropython decisions.py     in an empty directory
"""

import gc
import json
import random

import time
from doorpad_link import messages
from esp32 import Partition

from doorpad_fw.decide import decide
from doorpad_fw.log import Log
from doorpad_fw.memory import SLOTS_MAX
from doorpad_fw.slots import LAYOUT, Slot, Slots

SEGMENTS = 128
FEW = 16
ROUNDS = 200
CHANGES = 20_000


def mount():
    partition = Partition.find(Partition.TYPE_DATA, label="slots")[0]
    return Slots(Log(partition, 0, SEGMENTS, LAYOUT, lambda: b"abcd"), SLOTS_MAX, bytes(range(32)))


def fill(slots, first, last):
    for number in range(first, last + 1):
        slots.put(0, Slot(number, 0, messages.ENABLED, 0, 0, 1, bytes(8), bytes(16), b"%06d" % number))


def decision_us(slots, last):
    """Microseconds of one judged PIN, the half of them unknown: the best of five runs."""
    pins = [b"%06d" % random.randrange(1, last + 1) for _ in range(ROUNDS // 2)]
    pins += [b"9%06d" % n for n in range(ROUNDS // 2)]
    best = 1 << 60
    for _ in range(5):
        gc.collect()
        began = time.ticks_us()
        for pin in pins:
            decide(slots.find(pin), 0, False, False)
        best = min(best, time.ticks_diff(time.ticks_us(), began))
    return best / len(pins)


def decision_bytes(slots):
    """Bytes of heap that one decision takes and does not give back before a collection."""
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(10):
        decide(slots.find(b"000007"), 0, False, False)
    taken = gc.mem_alloc() - before
    gc.enable()
    return taken / 10


def main():
    with open("flash.bin", "wb") as file:
        for _ in range(SEGMENTS):
            file.write(b"\xff" * 4096)
    random.seed(1)
    slots = mount()
    fill(slots, 1, FEW)
    few_us = decision_us(slots, FEW)
    fill(slots, FEW + 1, SLOTS_MAX)
    many_us = decision_us(slots, SLOTS_MAX)
    taken = decision_bytes(slots)
    operations, erases = Partition.operations, Partition.erases
    for change in range(CHANGES):
        number = random.randrange(1, SLOTS_MAX + 1)
        slot = slots.get(number)
        slot.pin = b"8%06d" % change
        slots.put(slot.version, slot)
    operations = Partition.operations - operations
    erases = Partition.erases - erases
    del slots
    gc.collect()
    began = time.ticks_ms()
    mount()
    boot_ms = time.ticks_diff(time.ticks_ms(), began)
    gc.collect()
    print(
        json.dumps(
            {
                "decision_us": {"slots_16": few_us, "slots_4096": many_us, "ratio": many_us / few_us},
                "decision_heap_bytes": taken,
                "full_table_change": {
                    "flash_operations": operations / CHANGES,
                    "erases": erases / CHANGES,
                    "changes_until_each_block_is_erased_once": CHANGES * SEGMENTS / max(erases, 1),
                },
                "boot_ms_slots_4096": boot_ms,
                "heap_free": gc.mem_free(),
            }
        )
    )


main()
