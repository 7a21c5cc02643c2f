"""Power is cut at every flash operation while the journal is written and goes around its flash.

Every acknowledged entry that has not been overwritten is there, in order, without gap or repetition; the one in
flight is there, or not, or its number is left out.
"""

from doorpad_fw.journal import LAYOUT, RECORD_BYTES, Journal
from doorpad_fw.log import FlashError, Log
from doorpad_fw.slots import Slot
from doorpad_link import messages

from cases import cases, equal, raises
from journal_entries import entries_after
from ram_flash import TEARS, Flash, PowerCut

HEAP = "400K"
SEGMENTS = 4
PER_SEGMENT = 84  # 4096 // 48, less the header
SPARE = 2  # segments kept free
ENTRIES_BEFORE = 200
ENTRIES_TRACED = 180


def _mount(flash):
    return Journal(Log(flash, 0, SEGMENTS, LAYOUT, lambda: b"abcd"))


def _append(journal, n):
    # Each entry's content follows from its number, so that what is read back can be judged.
    journal.lockout = n % 5
    slot = Slot(n % 4096, n * 3, 0, 0, 0, 0, bytes(8), n.to_bytes(16, "big"), b"")
    journal.append(messages.EV_GRANTED, n % 7, 1000 + n, n % 1000, n * 11, slot, n % 3)


def _check_entry(entry, n):
    got = (entry.sequence, entry.kind, entry.reason, entry.time_s, entry.ms, entry.uptime_ms)
    equal(got, (n, messages.EV_GRANTED, n % 7, 1000 + n, n % 1000, n * 11))
    got = (entry.slot, entry.version, entry.maker, entry.lockout, entry.access_code_id)
    equal(got, (n % 4096, n * 3, n % 3, n % 5, n.to_bytes(16, "big")))


def _check(journal, head):
    # `head`: number of the last acknowledged entry.
    assert head <= journal.head <= head + 1, "head %d after %d were acknowledged" % (journal.head, head)
    oldest = journal.first
    # What went is never more than room had to be made for.
    assert oldest <= max(1, head + 1 - (SEGMENTS - SPARE - 1) * PER_SEGMENT), "%d is the oldest" % oldest
    cursor = oldest - 1
    while True:
        page = entries_after(journal, cursor, 50)
        for entry in page:
            cursor += 1
            _check_entry(entry, cursor)
        if len(page) < 50:
            break
    # The one in flight was never told to anyone. Torn, it leaves its number out.
    assert head <= cursor <= journal.head, "%d is the last entry, of %d" % (cursor, journal.head)
    equal(journal.newest[0] if journal.newest else 0, cursor, "newest")
    equal(journal.lockout, cursor % 5, "lockout")
    equal(journal.floor, (1000 + cursor, cursor % 1000) if cursor else (0, 0), "time floor")
    return cursor


@cases("nothing", "half", "all")
def test_power_cut_at_every_operation_leaves_no_gap(tear):
    base = Flash(SEGMENTS)
    flash = Flash(SEGMENTS)
    journal = _mount(flash)
    for n in range(1, ENTRIES_BEFORE + 1):
        _append(journal, n)
    base.image[:] = flash.image
    flash.trace = trace = []
    ends = []  # of each entry: operations done when it was acknowledged
    for n in range(ENTRIES_BEFORE + 1, ENTRIES_BEFORE + ENTRIES_TRACED + 1):
        _append(journal, n)
        ends.append(len(trace))
    flash.trace = None
    acknowledged = 0
    heads = set()
    for done, (at, data) in enumerate(trace):
        while ends[acknowledged] <= done:
            acknowledged += 1
        flash.image[:] = base.image
        flash.apply(at, data, tear)
        journal = _mount(flash)
        head = ENTRIES_BEFORE + acknowledged
        heads.add((_check(journal, head) - head, journal.head - head))
        following = journal.head + 1
        _append(journal, following)
        equal(journal.head, following, "the next number")
        _check_entry(entries_after(journal, following - 1, 5)[0], following)
        base.apply(at, data, "all")
    assert flash.erases > 4, "the journal did not go around its flash"
    # (entry kept, number given) of the one in flight.
    equal(heads, {(0, 0), (1, 1)} | ({(0, 1)} if tear == "half" else set()))


