"""What a start finds of the slot table on flash, and what becomes of records that flash has lost.

Needed at a start, and where damage is found: it does not stay on the heap in between (seldom.py).
"""

import struct
import sys

from doorpad_link import messages
from doorpad_link.digest import PAGE_SLOTS
from micropython import const

from doorpad_fw import health, slot_index
from doorpad_fw.log import FlashError, is_retired
from doorpad_fw.memory import SLOTS_MAX
from doorpad_fw.slots import NOWHERE, NUMBER_AT, VERSION_AT, is_set, tag_of

_NO_OP = bytes(8)
_AT_ONCE = const(512)  # records that are read between two feedings: half a second of an ESP32


def load(slots, feed):
    """Bring `slots` to what its log holds; `feed()`, if any, feeds the watchdog."""
    log = slots.log
    retired = bytearray((SLOTS_MAX >> 3) + 1)  # a bit for each slot that a retired record speaks of
    replaced = []  # positions of records that are to be retired
    mended = []  # slots whose record is to be written anew
    missing = 0  # records that are not there any more: each may have had a version of its own
    for segment in log.segments():
        if feed:
            feed()
        for position, payload in log.records(segment):
            if payload is None:
                missing += 1
                replaced.append(position)
                if position != log.newest:  # that one is torn, as a rule: its change never was
                    health.report(messages.HEALTH_RECORD_LOST)
                continue
            was_mended = log.mended
            number, version = struct.unpack_from("<HI", payload, NUMBER_AT)
            slots.generation = max(slots.generation, version)
            if is_retired(payload[0]):
                retired[number >> 3] |= 1 << (number & 7)
                continue
            old = slots.positions[number]
            if old != NOWHERE:  # a cut came between a record and the retirement of the one before
                if version < _version_at(log, old):
                    replaced.append(position)
                    continue
                replaced.append(old)
            slots.positions[number] = position
            if was_mended:
                mended.append(number)
    if log.lost_segments and not log.was_empty:
        health.report(messages.HEALTH_RECORD_LOST)
        missing += log.lost_segments * log.per_segment
    _index_all(slots, feed)
    try:
        _mend_all(slots, retired, mended, missing)
    except FlashError as error:
        sys.print_exception(error)
    # Last: whatever a cut leaves undone is found again at the next start.
    for position in replaced:
        slots.retire(position)
    slots.make_room()


def _version_at(log, position):
    try:
        return struct.unpack_from("<I", log.read(position), VERSION_AT)[0]
    except FlashError:
        return 0


def _index_all(slots, feed):
    for number in range(SLOTS_MAX + 1):
        if feed and not number % _AT_ONCE:
            feed()
        position = slots.positions[number]
        if position == NOWHERE:
            continue
        slots.live[position // slots.log.per_segment] += 1
        try:
            payload = slots.log.read(position)
        except FlashError:
            continue  # it was whole a moment ago: whoever asks for it next finds it damaged
        if is_set(payload):
            slots.digest.add(number, struct.unpack_from("<I", payload, VERSION_AT)[0])
            slot_index.link(number, tag_of(payload))
            slots.used += 1


def _mend_all(slots, retired, mended, missing):
    if missing:
        slots.generation += missing
        slots.write_cleared(0, messages.MAKER_KEYPAD, _NO_OP, 0)
    for number in range(1, SLOTS_MAX + 1):
        if retired[number >> 3] >> (number & 7) & 1 and slots.positions[number] == NOWHERE:
            health.report(messages.HEALTH_RECORD_LOST)
            slots.write_cleared(number, messages.MAKER_KEYPAD, _NO_OP, messages.LOST)
    for number in mended:
        slots.copy(number)


def lose(slots, number):
    """Take a slot whose record is damaged beyond mending for lost: it opens nothing, and flash says so."""
    health.report(messages.HEALTH_RECORD_LOST)
    bucket = slot_index.bucket_of(number)
    if bucket >= 0:
        slot_index.unlink(number, bucket, slots.tag_at)
        slots.used -= 1
    position = slots.positions[number]
    slots.live[position // slots.log.per_segment] -= 1
    slots.positions[number] = NOWHERE
    _sum_again(slots, number)
    try:
        slots.write_cleared(number, messages.MAKER_KEYPAD, _NO_OP, messages.LOST)
    except FlashError as error:
        sys.print_exception(error)
    slots.retire(position)


def _sum_again(slots, number):
    # The digest of the slot's page, from what can be read: nobody knows the version that has to be taken off it.
    first = (number - 1) // PAGE_SLOTS * PAGE_SLOTS + 1
    slots.digest.forget(first)
    for other in range(first, first + PAGE_SLOTS):
        if slots.positions[other] == NOWHERE:
            continue
        try:
            payload = slots.log.read(slots.positions[other])
        except FlashError:
            continue  # its turn comes when it is asked for
        if is_set(payload):
            slots.digest.add(other, struct.unpack_from("<I", payload, VERSION_AT)[0])
