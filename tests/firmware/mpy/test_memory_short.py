"""The heap is really used up, to every few bytes: a request or a key press fails alone, and table and index agree.

A change that was refused has not been made, one that was acknowledged stands, and once there is room again
everything works as before.
"""

import esp32_time  # isort: skip - before anything takes hold of the time

import asyncio
import gc

from doorpad_fw import health
from doorpad_link import messages

from cases import cases, equal
from keypad_parts import SEGMENTS, Keypad
from ram_flash import Flash

HEAP = "300K"
_OLD = b"4711"
_NEW = b"815815"
_STEP = 96  # three blocks of this heap
_FREE_MAX = 6144  # more than any of these takes: the last runs must succeed


_FLASH = Flash(2 * SEGMENTS)  # one for all: another would not fit any more
_ERASE = 6


class _Hog:
    """Takes the heap but for about `free` bytes in one piece, until it is let go."""

    def __init__(self, free):
        gap = bytearray(free)
        gc.collect()
        self._chain = None
        for size in (4096, 512, 64, 1):
            try:
                while True:
                    self._chain = (self._chain, bytearray(size))
            except MemoryError:
                pass
        del gap

    def let_go(self):
        self._chain = None
        gc.collect()


def _short(do):
    """Call `do()` on a fresh keypad with ever more room; yield (keypad, what it returned) of each."""
    for free in range(0, _FREE_MAX, _STEP):
        for block in range(2 * SEGMENTS):
            _FLASH.ioctl(_ERASE, block)
        keypad = Keypad(_FLASH)
        keypad.add(7, _OLD)
        keypad.add(8, b"9999")
        health.bits = 0
        hog = _Hog(free)
        try:
            result = do(keypad)
        except MemoryError:
            result = MemoryError
        hog.let_go()
        yield keypad, result


def _check(keypad, wanted):
    """Slot 7 holds the PIN `wanted`, None for no code; index, digest and count agree with a start from flash."""
    for pin in (_OLD, _NEW):
        found = keypad.slots.find(pin)
        equal(found.number if found else 0, 7 if pin == wanted else 0, pin)
    equal(keypad.slots.find(b"9999").number, 8)
    root, used, generation = keypad.slots.digest.root(), keypad.slots.used, keypad.slots.generation
    gc.collect()
    again = Keypad(keypad.flash)
    equal((again.slots.digest.root(), again.slots.used, again.slots.generation), (root, used, generation))
    held = again.slots.get(7)
    equal(held.pin if held else None, wanted)


def _request(op, body):
    return lambda keypad: keypad.operations.serve(1, op, body())[0]


# Operation, its body, the PIN that slot 7 holds afterwards.
_REQUESTS = {
    "put": (
        messages.OP_PUT,
        lambda: [b"op-id--1", bytes(range(16)), [[1, 7, _NEW, None, None, messages.ENABLED]]],
        _NEW,
    ),
    "delete": (messages.OP_DEL, lambda: [[1, 7, b"op-id--1"]], None),
    "since": (messages.OP_SINCE, lambda: [0, 1, True], _OLD),
    "events": (messages.OP_EVENTS, lambda: [0, 10], _OLD),
}


@cases("put", "delete", "since", "events")
def test_request_without_memory_is_refused_alone_and_changes_nothing(name):
    op, body, after = _REQUESTS[name]

    async def play():
        seen = set()
        for keypad, status in _short(_request(op, body)):
            if status is MemoryError:  # not even for the arguments: the link drops the frame
                status = messages.INTERNAL
            elif status == messages.INTERNAL:
                equal(health.bits & messages.HEALTH_MEMORY, messages.HEALTH_MEMORY)
            seen.add(status)
            assert status in (messages.OK, messages.INTERNAL), status
            _check(keypad, after if status == messages.OK else _OLD)
            equal(keypad.operations.serve(1, messages.OP_PING, 5), (messages.OK, 5))
        equal(seen, {messages.OK, messages.INTERNAL})

    esp32_time.run(play())


def test_key_press_without_memory_is_refused_and_the_door_goes_on():
    async def play():
        opened = refused = 0
        for keypad, _ in _short(lambda keypad: keypad.enter("4711#")):
            kinds = [entry[0] for entry in keypad.entries()]
            if messages.EV_GRANTED in kinds:
                opened += 1
            else:
                refused += 1
                assert health.bits & (messages.HEALTH_MEMORY | messages.HEALTH_JOURNAL), "nobody is told"
            await asyncio.sleep_ms(10_000)  # strike and lights come to rest
            keypad.enter("4711#")
            equal(keypad.entries()[-1][0], messages.EV_GRANTED)
            await asyncio.sleep_ms(10_000)
            _check(keypad, _OLD)
        assert opened and refused, (opened, refused)

    esp32_time.run(play())
