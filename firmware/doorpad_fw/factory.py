"""Factory reset: every code, the settings and the master PIN go; identity, hosts' keys and journal stay.

Asked for by the jumper and a long press of `*`. A file says that it is due, so that a power cut at any step only has
it begun again: the keypad never starts with half of its codes.
"""

import os

from doorpad_link import identity as identities
from machine import Pin
from micropython import const

from doorpad_fw import pins, seldom

_DUE = "reset.due"
_SETTINGS = "config.json"
_IOCTL_ERASE = const(6)


def asked(key):
    """Whether a long press of `key` asks for it."""
    pull = Pin.PULL_UP if pins.RESET_JUMPER_PULL_UP else -1
    return key == "*" and Pin(pins.RESET_JUMPER, Pin.IN, pull).value() == pins.RESET_JUMPER_ACTIVE


def begin():
    """Make it due at the next start."""
    with open(_DUE, "w"):
        pass


def is_due():
    return _DUE in os.listdir()


def work(partition, blocks, identity, feed):
    """Do it: erase the first `blocks` of flash, forget settings and master PIN. Then journal it, and call `done`.

    `feed()` feeds the watchdog: the erases take longer than it waits.
    """
    for block in range(blocks):
        feed()
        partition.ioctl(_IOCTL_ERASE, block)
    identity.master_tag = bytes(32)
    seldom.call("doorpad_fw.keys", "store", identities.pack(identity))
    if _SETTINGS in os.listdir():
        os.remove(_SETTINGS)


def done():
    os.remove(_DUE)
