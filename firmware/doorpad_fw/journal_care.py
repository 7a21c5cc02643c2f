"""What a start finds of the journal on flash: it does not stay on the heap afterwards (seldom.py)."""

import struct

from micropython import const

from doorpad_fw.journal import FIELDS

# Of an entry: the fields of a record, in their order.
_SEQUENCE_AT = const(0)
_TIME_AT = const(1)
_LOCKOUT_AT = const(7)
_BOOT_AT = const(8)
_MS_AT = const(11)


def load(journal, feed):
    """Bring `journal` to what its log holds; `feed()`, if any, feeds the watchdog."""
    log = journal.log
    per_segment = log.per_segment
    for segment in log.segments():
        if feed:
            feed()
        start = journal.head + 1  # unless an entry says better
        for position, payload in log.records(segment):
            if payload is None:
                continue
            journal.newest = struct.unpack(FIELDS, payload)
            start = journal.newest[_SEQUENCE_AT] - position % per_segment
            journal.raise_floor(journal.newest[_TIME_AT], journal.newest[_MS_AT])
        used = log.used if segment == log.current else per_segment
        if used:
            journal.starts[segment] = start
            journal.head = start + used - 1
    if journal.newest is not None:
        journal.boot = journal.newest[_BOOT_AT] + 1
        journal.lockout = journal.newest[_LOCKOUT_AT]
