"""What a start finds of a log on flash: it does not stay on the heap afterwards (seldom.py)."""

import struct

from doorpad_link import messages

from doorpad_fw import health
from doorpad_fw.log import BLANK, CLEAN, FREE, HEADER_BYTES, FormatError, is_whole


def load(log, new_epoch):
    """Find the segments in use, the newest of them and its free places; begin an empty log."""
    header = memoryview(log._record)[:HEADER_BYTES]
    for segment in range(len(log._sequences)):
        log._device.readblocks(log._first + segment, header, 0)
        whole, mended = is_whole(header)
        if mended:
            health.report(messages.HEALTH_BIT_FLIPPED)
        if whole:
            magic, sequence, epoch = struct.unpack_from("<4sI4s", header)
            if magic != log._magic:
                raise FormatError("flash holds %s, not %s" % (magic, log._magic))
            log._sequences[segment] = sequence
            if log._current < 0 or sequence > log._sequences[log._current]:
                log._current = segment
                log.epoch = epoch
    for segment, sequence in enumerate(log._sequences):
        if sequence == FREE:
            _look_at_free(log, segment)
    if log._current < 0:
        log.was_empty = True
        log.epoch = new_epoch()
        log._open_next(1)
    else:
        log._used = _count_used(log)


def _look_at_free(log, segment):
    if log._is_blank(segment, 0):
        log._state[segment] = CLEAN
        return
    header = memoryview(log._record)[:4]
    log._device.readblocks(log._first + segment, header, 0)
    # Zeroed: it is being erased. Blank: so it is, or it was never opened. Anything else was a header.
    if header not in (BLANK[:4], bytes(4)) and not log._is_blank(segment, log._record_bytes):
        log.lost_segments += 1
    log.erase(segment)


def _count_used(log):
    for index in range(log.per_segment, 0, -1):
        log._device.readblocks(log._first + log._current, log._record, index * log._record_bytes)
        if log._record != log._blank:
            return index
    return 0
