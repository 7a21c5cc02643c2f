"""This application is on trial: does it prove itself? (selector.py beside boot.py says what a trial is.)

It has, once it has run for PROVEN_S and a hub has a session with it: whoever cannot be reached any more could not be
mended over the link. Without one it gives way after GIVE_UP_S. Imported at the starts of a trial only.
"""

import asyncio

from doorpad_link import messages
from micropython import const

import selector
from doorpad_fw import seldom

PROVEN_S = const(15)  # twice what the watchdog gives a program that hangs
GIVE_UP_S = const(900)


def tell_rolled_back(note):
    """Have the journal told, once, that the trial of another application has failed. `note(kind, reason)`."""
    note(messages.EV_UPDATED, messages.ROLLED_BACK)
    selector.use(selector.read()[0])
    seldom.forget("doorpad_fw.trial")


async def prove(link, is_attended, note):
    """Wait for the proof, and keep this application; or start anew with the other. `link` None: there is none."""
    folder = selector.read()[0]
    for seconds in range(GIVE_UP_S):
        await asyncio.sleep(1)
        if seconds >= PROVEN_S - 1 and link is not None and link.is_open:
            selector.use(folder)
            note(messages.EV_UPDATED, messages.PROVEN)
            seldom.forget("doorpad_fw.trial")
            return
    while is_attended():
        await asyncio.sleep(1)
    selector.leave_trial(folder)
    seldom.call("doorpad_fw.restart", "restart")
