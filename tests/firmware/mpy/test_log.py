"""The raw log: its layout on flash, damage, and flash that is worn out."""

import binascii

from doorpad_fw import health
from doorpad_fw.log import FlashError, FormatError, Log, is_retired
from doorpad_link import messages

from cases import cases, equal, raises
from ram_flash import BLOCK_BYTES, Flash

HEAP = "400K"
RECORD_BYTES = 64
PER_SEGMENT = 63


LAYOUT = (b"test", RECORD_BYTES, 0)


def _mount(flash, segments=4, epoch=b"epoc"):
    return Log(flash, 0, segments, LAYOUT, lambda: epoch)


def _payload(n):
    return n.to_bytes(4, "little") * 15


def _all(log):
    # None for each record that is damaged.
    return [payload and bytes(payload) for segment in log.segments() for _, payload in log.records(segment)]


def test_record_stands_on_flash_as_the_layout_says():
    flash = Flash(4)
    log = _mount(flash)
    log.append(_payload(7))
    header = b"test" + b"\x01\x00\x00\x00" + b"epoc"
    wanted = header + binascii.crc32(header).to_bytes(4, "little") + b"\xff" * 48
    wanted += _payload(7) + binascii.crc32(_payload(7)).to_bytes(4, "little")
    equal(bytes(flash.image[: len(wanted)]), wanted)
    equal(set(flash.image[len(wanted) :]), {0xFF}, "the rest of flash")


def test_append_costs_one_program_and_no_erase():
    flash = Flash(4)
    log = _mount(flash)
    before = flash.operations
    for n in range(PER_SEGMENT):
        log.append(_payload(n))
    equal((flash.operations - before, flash.erases), (PER_SEGMENT, 0))


def test_remounted_log_has_every_record_in_order():
    flash = Flash(4)
    log = _mount(flash)
    written = [_payload(n) for n in range(2 * PER_SEGMENT + 5)]
    positions = [log.append(payload) for payload in written]
    again = _mount(flash, epoch=b"othr")
    equal(_all(again), written)
    equal([bytes(again.read(position)) for position in positions], written)
    equal((again.epoch, again.was_empty), (b"epoc", False))


def test_damaged_record_is_told_and_not_read():
    flash = Flash(4)
    log = _mount(flash)
    positions = [log.append(_payload(n)) for n in range(5)]
    flash.image[3 * RECORD_BYTES + 10] ^= 0x41
    again = _mount(flash)
    equal(_all(again), [_payload(0), _payload(1), None, _payload(3), _payload(4)])
    raises(FlashError, again.read, positions[2])


@cases(0, 10, 59, 60, 63)
def test_flipped_bit_of_a_record_is_turned_back_and_said(byte):
    flash = Flash(4)
    log = _mount(flash)
    positions = [log.append(_payload(n)) for n in range(5)]
    flash.image[3 * RECORD_BYTES + byte] ^= 0x40
    health.bits = 0
    again = _mount(flash)
    equal((_all(again), health.bits), ([_payload(n) for n in range(5)], messages.HEALTH_BIT_FLIPPED))
    equal((bytes(again.read(positions[2])), again.mended), (_payload(2), True))
    equal((bytes(again.read(positions[1])), again.mended), (_payload(1), False))


def test_record_after_a_torn_one_goes_to_a_place_of_its_own():
    flash = Flash(4)
    log = _mount(flash)
    log.append(_payload(1))
    flash.apply(2 * RECORD_BYTES, _payload(2), "half")
    again = _mount(flash)
    again.append(_payload(3))
    equal(_all(_mount(flash)), [_payload(1), None, _payload(3)])


def test_segment_with_a_damaged_header_is_counted_as_lost_and_erased_before_use():
    flash = Flash(4)
    log = _mount(flash)
    for n in range(PER_SEGMENT + 1):
        log.append(_payload(n))
    flash.image[BLOCK_BYTES + 2] ^= 3
    again = _mount(flash)
    equal((flash.erases, again.lost_segments), (1, 1))
    equal(set(flash.image[BLOCK_BYTES : 2 * BLOCK_BYTES]), {0xFF})
    equal(len(_all(again)), PER_SEGMENT)


@cases(0, 3, 4, 11, 12, 15)
def test_flipped_bit_of_a_header_costs_no_record_and_is_said(byte):
    flash = Flash(4)
    log = _mount(flash)
    for n in range(PER_SEGMENT + 1):
        log.append(_payload(n))
    flash.image[byte] ^= 0x10
    health.bits = 0
    again = _mount(flash)
    equal((len(_all(again)), again.epoch, again.lost_segments), (PER_SEGMENT + 1, b"epoc", 0))
    equal((health.bits, flash.erases), (messages.HEALTH_BIT_FLIPPED, 0))


