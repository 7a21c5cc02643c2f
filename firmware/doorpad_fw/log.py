"""A raw append log on a block device: the one way in which slots and journal reach flash.

Problem: on littlefs every small update erases a block, some 50 ms in which the ESP32 stands still.
Here a record costs one program of its own size. A segment is one erase block:

    record 0   magic[4] sequence[4] epoch[4] CRC-32[4], padded with FF to a record
    record n   mark, payload, CRC-32 of the payload; all FF: not written yet

A power cut can tear one record or one erase. A torn record fails its CRC and is skipped; a segment whose
header fails is erased before it is used. Nothing is ever rewritten in place, so what was there before
the cut is still there. One free segment is kept erased ahead: no append waits for an erase. Segments are
taken in turn, so that all wear alike; one that does not erase, or takes no header, is left out until a restart.

Flash also forgets. One flipped bit of a record or a header is found by the CRC, and turned back where it is read;
more than one is damage. A record that no longer counts is *retired*: its mark, a byte that the CRC does not cover,
is cleared, which needs no erase. So a damaged record that is not retired was lost, or torn if it is the newest; and
a record that was replaced never passes for the newest, whatever becomes of that one. A segment's header is zeroed
before its erase: one that is neither whole nor zeroed, over records, was lost.
"""

import binascii
import struct
from array import array

from doorpad_link import messages
from micropython import const

from doorpad_fw import health, memory, seldom
from doorpad_fw.memory import SEGMENT_BYTES

CRC_BYTES = const(4)
_CRC_OVER_ITSELF = const(0x2144DF1C)  # CRC-32 of anything that its own CRC-32 follows
_IOCTL_ERASE = const(6)
HEADER_BYTES = const(16)
BLANK = b"\xff" * 256
FREE = const(0)  # in `_sequences`: no valid header; real sequences begin at 1
_LIVE_BITS_MIN = const(6)  # of a mark's eight: two flips do not retire a record, five do not bring one back

# In `_state`, of a free segment.
_USED = const(0)  # or not looked at yet
CLEAN = const(1)  # known to be erased
_BAD = const(2)


class FlashError(OSError):
    """What was written does not read back: the flash is worn out or the write was disturbed."""


class FormatError(Exception):
    """Flash holds a log of another format. It is not touched: the program that wrote it can still read it."""


def is_retired(mark):
    """Whether a record with this mark no longer counts."""
    return mark != 0xFF and bin(mark).count("1") < _LIVE_BITS_MIN


def is_whole(record):
    # `record` ends with its CRC. What has one flipped bit is turned back in place; returns (whole, it was so).
    if binascii.crc32(record) == _CRC_OVER_ITSELF:
        return True, False
    for at in range(len(record)):
        for bit in range(8):
            record[at] ^= 1 << bit
            if binascii.crc32(record) == _CRC_OVER_ITSELF:
                return True, True
            record[at] ^= 1 << bit
    return False, False


