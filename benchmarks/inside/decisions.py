"""Runs inside MicroPython: what a decision, a change, an entry of the journal and a start cost. Prints JSON.

micropython decisions.py     in an empty directory
"""

import gc
import json
import random

import time
from doorpad_link import messages
from emulated_table import SEGMENTS, decision_bytes, erase_all, mount
from esp32 import Partition

from doorpad_fw.decide import decide
from doorpad_fw.journal import LAYOUT as JOURNAL_LAYOUT
from doorpad_fw.journal import Journal
from doorpad_fw.log import Log
from doorpad_fw.memory import SLOTS_MAX
from doorpad_fw.slots import Slot

FEW = 16
ROUNDS = 200
FRAME = 16  # codes in a request of a hub, at most
CHANGES = 20_000
EVENTS = 20_000
USES = 2_000
WARM_UP = 12_000  # changes or events after which the log goes around its flash
CHANGES_A_DAY = 100
EVENTS_A_DAY = 1000
CYCLES = 100_000  # erases that a block is made for


def fill(slots, first, last):
    for number in range(first, last + 1):
        slots.put(0, Slot(number, 0, messages.ENABLED, 0, 0, 1, bytes(8), bytes(16), b"%06d" % number))


def decision_us(slots, last):
    """Microseconds of one judged PIN, the half of them unknown: the best of 25 runs."""
    pins = [b"%06d" % random.randrange(1, last + 1) for _ in range(ROUNDS // 2)]
    pins += [b"9%06d" % n for n in range(ROUNDS // 2)]
    best = 1 << 60
    for _ in range(25):
        gc.collect()
        began = time.ticks_us()
        for pin in pins:
            decide(slots.find(pin), 0, False, False)
        best = min(best, time.ticks_diff(time.ticks_us(), began))
    return best / len(pins)


def frame_us(slots, last):
    """Microseconds of as many changes as one request may hold, which no task interrupts: the best of 25 runs."""
    best = 1 << 60
    for run in range(25):
        wanted = [slots.get(random.randrange(1, last + 1)) for _ in range(FRAME)]
        for place, slot in enumerate(wanted):
            slot.pin = b"7%06d" % (FRAME * run + place)
        gc.collect()
        began = time.ticks_us()
        for slot in wanted:
            slots.put(slot.version, slot)
        best = min(best, time.ticks_diff(time.ticks_us(), began))
    return best


def since_us(slots, generation):
    """Microseconds in which what has changed since a generation is found: the best of 5 runs."""
    best = 1 << 60
    for _ in range(5):
        gc.collect()
        began = time.ticks_us()
        for _ in slots.changed_since(generation, 1):
            pass
        best = min(best, time.ticks_diff(time.ticks_us(), began))
    return best


def since_costs(slots):
    """What it costs to find the last change: from the recent ones, and, as after a start, in a full table."""
    before = slots.generation - 1
    assert slots.remembers(before)
    recent_us = since_us(slots, before)
    slots.remembers = lambda _: False
    table_us = since_us(slots, before)
    del slots.remembers
    return {"recent_us": recent_us, "table_us": table_us, "ratio": table_us / recent_us}


class Counted:
    """Flash operations, erases and bytes programmed since it was made."""

    def __init__(self):
        self._before = (Partition.operations, Partition.erases, Partition.bytes_programmed)

    def each(self, count):
        now = (Partition.operations, Partition.erases, Partition.bytes_programmed)
        operations, erases, programmed = (new - old for new, old in zip(now, self._before))
        return {
            "flash_operations": operations / count,
            "erases": erases / count,
            "bytes_programmed": programmed / count,
        }


def years(changes, events, changes_a_day=CHANGES_A_DAY):
    """How long flash lasts at so many changes and EVENTS_A_DAY: the half that wears out first."""
    worn_a_day = max(changes["erases"] * changes_a_day, events["erases"] * EVENTS_A_DAY) / SEGMENTS
    return int(CYCLES / worn_a_day / 365)


def uses_costs(slots):
    """What it costs to note the use of a counted code, with a full table that goes around its flash."""
    for number in range(1, USES + 1):
        slot = slots.get(number)
        slot.flags |= messages.COUNTED | messages.ONE_MORE_USE
        slots.put(slot.version, slot)
    counted = Counted()
    for number in range(1, USES + 1):
        slots.spend(number)
    return counted.each(USES)


def journal_costs():
    partition = Partition.find(Partition.TYPE_DATA, label="slots")[0]
    journal = Journal(Log(partition, SEGMENTS, SEGMENTS, JOURNAL_LAYOUT, lambda: b"abcd"))
    for n in range(WARM_UP + EVENTS):
        if n == WARM_UP:
            counted = Counted()
        journal.append(messages.EV_DENIED, messages.UNKNOWN_PIN, n, 0, n, None, messages.MAKER_KEYPAD)
    costs = counted.each(EVENTS)
    costs["held"] = journal.head - journal.first + 1
    return costs


def main():
    erase_all()
    random.seed(1)
    slots = mount()
    fill(slots, 1, FEW)
    few_us = decision_us(slots, FEW)
    counted = Counted()
    fill(slots, FEW + 1, FEW + 1000)
    bulk = counted.each(1000)
    fill(slots, FEW + 1001, SLOTS_MAX)
    many_us = decision_us(slots, SLOTS_MAX)
    changed_us = frame_us(slots, SLOTS_MAX)
    for change in range(WARM_UP + CHANGES):
        if change == WARM_UP:
            counted = Counted()
        number = random.randrange(1, SLOTS_MAX + 1)
        slot = slots.get(number)
        slot.pin = b"8%06d" % change
        slots.put(slot.version, slot)
    changes = counted.each(CHANGES)
    since = since_costs(slots)
    uses = uses_costs(slots)
    taken = {"right_pin": decision_bytes(slots, slot.pin), "wrong_pin": decision_bytes(slots, b"777777")}
    del slots
    gc.collect()
    began = time.ticks_ms()
    mount()
    boot_ms = time.ticks_diff(time.ticks_ms(), began)
    events = journal_costs()
    print(
        json.dumps(
            {
                "decision_us": {"slots_16": few_us, "slots_4096": many_us, "ratio": many_us / few_us},
                "decision_heap_bytes": taken,
                "changes_of_one_request_us": changed_us,
                "bulk_put_of_1000_each": bulk,
                "last_change_found_since": since,
                "full_table_change_each": changes,
                "use_of_a_counted_code_each": uses,
                "journal_entry_each": events,
                "years_at_100_changes_and_1000_events_a_day": years(changes, events),
                "years_if_each_event_is_a_use_too": years(changes, events, CHANGES_A_DAY + EVENTS_A_DAY),
                "boot_ms_slots_4096": boot_ms,
            }
        )
    )


main()