def test_log_of_another_format_is_refused_and_left_as_it_is():
    flash = Flash(4)
    _mount(flash).append(_payload(1))
    before = bytes(flash.image)
    error = raises(FormatError, Log, flash, 0, 4, (b"tes2", RECORD_BYTES, 0), lambda: b"epoc")
    equal((str(error), bytes(flash.image) == before), ("flash holds b'test', not b'tes2'", True))


def test_retired_record_keeps_its_payload_and_its_mark_alone_has_changed():
    flash = Flash(4)
    log = Log(flash, 0, 4, (b"test", RECORD_BYTES, 1), lambda: b"epoc")
    payload = b"\xff" + _payload(7)[1:]
    position = log.append(payload)
    before = bytes(flash.image)
    log.retire(position)
    changed = [n for n in range(len(before)) if before[n] != flash.image[n]]
    equal((changed, flash.image[RECORD_BYTES]), ([RECORD_BYTES], 0))
    again = Log(flash, 0, 4, (b"test", RECORD_BYTES, 1), lambda: b"epoc")
    equal(_all(again), [b"\x00" + payload[1:]])


def test_marks_are_read_with_two_flipped_bits():
    equal([is_retired(mark) for mark in (0xFF, 0xFE, 0x7E, 0x3C, 0x81, 0x01, 0)], [False] * 3 + [True] * 4)


def test_stuck_bit_is_said_and_the_next_record_passes_it():
    flash = Flash(4)
    log = _mount(flash)
    flash.stuck[RECORD_BYTES + 5] = 0x80
    raises(FlashError, log.append, _payload(1))
    log.append(_payload(2))
    equal(_all(log), [_payload(1), _payload(2)])


def test_segments_are_taken_in_turn_also_after_a_restart():
    flash = Flash(4)
    log = _mount(flash)
    for n in range(3 * PER_SEGMENT):
        log.append(_payload(n))
    log.erase(0)
    log.append(_payload(999))
    equal(log.segments(), [1, 2, 3])
    log.erase(1)
    for n in range(PER_SEGMENT):
        log.append(_payload(1000 + n))
    equal(log.segments(), [2, 3, 0])
    again = _mount(flash)
    equal(again.segments(), [2, 3, 0])
    again.erase(2)
    for n in range(PER_SEGMENT):
        again.append(_payload(2000 + n))
    equal(again.segments(), [3, 0, 1])


def test_every_segment_wears_alike():
    # The oldest is freed whenever one is left, as the journal does it.
    flash = Flash(8)
    log = _mount(flash, segments=8)
    erased = [0] * 8
    for n in range(80 * PER_SEGMENT):
        if log.free_segments < 2:
            oldest = log.segments()[0]
            log.erase(oldest)
            erased[oldest] += 1
        log.append(_payload(n))
    equal(sum(erased), flash.erases)
    assert min(erased) >= 9 and max(erased) - min(erased) <= 1, erased


def test_segment_that_takes_no_header_is_left_out_and_the_next_is_used():
    flash = Flash(4)
    log = _mount(flash)
    flash.stuck[BLOCK_BYTES] = 0xFF
    health.bits = 0
    written = [_payload(n) for n in range(2 * PER_SEGMENT)]
    for payload in written:
        log.append(payload)
    equal((log.segments(), log.free_segments), ([0, 2], 1))
    equal(health.bits & messages.HEALTH_BAD_SEGMENT, messages.HEALTH_BAD_SEGMENT)
    again = _mount(flash)
    equal(_all(again), written)


def test_segment_that_does_not_erase_is_left_out_and_told():
    flash = Flash(4)
    log = _mount(flash)
    for n in range(PER_SEGMENT + 1):
        log.append(_payload(n))
    flash.dead_blocks.add(0)
    health.bits = 0
    log.erase(0)
    equal((log.free_segments, log.segments()), (2, [1]))
    equal(health.bits, messages.HEALTH_BAD_SEGMENT)
    for n in range(2 * PER_SEGMENT):
        log.append(_payload(100 + n))
    equal(log.segments(), [1, 2, 3])
    equal(_all(log), [_payload(PER_SEGMENT)] + [_payload(100 + n) for n in range(2 * PER_SEGMENT)])


def test_log_without_a_segment_left_says_so_and_keeps_what_it_has():
    flash = Flash(2)
    log = _mount(flash, segments=2)
    flash.stuck[BLOCK_BYTES] = 0xFF
    written = [_payload(n) for n in range(PER_SEGMENT)]
    for payload in written:
        log.append(payload)
    raises(FlashError, log.append, _payload(1000))
    raises(FlashError, log.append, _payload(1000))
    equal(_all(log), written)
    equal(_all(_mount(flash, segments=2)), written)


def test_foreign_bytes_are_erased_once_and_never_read():
    flash = Flash(4)
    flash.image[:] = b"\x00" * len(flash.image)
    log = _mount(flash)
    equal((log.was_empty, flash.erases, _all(log)), (True, 4, []))
    before = flash.erases
    _mount(flash)
    equal(flash.erases, before)
