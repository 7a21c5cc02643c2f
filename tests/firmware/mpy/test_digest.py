"""The table's digest: kept by sums as slots change, equal to one that is made from nothing."""

import struct
from hashlib import sha256

from doorpad_fw.log import Log
from doorpad_fw.slots import LAYOUT, NO_CODE, Slot, Slots
from doorpad_link import messages

from ram_flash import Flash

_KEY = bytes(32)


def _table(flash):
    return Slots(Log(flash, 0, 4, LAYOUT, lambda: b"slot"), 64, _KEY)


def _expected(slots, page):
    total = 0
    for number in range(32 * page + 1, 32 * page + 33):
        slot = slots.get(number)
        if slot is not None:
            total += struct.unpack(">Q", sha256(struct.pack(">HI", number, slot.version)).digest()[:8])[0]
    return (total % 2**64).to_bytes(8, "big")


def _agrees(slots):
    pages = [_expected(slots, page) for page in range(128)]
    assert [slots.digest.page(page) for page in range(128)] == pages
    total = sum([int.from_bytes(page, "big") for page in pages]) % 2**64
    assert slots.digest.root() == total.to_bytes(8, "big")


def _put(slots, number, pin, if_version):
    slot = Slot(number, 0, messages.ENABLED, 0, 0, 1, bytes(8), NO_CODE, pin)
    status, version = slots.put(if_version, slot)
    assert status == messages.OK, status
    return version


def test_digest_follows_puts_replacements_and_clears_and_a_restart():
    flash = Flash(4)
    slots = _table(flash)
    assert slots.digest.root() == bytes(8)
    _agrees(slots)
    first = _put(slots, 1, b"1111", 0)
    _put(slots, 32, b"2222", 0)
    _put(slots, 33, b"3333", 0)
    _agrees(slots)
    before = slots.digest.root()
    replaced = _put(slots, 1, b"4444", first)
    assert slots.digest.root() != before, "the same slot at another version is another table"
    _agrees(slots)
    status, _ = slots.clear(33, slots.get(33).version, bytes(8), 1)
    assert status == messages.OK
    _agrees(slots)
    assert slots.digest.page(1) == bytes(8)
    root = slots.digest.root()
    again = _table(flash)
    assert (again.digest.root(), again.get(1).version) == (root, replaced)


def test_many_changes_with_copying_leave_the_digest_right():
    flash = Flash(4)
    slots = _table(flash)
    versions = {}
    for turn in range(300):
        number = turn * 7 % 40 + 1
        versions[number] = _put(slots, number, b"%06d" % (number * 1000 + turn), versions.get(number, 0))
    _agrees(slots)
    _agrees(_table(flash))
