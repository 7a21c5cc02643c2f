"""Starts the keypad: flash first, then door and link, each in its task; any failure ends in the safe state."""

import asyncio
import gc
import os
import sys

from doorpad_link import messages
from esp32 import Partition
from machine import reset, reset_cause
from time import ticks_ms

from doorpad_fw import config, health, keys, pins, presses
from doorpad_fw.clock import Clock
from doorpad_fw.door import Door
from doorpad_fw.inputs import Inputs
from doorpad_fw.journal import LAYOUT as JOURNAL_LAYOUT
from doorpad_fw.journal import Journal
from doorpad_fw.line import open_line
from doorpad_fw.link import Link
from doorpad_fw.log import Log
from doorpad_fw.matrix import Matrix
from doorpad_fw.operations import Operations
from doorpad_fw.outputs import Outputs
from doorpad_fw.slots import LAYOUT as SLOT_LAYOUT
from doorpad_fw.slots import Slots
from doorpad_fw.watchdog import Watchdog

_PARTITION = "slots"
_RESET_DUE = "reset.due"  # as factory.py names it
_IOCTL_BLOCK_COUNT = 4


def _new_epoch():
    return os.urandom(4)


def _on_exception(_loop, context):
    # A task that died would leave a door half alive: start anew instead.
    sys.print_exception(context["exception"])
    reset()


def _on_press(door, kind, key):
    if kind == presses.PRESSED:
        door.key(key)
    elif kind == presses.LONG:
        from doorpad_fw import factory  # here and at a start that it is due at: it does not stay on the heap

        if factory.asked(key):
            factory.begin()
            reset()
    else:
        door.key_stuck(key, kind == presses.STUCK)


async def _tick(door, inputs, matrix, link, watchdog):
    while True:
        await asyncio.sleep_ms(1000)
        door.tick()
        watchdog.look(matrix.scans, link.turns, ticks_ms())
        inputs.look()
        matrix.nudge()
        link.changed()
        gc.collect()


async def _run(settings):
    asyncio.get_event_loop().set_exception_handler(_on_exception)
    watchdog = Watchdog()
    identity = keys.load()
    partition = Partition.find(Partition.TYPE_DATA, label=_PARTITION)[0]
    half = partition.ioctl(_IOCTL_BLOCK_COUNT, 0) // 2
    reset_due = _RESET_DUE in os.listdir()
    if reset_due:
        from doorpad_fw import factory

        factory.work(partition, half, identity, watchdog.feed)
        settings = config.load()[0]
    slot_log = Log(partition, 0, half, SLOT_LAYOUT, _new_epoch)
    slots = Slots(slot_log, settings["slots"], identity.device_key)
    journal = Journal(Log(partition, half, half, JOURNAL_LAYOUT, _new_epoch))
    clock = Clock()
    outputs = Outputs(settings)
    link = None

    def on_change():
        if link is not None:
            link.changed()

    def key_changed(maker):
        door.note(messages.EV_KEY_CHANGED, 0, None, maker)

    door = Door(identity, slots, journal, clock, outputs, settings, on_change)
    boot_id = os.urandom(8)
    operations = Operations(slots, journal, clock, door, settings, boot_id)
    line = open_line(settings)
    link = Link(
        line, identity, slots, journal, boot_id, operations.capabilities, operations.serve, key_changed
    )
    door.note(messages.EV_BOOT, reset_cause())
    if reset_due:
        door.note(messages.EV_FACTORY_RESET)
        factory.done()
    inputs = Inputs(settings)
    matrix = Matrix(pins.KEYPAD_ROWS, pins.KEYPAD_COLUMNS, pins.KEYPAD_KEYS)
    gc.collect()
    await asyncio.gather(
        matrix.run(lambda kind, key: _on_press(door, kind, key)),
        inputs.run(door.input),
        link.run(),
        _tick(door, inputs, matrix, link, watchdog),
    )


def start():
    """Run for ever; a failure starts the keypad anew, with the outputs safe from the first line of boot.py on."""
    try:
        settings, complaints = config.load()
        for complaint in complaints:
            health.report(messages.HEALTH_CONFIG)
            print(complaint)
        asyncio.run(_run(settings))
    except Exception as error:
        sys.print_exception(error)
    finally:
        reset()
