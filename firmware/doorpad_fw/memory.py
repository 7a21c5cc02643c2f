"""The big blocks, taken before anything has fragmented the heap: import this module first.

An ESP32 without PSRAM has 112 KB of heap in two areas, and a block must lie within one of them.
"""

from array import array

from micropython import const

SLOTS_MAX = const(4096)
BUCKETS = const(8192)  # twice the slots: a probe ends after one or two steps
SEGMENT_BYTES = const(4096)
RECENT = const(32)  # changes

slot_buckets = array("H", bytes(2 * BUCKETS))  # fingerprint of the PIN and slot number less 1; 0 for none
slot_positions = array("H", b"\xff\xff" * (SLOTS_MAX + 1))  # of each slot's newest record
recent_slots = array("H", bytes(2 * RECENT))  # of version n, at n modulo RECENT: the slot that it changed
scratch = bytearray(1024)  # for records that are read many at once: nobody holds on to it over a call


def forget_slots():
    """Empty both arrays of the slots: they outlive the table that used them."""
    _fill(slot_buckets, array("H", bytes(512)))
    _fill(slot_positions, array("H", b"\xff" * 512))


def _fill(target, piece):
    # In pieces: a second array of the whole size would not fit, and a loop over 12,289 elements takes its time.
    view = memoryview(target)
    for start in range(0, len(target), len(piece)):
        end = min(start + len(piece), len(target))
        view[start:end] = memoryview(piece)[: end - start]
