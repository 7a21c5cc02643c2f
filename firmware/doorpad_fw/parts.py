"""Puts the parts of the keypad together: flash first, then door and link. It does not stay on the heap.

The link comes last, and not at all after several crashes in a row (crash.py): the door does not need it.
"""

import asyncio
import os

from doorpad_link import messages
from esp32 import Partition
from machine import WDT_RESET, reset_cause
from time import ticks_add, ticks_ms

import selector
from doorpad_fw import health, pins, seldom
from doorpad_fw.clock import Clock
from doorpad_fw.door import Door
from doorpad_fw.inputs import Inputs
from doorpad_fw.journal import LAYOUT as JOURNAL_LAYOUT
from doorpad_fw.journal import Journal
from doorpad_fw.lockout import Lockout
from doorpad_fw.log import Log
from doorpad_fw.matrix import Matrix
from doorpad_fw.outputs import Outputs
from doorpad_fw.slots import LAYOUT as SLOT_LAYOUT
from doorpad_fw.slots import Slots

_PARTITION = "slots"
_RESET_DUE = "reset.due"  # as factory.py names it
_CRASH_LOG = "crash.log"  # as crash.py names it
_IOCTL_BLOCK_COUNT = 4


def _new_epoch():
    return os.urandom(4)


def _crashes(cause):
    """Return (crashes in a row, whether to do without the link, crashes that the journal does not have yet)."""
    was_panic = seldom.call("doorpad_fw.restart", "was_panic", cause)
    if cause != WDT_RESET and not was_panic and _CRASH_LOG not in os.listdir():
        return 0, False, 0
    return seldom.call("doorpad_fw.crash", "at_start", cause, was_panic)


def _settings():
    settings, complaints = seldom.call("doorpad_fw.config", "load")
    for complaint in complaints:
        health.report(messages.HEALTH_CONFIG)
        print(complaint)
    return settings


def _open_link(identity, slots, journal, clock, door, settings, changed):
    from doorpad_fw.line import open_line
    from doorpad_fw.link import Link
    from doorpad_fw.operations import Operations

    boot_id = os.urandom(8)
    operations = Operations(slots, journal, clock, door, settings, boot_id)
    serve, capabilities = operations.serve, operations.capabilities
    return Link(
        open_line(settings), identity, slots, journal, boot_id, capabilities, serve, changed, door.key_changed
    )


def build(feed):
    """Return (door, clock, inputs, matrix, link or None, crashes in a row before this start).

    `feed()` feeds the watchdog.
    """
    cause = reset_cause()
    crashes, is_alone, untold = _crashes(cause)
    settings = _settings()
    identity = seldom.call("doorpad_fw.keys", "load")
    partition = Partition.find(Partition.TYPE_DATA, label=_PARTITION)[0]
    half = partition.ioctl(_IOCTL_BLOCK_COUNT, 0) // 2
    reset_due = _RESET_DUE in os.listdir()
    if reset_due:
        from doorpad_fw import factory

        factory.work(partition, half, identity, feed)
        settings = _settings()
    slot_log = Log(partition, 0, half, SLOT_LAYOUT, _new_epoch)
    slots = Slots(slot_log, settings["slots"], identity.device_key, feed)
    journal = Journal(Log(partition, half, half, JOURNAL_LAYOUT, _new_epoch), feed)
    clock = Clock()
    if settings["clock_chip"]:
        clock.has_chip = True
        seldom.call("doorpad_fw.clock_chip", "restore", clock, journal.floor)
    link = None
    changed = asyncio.Event()  # and no function of this module, which would keep all of it
    served_ms = seldom.call("doorpad_fw.served", "ms", journal, clock) if clock.trusted else 0
    lockout = Lockout(journal.lockout, ticks_add(ticks_ms(), -served_ms), settings)
    door = Door(identity, slots, journal, lockout, clock, Outputs(settings), settings, changed.set)
    if not is_alone:
        link = _open_link(identity, slots, journal, clock, door, settings, changed)
    door.note(messages.EV_BOOT, cause)
    if clock.trusted:  # its chip had the time
        door.note(messages.EV_CLOCK_SET)
    if untold:
        door.note(messages.EV_CRASHED, min(crashes, 255))
        seldom.call("doorpad_fw.crash", "told")
    _, starts_left, is_back = selector.read()
    if starts_left is not None or is_back:
        from doorpad_fw import trial

        if is_back:
            trial.tell_rolled_back(door.note)
        else:
            asyncio.create_task(trial.prove(link, door.is_attended, door.note))
    if reset_due:
        door.note(messages.EV_FACTORY_RESET)
        factory.done()
    matrix = Matrix(pins.KEYPAD_ROWS, pins.KEYPAD_COLUMNS, pins.KEYPAD_KEYS)
    if settings["wiegand"] and pins.WIEGAND:
        from doorpad_fw.wiegand import Wiegand

        wiegand = Wiegand(pins.WIEGAND, 4 * settings["wiegand"], matrix.touch)
        asyncio.create_task(wiegand.run(door.wiegand_key))
    return door, clock, Inputs(settings), matrix, link, crashes
