"""A raw append log on a block device: the one way in which slots and journal reach flash.

Problem: on littlefs every small update erases a block, some 50 ms in which the ESP32 stands still.
Here a record costs one program of its own size. A segment is one erase block:

    record 0   magic[4] sequence[4] epoch[4] CRC-32[4], padded with FF to a record
    record n   payload, CRC-32 of the payload; all FF: not written yet

A power cut can tear one record or one erase. A torn record fails its CRC and is skipped; a segment whose
header fails is erased before it is used. Nothing is ever rewritten in place, so what was there before
the cut is still there. One free segment is kept erased ahead: no append waits for an erase. Segments are
taken in turn, so that all wear alike; one that does not erase, or takes no header, is left out until a restart.
"""

import binascii
import struct
from array import array

from doorpad_link import messages
from micropython import const

from doorpad_fw import health, memory
from doorpad_fw.memory import SEGMENT_BYTES

CRC_BYTES = const(4)
_MAGIC = b"dpL1"
_IOCTL_ERASE = const(6)
_BLANK = b"\xff" * 256
_FREE = const(0)  # in `_sequences`: no valid header; real sequences begin at 1

# In `_state`, of a free segment.
_USED = const(0)  # or not looked at yet
_CLEAN = const(1)  # known to be erased
_BAD = const(2)


class FlashError(OSError):
    """What was written does not read back: the flash is worn out or the write was disturbed."""


class Log:
    """Fixed-size records over `segments` erase blocks of `device` from block `first`.

    Args:
        device: block device: readblocks(block, buffer, offset), writeblocks(block, buffer, offset), which only
            clears bits, and ioctl(6, block), which erases.
        record_bytes: CRC included.
        new_epoch: `new_epoch()` gives 4 random bytes when an empty log is begun.
    """

    def __init__(self, device, first, segments, record_bytes, new_epoch):
        self._device = device
        self._first = first
        self._record_bytes = record_bytes
        self.per_segment = SEGMENT_BYTES // record_bytes - 1
        self.epoch = b""
        self.was_empty = False  # no valid segment was found: a new keypad, or its flash was wiped
        self.torn = 0  # records that failed their CRC
        self._sequences = array("I", bytes(4 * segments))
        self._state = bytearray(segments)
        self._current = -1
        self._used = 0  # records in the current segment
        self._buffer = memory.segment  # shared: nobody holds on to it over a call
        self._record = bytearray(record_bytes)
        self._blank = b"\xff" * record_bytes
        self._find_segments(new_epoch)

    def _find_segments(self, new_epoch):
        header = memoryview(self._buffer)[:16]
        for segment in range(len(self._sequences)):
            self._device.readblocks(self._first + segment, header, 0)
            magic, sequence, epoch, crc = struct.unpack("<4sI4sI", header)
            if magic == _MAGIC and crc == binascii.crc32(header[:12]):
                self._sequences[segment] = sequence
                if self._current < 0 or sequence > self._sequences[self._current]:
                    self._current = segment
                    self.epoch = epoch
        for segment, sequence in enumerate(self._sequences):
            if sequence == _FREE:
                if self._is_blank(segment):
                    self._state[segment] = _CLEAN
                else:
                    self.erase(segment)
        if self._current < 0:
            self.was_empty = True
            self.epoch = new_epoch()
            self._open_next(1)
        else:
            self._used = self._count_used()

    def _is_blank(self, segment):
        # In pieces: 4 KiB more of heap in one block may not be there.
        piece = memoryview(self._buffer)[: len(_BLANK)]
        for offset in range(0, SEGMENT_BYTES, len(_BLANK)):
            self._device.readblocks(self._first + segment, piece, offset)
            if piece != _BLANK:
                return False
        return True

    def _count_used(self):
        self._device.readblocks(self._first + self._current, self._buffer, 0)
        for index in range(self.per_segment, 0, -1):
            start = index * self._record_bytes
            if self._buffer[start : start + self._record_bytes] != self._blank:
                return index
        return 0

    def _open_next(self, sequence):
        header = struct.pack("<4sI4s", _MAGIC, sequence, self.epoch)
        header += struct.pack("<I", binascii.crc32(header))
        count = len(self._sequences)
        for step in range(1, count + 1):
            segment = (self._current + step) % count
            if self._state[segment] != _CLEAN:
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
        check = memoryview(self._buffer)[: len(data)]
        self._device.readblocks(self._first + segment, check, offset)
        if check != data:
            health.report(messages.HEALTH_FLASH_WRITE)
            raise FlashError("record does not read back")

    @property
    def free_segments(self):
        return sum(
            1 for n, sequence in enumerate(self._sequences) if sequence == _FREE and self._state[n] != _BAD
        )

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
        used = [(sequence, n) for n, sequence in enumerate(self._sequences) if sequence != _FREE]
        used.sort()
        return [n for _, n in used]

    def erase(self, segment):
        """Free a segment and leave it erased, or out of use if it does not erase."""
        self._sequences[segment] = _FREE
        self._device.ioctl(_IOCTL_ERASE, self._first + segment)
        if self._is_blank(segment):
            self._state[segment] = _CLEAN
        else:
            self._mark_bad(segment)

    def has_room(self):
        """Whether the next append stays within the current segment."""
        return self._used < self.per_segment

    def append(self, payload):
        """Write one record; return its position. It is on flash, and read back, when this returns.

        The caller keeps at least one segment free. Raises FlashError.
        """
        if not self.has_room():
            self._open_next(self._sequences[self._current] + 1)
        self._used += 1  # also when the write fails: what it left there is not to be written over
        record = bytes(payload) + struct.pack("<I", binascii.crc32(payload))
        self._program(self._current, self._used * self._record_bytes, record)
        return self._current * self.per_segment + self._used - 1

    def read(self, position):
        """Return the payload at a position, valid until the next call. Raises FlashError if it is damaged."""
        segment, index = divmod(position, self.per_segment)
        self._device.readblocks(self._first + segment, self._record, (index + 1) * self._record_bytes)
        payload = memoryview(self._record)[:-CRC_BYTES]
        if (
            binascii.crc32(payload)
            != struct.unpack_from("<I", self._record, self._record_bytes - CRC_BYTES)[0]
        ):
            raise FlashError("record %d is damaged" % position)
        return payload

    def records(self, segment):
        """Yield (position, payload) of the intact records of a segment, oldest first.

        A payload is valid until the next one; nothing may be appended meanwhile.
        """
        self._device.readblocks(self._first + segment, self._buffer, 0)
        view = memoryview(self._buffer)
        size = self._record_bytes
        for index in range(self.per_segment):
            start = (index + 1) * size
            payload = view[start : start + size - CRC_BYTES]
            if binascii.crc32(payload) == struct.unpack_from("<I", view, start + size - CRC_BYTES)[0]:
                yield segment * self.per_segment + index, payload
            elif view[start : start + size] != self._blank:
                self.torn += 1
