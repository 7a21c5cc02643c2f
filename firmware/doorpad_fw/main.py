"""Runs the keypad: door and link, each in its task. Whatever fails starts it anew."""

import asyncio
import gc

from micropython import const

from doorpad_fw import presses, seldom
from doorpad_fw.watchdog import Watchdog

SETTLED_S = const(60)  # a start that lasts so long ends a row of crashes
RETRY_S = const(600)  # so long without the link before it is tried again
_ERASES_MAX = const(5)  # one after the other; the watchdog is not fed meanwhile
_BETWEEN_ERASES_MS = const(60)


def _on_exception(_loop, context):
    # A task that died would leave a door half alive: it ends everything, and main.py beside boot.py starts anew.
    raise context["exception"]


def _on_press(door, kind, key):
    if kind == presses.PRESSED:
        door.key(key)
    elif kind == presses.LONG:
        from doorpad_fw import factory  # here and at a start that it is due at: it does not stay on the heap

        if factory.asked(key):
            factory.begin()
            seldom.call("doorpad_fw.restart", "restart")
    else:
        door.key_stuck(key, kind == presses.STUCK)


def watched(matrix, link, clock):
    """The parts whose `turns` must move for the watchdog to be fed. Without a link: safe mode.

    There a clock that stands still is not trusted, and that is all: five restarts have not helped it, and each
    further one would interrupt whoever is at the door with a code that needs no clock.
    """
    return (matrix, link, clock) if link else (matrix,)


async def _tick(door, inputs, matrix, link, clock, watchdog):
    touches = -1
    while True:
        await asyncio.sleep_ms(1000)
        door.tick()
        watchdog.look(*[part.turns for part in watched(matrix, link, clock)])
        inputs.look()
        matrix.nudge()
        if link:
            link.changed()
        gc.collect()
        # An erase stops everything for 45 to 80 ms, and a quick finger's key is shorter: while nobody is there.
        for _ in range(_ERASES_MAX):
            if touches != matrix.touches or not door.erase_ahead():
                break
            await asyncio.sleep_ms(_BETWEEN_ERASES_MS)
        touches = matrix.touches


async def outlive_crashes(is_alone, is_attended):
    """Let a row of crashes end in its time; without the link, try that again once nobody is there.

    A program that hangs does not live so long: the watchdog ends it.
    """
    if not is_alone:
        await asyncio.sleep(SETTLED_S)
        seldom.call("doorpad_fw.crash", "settled")
        return
    await asyncio.sleep(RETRY_S)
    while is_attended():
        await asyncio.sleep(1)
    seldom.call("doorpad_fw.crash", "try_again")
    seldom.call("doorpad_fw.restart", "restart")


async def _run():
    asyncio.get_event_loop().set_exception_handler(_on_exception)
    watchdog = Watchdog()
    door, clock, inputs, matrix, link, crashes = seldom.call("doorpad_fw.parts", "build", watchdog.feed)
    gc.collect()
    tasks = [
        matrix.run(lambda kind, key: _on_press(door, kind, key)),
        inputs.run(door.input),
        _tick(door, inputs, matrix, link, clock, watchdog),
    ]
    if link:
        tasks.append(link.run())
    if crashes:
        tasks.append(outlive_crashes(link is None, door.is_attended))
    await asyncio.gather(*tasks)


def start():
    """Run for ever. Whatever it raises is a crash, and starts the keypad anew: main.py beside boot.py."""
    asyncio.run(_run())
