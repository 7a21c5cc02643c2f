"""The table of a keypad over the emulator's own flash, as big as a keypad's, and the heap that a decision takes."""

import gc

from doorpad_fw.decide import decide
from doorpad_fw.log import Log
from doorpad_fw.memory import SLOTS_MAX
from doorpad_fw.slots import LAYOUT, Slots
from esp32 import Partition

SEGMENTS = 128  # half of the 1 MiB partition


def erase_all():
    with open("flash.bin", "wb") as file:
        for _ in range(2 * SEGMENTS):
            file.write(b"\xff" * 4096)


def mount():
    partition = Partition.find(Partition.TYPE_DATA, label="slots")[0]
    return Slots(Log(partition, 0, SEGMENTS, LAYOUT, lambda: b"abcd"), SLOTS_MAX, bytes(range(32)))


def decision_bytes(slots, pin):
    """Bytes of heap that one decision takes and does not give back before a collection: the mean of ten."""
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(10):
        decide(slots.find(pin), 0, False, False)
    taken = gc.mem_alloc() - before
    gc.enable()
    return taken / 10
