"""A slot for a code that is made at the keypad (seldom.py).

Told by the index: to read a full table takes an ESP32 seconds, in which it sees to nothing else.
"""

from doorpad_fw import memory
from doorpad_fw.memory import SLOTS_MAX
from doorpad_fw.slot_index import NUMBER


def lowest(slots):
    """Return the lowest slot without a code, 0 if as many as allowed hold one."""
    if slots.used >= slots.capacity:
        return 0
    taken = memoryview(memory.scratch)[: SLOTS_MAX >> 3]  # a bit for each slot
    for at in range(len(taken)):
        taken[at] = 0
    for entry in memory.slot_buckets:
        if entry:
            place = entry & NUMBER
            taken[place >> 3] |= 1 << (place & 7)
    place = 0
    while taken[place >> 3] >> (place & 7) & 1:
        place += 1
    return place + 1
