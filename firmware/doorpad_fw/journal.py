"""The journal: what happened at this door, numbered without gaps, on flash before it is told to anyone.

    sequence[4] time[4] kind[1] reason[1] slot[2] version[4] maker[1] lockout[1] boot[4] uptime[4] code[16] ms[2]

Times are seconds since 2000, 0 when the clock was not trusted. Every record carries the state of the wrong-PIN
lockout after it, so the newest record is all that a restart needs. When the log is full the oldest
segment goes: the first number still held tells a host what it has missed.

A number belongs to its place on flash. An entry that flash did not take, or that is damaged later, leaves its number
out, and no other entry ever gets it: whoever reads sees that one is missing.
"""

import struct
from array import array

from micropython import const

from doorpad_fw import seldom

RECORD_BYTES = const(48)
LAYOUT = (b"dpL1", RECORD_BYTES, 0)
FIELDS = "<IIBBHIBBII16sH"
_SPARE_SEGMENTS = const(2)
_NO_CODE = bytes(16)


class Journal:
    """Appends and reads entries over one Log. `feed()` feeds the watchdog while all of it is read."""

    def __init__(self, log, feed=None):
        self.log = log
        self.head = 0  # number of the newest entry, 0 for none
        self.newest: "tuple[int, ...] | None" = None  # the newest intact entry at the start
        self.floor = (0, 0)  # seconds and milliseconds: no later entry may be dated before this
        self.boot = 1  # number of this start
        self.lockout = 0  # packed state of the lockout, written with every entry
        self.starts = array("I", bytes(4 * log.count))  # number of the first entry of each segment
        seldom.call("doorpad_fw.journal_care", "load", self, feed)
        self._make_room()

    @property
    def epoch(self):
        return self.log.epoch

    def raise_floor(self, time_s, ms):
        if (time_s, ms) > self.floor:
            self.floor = (time_s, ms)

    @property
    def first(self):
        """Number of the oldest entry still held; `head + 1` if there is none."""
        starts = [self.starts[n] for n in self.log.segments() if self.starts[n]]
        return min(starts) if starts else self.head + 1

    def append(self, kind, reason, time_s, ms, uptime_ms, slot, maker):
        """Write one entry; `slot` is the Slot it is about, `maker` who brought it about. Raises FlashError."""
        sequence = self.head + 1
        current, used = self.log.current, self.log.used
        fields = (
            sequence,
            time_s,
            kind,
            reason,
            slot.number if slot else 0,
            slot.made if slot else 0,
            maker,
            self.lockout,
            self.boot,
            uptime_ms,
            slot.access_code_id if slot else _NO_CODE,
            ms,
        )
        try:
            self.log.append(struct.pack(FIELDS, *fields))
            self.raise_floor(time_s, ms)
        finally:
            if (self.log.current, self.log.used) != (current, used):
                self.head = sequence
                if self.log.current != current or not used:
                    self.starts[self.log.current] = sequence
        self._make_room()

    def _make_room(self):
        while self.log.free_segments < _SPARE_SEGMENTS and self._drop_oldest():
            pass

    def erase_ahead(self):
        """Drop the oldest segment if few are free, so that the next entries wait for no erase; return whether."""
        return self.log.free_segments < self.log.count // 32 and self._drop_oldest()

    def _drop_oldest(self):
        oldest = self.log.segments()[0]
        if oldest == self.log.current:
            return False  # so many segments are bad that there is no other
        self.log.erase(oldest)
        self.starts[oldest] = 0
        return True

    def after(self, cursor, count):
        """Return up to `count` entries with numbers beyond `cursor`, in order; each the fields of its record."""
        entries = []
        segments = self.log.segments()
        for place, segment in enumerate(segments):
            following = segments[place + 1] if place + 1 < len(segments) else None
            if following is not None and 0 < self.starts[following] <= cursor + 1:
                continue  # all of this segment lies at or before the cursor
            for _, payload in self.log.records(segment):
                if payload is None:
                    continue
                entry = struct.unpack(FIELDS, payload)
                if entry[0] > cursor:
                    entries.append(entry)
                    if len(entries) == count:
                        return entries
        return entries
