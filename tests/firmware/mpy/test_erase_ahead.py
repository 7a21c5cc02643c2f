"""Segments that are erased ahead, so that no write waits for an erase while somebody types."""

from doorpad_fw.journal import LAYOUT as JOURNAL_LAYOUT
from doorpad_fw.journal import Journal
from doorpad_fw.log import Log
from doorpad_fw.slots import LAYOUT, Slot, Slots
from doorpad_link import messages
from esp32 import Partition

from cases import equal
from journal_entries import entries_after

PER_SEGMENT = 63
ENTRIES_PER_SEGMENT = 84
SPARE = 2  # segments that are free in any case


def _partition(segments):
    with open("flash.bin", "wb") as file:
        for _ in range(segments):
            file.write(b"\xff" * 4096)
    return Partition.find(Partition.TYPE_DATA, label="slots")[0]


def _table(segments):
    log = Log(_partition(segments), 0, segments, LAYOUT, lambda: b"abcd")
    return log, Slots(log, 4096, bytes(range(32)))


def _put(slots, number, version, change):
    slot = Slot(number, 0, messages.ENABLED, 0, 0, 1, change.to_bytes(8, "big"), bytes(16), b"%08d" % change)
    status, version = slots.put(version, slot)
    equal(status, messages.OK)
    return version


def _rewrite(slots, count):
    version = slots.get(1).version
    for _ in range(count):
        version = _put(slots, 1, version, version)


def _erases_of(work):
    before = Partition.erases
    work()
    return Partition.erases - before


def test_after_erasing_ahead_as_many_writes_wait_for_no_erase():
    log, slots = _table(32)
    _put(slots, 1, 0, 0)
    _rewrite(slots, 32 * PER_SEGMENT)
    equal(log.free_segments, SPARE)
    steps = 0
    while slots.erase_ahead():
        steps += 1
        equal(log.free_segments, SPARE + steps, "an erase a step")
    equal(log.free_segments, 4)
    equal(_erases_of(lambda: _rewrite(slots, (4 - SPARE) * PER_SEGMENT)), 0)
    equal(_erases_of(lambda: _rewrite(slots, PER_SEGMENT)), 1)  # and then as before


def test_segments_full_of_codes_are_not_copied_for_the_little_that_it_wins():
    log, slots = _table(24)
    for number in range(1, (24 - SPARE) * PER_SEGMENT + 1):
        _put(slots, number, 0, number)
    equal(log.free_segments, SPARE)
    operations = Partition.operations
    equal(slots.erase_ahead(), False)
    equal(Partition.operations, operations)


def test_codes_are_found_after_those_around_them_were_erased_ahead():
    _, slots = _table(32)
    for number in range(1, 501):
        _put(slots, number, 0, 10_000 + number)
    _rewrite(slots, 32 * PER_SEGMENT)
    while slots.erase_ahead():
        pass
    for number in range(2, 501):
        equal(slots.find(b"%08d" % (10_000 + number)).number, number)


def test_journal_erases_ahead_for_two_hundred_entries_more():
    log = Log(_partition(128), 0, 128, JOURNAL_LAYOUT, lambda: b"abcd")
    journal = Journal(log)

    def append(count):
        for _ in range(count):
            journal.append(messages.EV_EXIT, 0, 0, 0, 0, None, 0)

    append(127 * ENTRIES_PER_SEGMENT)
    equal(log.free_segments, SPARE)
    while journal.erase_ahead():
        pass
    equal(log.free_segments, 4)
    equal(_erases_of(lambda: append((4 - SPARE) * ENTRIES_PER_SEGMENT)), 0)
    equal(journal.head - journal.first + 1 >= 10_000, True)
    equal(
        [entry.sequence for entry in entries_after(journal, journal.first - 1, 3)],
        [journal.first + n for n in range(3)],
    )