def test_power_cut_while_recovering_leaves_no_gap():
    base = Flash(SEGMENTS)
    base.trace = trace = []
    journal = _mount(base)
    for n in range(1, ENTRIES_BEFORE + ENTRIES_TRACED + 1):
        _append(journal, n)
    base.trace = None
    base.image[:] = Flash(SEGMENTS).image
    flash = Flash(SEGMENTS)
    recoveries = 0
    head = 0
    for done, (at, data) in enumerate(trace):
        is_record = data is not None and len(data) == RECORD_BYTES
        base.apply(at, data, "half")
        flash.image[:] = base.image
        before = flash.operations
        if done:
            _mount(flash)
        for operation in range(1, flash.operations - before + 1):
            for tear in TEARS:
                flash.image[:] = base.image
                flash.cut_at(operation, tear)
                try:
                    _mount(flash)
                    raise AssertionError("the power did not go")
                except PowerCut:
                    pass
                flash.power_up()
                _check(_mount(flash), head)
                recoveries += 1
        base.apply(at, data, "all")
        head += is_record
    assert recoveries >= 12, "recovery was cut only %d times" % recoveries


def test_journal_that_goes_around_without_a_restart_still_finds_every_entry():
    journal = _mount(Flash(SEGMENTS))
    oldest = 0
    for n in range(1, 8 * PER_SEGMENT):
        _append(journal, n)
        assert journal.first >= oldest, "an entry that is gone is told to be there"
        oldest = journal.first
        if n % 50 == 0:
            for cursor in (oldest - 1, (oldest + n) // 2, n - 1):
                found = [entry.sequence for entry in entries_after(journal, cursor, 1000)]
                equal(found, list(range(cursor + 1, n + 1)), "after %d of %d" % (cursor, n))
    assert oldest > 5 * PER_SEGMENT, oldest


def test_damaged_entry_leaves_its_number_out_wherever_it_lies():
    count = 2 * PER_SEGMENT + 40
    for damaged in (1, 2, PER_SEGMENT, PER_SEGMENT + 1, 2 * PER_SEGMENT, count - 1, count):
        flash = Flash(SEGMENTS + 2)
        journal = Journal(Log(flash, 0, SEGMENTS + 2, LAYOUT, lambda: b"abcd"))
        for n in range(1, count + 1):
            _append(journal, n)
        segment, place = divmod(damaged - 1, PER_SEGMENT)
        flash.image[segment * 4096 + (place + 1) * RECORD_BYTES + 7] ^= 0x11
        journal = Journal(Log(flash, 0, SEGMENTS + 2, LAYOUT, lambda: b"abcd"))
        equal((journal.first, journal.head), (1, count), damaged)
        _append(journal, count + 1)
        found = [entry.sequence for entry in entries_after(journal, 0, 1000)]
        equal(found, [n for n in range(1, count + 2) if n != damaged], damaged)


def test_entries_of_a_segment_that_are_all_damaged_leave_their_numbers_out():
    flash = Flash(SEGMENTS + 2)
    journal = Journal(Log(flash, 0, SEGMENTS + 2, LAYOUT, lambda: b"abcd"))
    for n in range(1, 3 * PER_SEGMENT + 1):
        _append(journal, n)
    for place in range(1, PER_SEGMENT + 1):
        flash.image[4096 + place * RECORD_BYTES + 1] ^= 3
    journal = Journal(Log(flash, 0, SEGMENTS + 2, LAYOUT, lambda: b"abcd"))
    equal((journal.first, journal.head), (1, 3 * PER_SEGMENT))
    _append(journal, 3 * PER_SEGMENT + 1)
    found = [entry.sequence for entry in entries_after(journal, PER_SEGMENT - 1, 1000)]
    equal(found, [PER_SEGMENT] + list(range(2 * PER_SEGMENT + 1, 3 * PER_SEGMENT + 2)))


def test_entry_that_flash_does_not_take_leaves_its_number_out():
    flash = Flash(SEGMENTS)
    journal = _mount(flash)
    _append(journal, 1)
    flash.stuck[2 * RECORD_BYTES + 8] = 0xC0
    raises(FlashError, _append, journal, 2)
    for n in (3, 4):
        _append(journal, n)
    for again in (journal, _mount(flash)):
        equal([entry.sequence for entry in entries_after(again, 0, 9)], [1, 3, 4])
        equal(again.head, 4)


def test_boot_number_rises_with_every_start_that_wrote():
    flash = Flash(SEGMENTS)
    boots = []
    for n in range(1, 5):
        journal = _mount(flash)
        _append(journal, n)
        boots.append(journal.boot)
    equal(boots, [1, 2, 3, 4])


def test_wiped_flash_begins_a_new_epoch():
    flash = Flash(SEGMENTS)
    epochs = [b"aaaa", b"bbbb"]
    first = Journal(Log(flash, 0, SEGMENTS, LAYOUT, lambda: epochs[0]))
    _append(first, 1)
    again = Journal(Log(flash, 0, SEGMENTS, LAYOUT, lambda: epochs[1]))
    equal((again.epoch, again.head), (b"aaaa", 1))
    wiped = Journal(Log(Flash(SEGMENTS), 0, SEGMENTS, LAYOUT, lambda: epochs[1]))
    equal((wiped.epoch, wiped.head, wiped.first), (b"bbbb", 0, 1))
