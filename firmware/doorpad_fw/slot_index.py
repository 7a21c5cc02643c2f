"""The index of the slot table: which slots may hold a PIN, by the PIN's tag, in constant time.

Open addressing, linear probing, deletion by moving entries back. An entry is the slot's number less 1 and above it a
fingerprint, 1 to 8: the three bits of the tag that the bucket does not tell. So seven of eight other PINs on the way
are passed without a look at flash. The tags themselves stay there: they would take 8 KiB of the heap.
"""

from micropython import const

from doorpad_fw import memory
from doorpad_fw.memory import BUCKETS, SLOTS_MAX

_HOME = const(8191)  # a tag's lower 13 bits: its bucket
_PRINT_SHIFT = const(13)  # of a tag
_NUMBER_BITS = const(12)
NUMBER = const(4095)

assert BUCKETS == _HOME + 1 and SLOTS_MAX <= NUMBER + 1


def link(number, tag):
    """Enter a slot, 1 to SLOTS_MAX, under a 16-bit tag."""
    at = tag & _HOME
    while memory.slot_buckets[at]:
        at = (at + 1) & _HOME
    memory.slot_buckets[at] = ((tag >> _PRINT_SHIFT) + 1) << _NUMBER_BITS | number - 1


def find(tag, holds):
    """Return the first slot under `tag` of which `holds(number)` is true, 0 for none. It may unlink that slot."""
    buckets = memory.slot_buckets
    at = tag & _HOME
    fingerprint = (tag >> _PRINT_SHIFT) + 1
    while True:
        entry = buckets[at]
        if not entry:
            return 0
        if entry >> _NUMBER_BITS == fingerprint:
            if holds((entry & NUMBER) + 1):
                return (entry & NUMBER) + 1
            if buckets[at] != entry:
                continue  # it was unlinked, and another may stand here now
        at = (at + 1) & _HOME


def unlink(number, tag, tag_of):
    """Take a slot out. `tag_of(number)` gives a slot's tag; -1, if it cannot be told, leaves its entry alone."""
    buckets = memory.slot_buckets
    hole = tag & _HOME
    while not buckets[hole] or buckets[hole] & NUMBER != number - 1:
        hole = (hole + 1) & _HOME
    at = hole
    while True:
        at = (at + 1) & _HOME
        entry = buckets[at]
        if not entry:
            break
        other_tag = tag_of((entry & NUMBER) + 1)
        home = at if other_tag < 0 else other_tag & _HOME
        # It may move into the hole unless its home lies behind the hole, on its way to here.
        if (at - home) & _HOME >= (at - hole) & _HOME:
            buckets[hole] = entry
            hole = at
    buckets[hole] = 0


def bucket_of(number):
    """Return the bucket in which a slot stands, -1 for none: for one whose tag is lost."""
    for at, entry in enumerate(memory.slot_buckets):
        if entry and entry & NUMBER == number - 1:
            return at
    return -1