class Log:
    """Fixed-size records over `segments` erase blocks of `device` from block `first`.

    Args:
        device: block device: readblocks(block, buffer, offset), writeblocks(block, buffer, offset), which only
            clears bits, and ioctl(6, block), which erases.
        layout: (magic of 4 bytes, the last tells the format; bytes of a record; 1 if it begins with a mark, else 0).
        new_epoch: `new_epoch()` gives 4 random bytes when an empty log is begun.

    Raises FormatError.
    """

    def __init__(self, device, first, segments, layout, new_epoch):
        self._device = device
        self._first = first
        self._magic, record_bytes, self._mark_bytes = layout
        self._record_bytes = record_bytes
        self.count = segments
        self.per_segment = SEGMENT_BYTES // record_bytes - 1
        self.epoch = b""
        self.was_empty = False  # no valid segment was found: a new keypad, or its flash was wiped
        self.lost_segments = 0  # whose header was gone, over records
        self.mended = False  # the payload given out last had a flipped bit on flash: it wants another place
        self._sequences = array("I", bytes(4 * segments))
        self._state = bytearray(segments)
        self._current = -1
        self._used = 0  # records in the current segment
        self._record = bytearray(record_bytes)
        self._blank = b"\xff" * record_bytes
        # Views that are there from the start: reading a record takes nothing from the heap.
        self._sealed = memoryview(self._record)[self._mark_bytes :]
        self.payload = memoryview(self._record)[:-CRC_BYTES]
        seldom.call("doorpad_fw.log_care", "load", self, new_epoch)

    def _is_blank(self, segment, offset):
        # In pieces: 4 KiB more of heap in one block may not be there.
        while offset < SEGMENT_BYTES:
            piece = memoryview(memory.scratch)[: min(len(BLANK), SEGMENT_BYTES - offset)]
            self._device.readblocks(self._first + segment, piece, offset)
            if piece != BLANK[: len(piece)]:
                return False
            offset += len(piece)
        return True

    def _open_next(self, sequence):
        header = struct.pack("<4sI4s", self._magic, sequence, self.epoch)
        header += struct.pack("<I", binascii.crc32(header))
        count = len(self._sequences)
        for step in range(1, count + 1):
            segment = (self._current + step) % count
            if self._state[segment] != CLEAN:
                continue
            try:
                self._program(segment, 0, header)
            except FlashError:
                self._mark_bad(segment)
                continue
            self._sequences[segment] = sequence
            self._state[segment] = _USED
            self._current = segment
            self._used = 0
            return
        raise FlashError("no segment is left to write to")

    def _mark_bad(self, segment):
        self._state[segment] = _BAD
        health.report(messages.HEALTH_BAD_SEGMENT)

    def _program(self, segment, offset, data):
        self._device.writeblocks(self._first + segment, data, offset)
        check = memoryview(self._record)[: len(data)]
        self._device.readblocks(self._first + segment, check, offset)
        if check != data:
            health.report(messages.HEALTH_FLASH_WRITE)
            raise FlashError("record does not read back")

    @property
    def free_segments(self):
        free = 0
        for n in range(self.count):
            if self._sequences[n] == FREE and self._state[n] != _BAD:
                free += 1
        return free

    @property
    def current(self):
        """The segment that is being written."""
        return self._current

    @property
    def used(self):
        """How many places of the current segment are taken, damaged ones included."""
        return self._used

    def segments(self):
        """Return the segments in use, oldest first."""
        used = [n for n in range(self.count) if self._sequences[n] != FREE]
        used.sort(key=lambda n: self._sequences[n])
        return used

    def sequence(self, segment):
        """Return a number that is higher the later the segment was opened, 0 for a free one."""
        return self._sequences[segment]

    @property
    def newest(self):
        """Position of the newest record, whole or not; -1 if the current segment has none."""
        return self._current * self.per_segment + self._used - 1 if self._used else -1

    def erase(self, segment):
        """Free a segment and leave it erased, or out of use if it does not erase."""
        self._sequences[segment] = FREE
        try:
            # What does not erase, or not wholly, must not pass for a segment at the next start.
            self._program(segment, 0, bytes(HEADER_BYTES))
        except FlashError:
            pass  # an erase may still do what a program could not
        self._device.ioctl(_IOCTL_ERASE, self._first + segment)
        if self._is_blank(segment, 0):
            self._state[segment] = CLEAN
        else:
            self._mark_bad(segment)

    def has_room(self):
        """Whether the next append stays within the current segment."""
        return self._used < self.per_segment

    def append(self, payload):
        """Write one record; return its position. It is on flash, and read back, when this returns.

        `payload` begins with FF where records have a mark. The caller keeps at least one segment free.
        Raises FlashError.
        """
        if not self.has_room():
            self._open_next(self._sequences[self._current] + 1)
        self._used += 1  # also when the write fails: what it left there is not to be written over
        crc = binascii.crc32(memoryview(payload)[self._mark_bytes :])
        record = bytes(payload) + struct.pack("<I", crc)
        try:
            self._program(self._current, self._used * self._record_bytes, record)
        except FlashError:
            self._give_up(self.newest)
            raise
        return self.newest

    def _give_up(self, position):
        if self._mark_bytes:
            try:
                self.retire(position)
            except FlashError:
                pass  # it stays damaged, and the next start takes it for a loss

    def retire(self, position):
        """Clear the mark of a record: it no longer counts, also after a restart. Raises FlashError."""
        segment = position // self.per_segment
        self._program(segment, (position % self.per_segment + 1) * self._record_bytes, b"\0")

    def read(self, position):
        """Return the payload at a position, valid until the next call. Raises FlashError if it is damaged."""
        self._device.readblocks(
            self._first + position // self.per_segment,
            self._record,
            (position % self.per_segment + 1) * self._record_bytes,
        )
        self.mended = False
        if binascii.crc32(self._sealed) != _CRC_OVER_ITSELF:
            whole, self.mended = is_whole(self._sealed)
            if not whole:
                raise FlashError("record %d is damaged" % position)
            health.report(messages.HEALTH_BIT_FLIPPED)
        return self.payload

    def records(self, segment):
        """Yield (position, payload) of the records of a segment, oldest first; payload None: damaged, and it counts.

        A payload is valid until the next one; nothing may be appended meanwhile.
        """
        size = self._record_bytes
        at_once = len(memory.scratch) // size
        for first in range(0, self.per_segment, at_once):
            view = memoryview(memory.scratch)[: min(at_once, self.per_segment - first) * size]
            self._device.readblocks(self._first + segment, view, (first + 1) * size)
            for start in range(0, len(view), size):
                record = view[start : start + size]
                if record == self._blank:
                    continue
                whole, self.mended = is_whole(record[self._mark_bytes :])
                retired = self._mark_bytes and is_retired(record[0])
                if self.mended and not retired:
                    health.report(messages.HEALTH_BIT_FLIPPED)
                if whole or not retired:
                    payload = record[:-CRC_BYTES] if whole else None
                    yield segment * self.per_segment + first + start // size, payload
