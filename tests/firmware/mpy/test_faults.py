"""One fault at a time below the whole keypad: flash, file system, NVS, files. It decides, takes codes, and says so.

Started as it is at power-up (parts.py), with the link's operations at hand and its wire left out. The fault is made
while it has no power; then it is started, used until both logs have gone around their flash, and started again.
"""

import esp32_time  # isort: skip - before anything takes hold of the time

import asyncio
import os

from doorpad_link import messages

from cases import cases, equal, raises
from keypad_parts import MASTER
from ram_flash import BLOCK_BYTES
from strike_watch import strike
from whole_keypad import FILE_BLOCKS, SEGMENTS, Whole

HEAP = "600K"
RECORD_BYTES = 64
CHANGES = 300  # more than the half of the table holds


def _run(play):
    async def run():
        keypad = Whole()
        try:
            await play(keypad)
        finally:
            keypad.unmount()

    esp32_time.run(run())


def _flip(keypad, number, bits):
    # Of the newest record of a slot, whose number is in bytes 2 and 3.
    image = keypad.flash.image
    for at in range(SEGMENTS * BLOCK_BYTES - RECORD_BYTES, 0, -RECORD_BYTES):
        if at % BLOCK_BYTES and image[at] == 0xFF and image[at + 2 : at + 4] == number.to_bytes(2, "little"):
            image[at + 40] ^= bits
            return
    raise AssertionError("slot %d has no record" % number)


def _fill(keypad):
    # The file system, to the last byte.
    for name, size in (("ballast", 1024), ("more", 16), ("last", 1)):
        try:
            with open(name, "wb") as file:
                while True:
                    file.write(bytes(size))
                    file.flush()
        except OSError:
            pass


def _stick(flash, block, offset):
    for at in range(block * BLOCK_BYTES + offset, block * BLOCK_BYTES + offset + 4):
        flash.stuck[at] = 0xFF


def _write(name, data):
    with open(name, "wb") as file:
        file.write(data)


def _spare_blocks(keypad):
    """Blocks of the file system in which nothing is: those that its next writes take."""
    image = keypad.files.image
    blank = b"\xff" * BLOCK_BYTES
    return [n for n in range(FILE_BLOCKS) if image[n * BLOCK_BYTES : (n + 1) * BLOCK_BYTES] == blank]


# Fault: (how it is made, health bits that it brings, slots that it costs).
_FAULTS = {
    "nothing": (lambda k: None, 0, ()),
    "table: a block does not erase": (lambda k: k.flash.dead_blocks.add(1), messages.HEALTH_BAD_SEGMENT, ()),
    "table: a block takes no header": (
        lambda k: _stick(k.flash, 2, 0),
        messages.HEALTH_BAD_SEGMENT | messages.HEALTH_FLASH_WRITE,
        (),
    ),
    "table: a place takes no record": (
        lambda k: _stick(k.flash, 1, 640 + 20),
        messages.HEALTH_FLASH_WRITE,
        (),
    ),
    "journal: a block does not erase": (
        lambda k: k.flash.dead_blocks.add(SEGMENTS),
        messages.HEALTH_BAD_SEGMENT,
        (),
    ),
    "journal: a block takes no header": (
        lambda k: _stick(k.flash, SEGMENTS + 2, 0),
        messages.HEALTH_BAD_SEGMENT | messages.HEALTH_FLASH_WRITE,
        (),
    ),
    "journal: a place takes no record": (
        lambda k: _stick(k.flash, SEGMENTS + 1, 480 + 5),
        messages.HEALTH_FLASH_WRITE | messages.HEALTH_JOURNAL,
        (),
    ),
    "table: a bit flips": (lambda k: _flip(k, 8, 0x10), messages.HEALTH_BIT_FLIPPED, ()),
    "table: two bits flip": (lambda k: _flip(k, 8, 0x11), messages.HEALTH_RECORD_LOST, (8,)),
    "NVS: erased": (lambda k: os.remove("nvs-doorpad/identity"), messages.HEALTH_IDENTITY, ()),
    "NVS: damaged": (lambda k: _write("nvs-doorpad/identity", b"?" * 90), messages.HEALTH_IDENTITY, ()),
    "files: the identity's copy is damaged": (
        lambda k: _write("identity.bin", b"?" * 90),
        messages.HEALTH_IDENTITY,
        (),
    ),
    "files: the identity's copy is gone": (lambda k: os.remove("identity.bin"), messages.HEALTH_IDENTITY, ()),
    "files: the settings are damaged": (
        lambda k: _write("config.json", b"\x00{"),
        messages.HEALTH_CONFIG,
        (),
    ),
    "files: the crash log is damaged": (lambda k: _write("crash.log", b"\x00[\xff"), 0, ()),
    "files: the file system is full": (_fill, 0, ()),
    "files: no free block programs or erases": (
        lambda k: [(k.files.dead_blocks.add(n), _stick(k.files, n, 0)) for n in _spare_blocks(k)],
        0,
        (),
    ),
}


async def _check(keypad, lost):
    for number, pin in ((7, "471107"), (8, "471108"), (9, "471109")):
        equal(await keypad.opens(pin), number not in lost, "slot %d" % number)
    equal(await keypad.opens("815815"), False)
    for number in lost:
        equal(keypad.put(number, b"4711%02d" % number)[0], messages.OK)


@cases(
    "nothing",
    "table: a block does not erase",
    "table: a block takes no header",
    "table: a place takes no record",
    "journal: a block does not erase",
    "journal: a block takes no header",
    "journal: a place takes no record",
    "table: a bit flips",
    "table: two bits flip",
    "NVS: erased",
    "NVS: damaged",
    "files: the identity's copy is damaged",
    "files: the identity's copy is gone",
    "files: the settings are damaged",
    "files: the crash log is damaged",
    "files: the file system is full",
    "files: no free block programs or erases",
)
def test_keypad_decides_takes_codes_and_tells_of(fault):
    inject, wanted, lost = _FAULTS[fault]

    async def play(keypad):
        for number in (7, 8, 9):
            equal(keypad.put(number, b"4711%02d" % number)[0], messages.OK)
        inject(keypad)
        keypad.unmount()
        keypad.start()
        await _check(keypad, lost)
        version = 0
        for n in range(CHANGES):
            status, version = keypad.put(20, b"20%04d" % n, version)
            equal(status, messages.OK)
            keypad.door.note(messages.EV_EXIT)
        equal(keypad.told(), wanted)
        await _check(keypad, ())
        keypad.unmount()
        keypad.start()
        await _check(keypad, ())
        equal(await keypad.opens("20%04d" % (CHANGES - 1)), True)
        equal(await keypad.opens("20%04d" % (CHANGES - 2)), False)
        await _change_files(keypad, fault)

    _run(play)


async def _change_files(keypad, fault):
    """Settings and master PIN are changed, or the change is refused and all is as it was; also after a restart."""
    version, settings = keypad.ask(messages.OP_CONFIG)[1]
    status, _ = keypad.ask(messages.OP_CONFIG, [version, [["lockout_s", 60]]])
    for key in MASTER.decode() + "#5#55667788#55667788#*":
        keypad.door.key(key)
    await asyncio.sleep_ms(7000)
    is_new = keypad.door.is_master(b"55667788")
    equal(is_new, not keypad.door.is_master(MASTER))
    if fault in ("files: the file system is full", "files: no free block programs or erases"):
        equal((status, is_new), (messages.FLASH, False))
    else:
        equal((status, is_new), (messages.OK, True))
    keypad.unmount()
    keypad.start()
    now = dict([row[:2] for row in keypad.ask(messages.OP_CONFIG)[1][1]])["lockout_s"]
    equal(now, 60 if status == messages.OK else dict([row[:2] for row in settings])["lockout_s"])
    equal((keypad.door.is_master(b"55667788"), keypad.door.is_master(MASTER)), (is_new, not is_new))
    await _check(keypad, ())


def test_keypad_that_lost_both_copies_of_its_identity_does_not_open_and_says_what_is_missing():
    async def play(keypad):
        equal(keypad.put(7, b"471107")[0], messages.OK)
        os.remove("identity.bin")
        os.remove("nvs-doorpad/identity")
        keypad.unmount()
        strike.clear()
        error = raises(Exception, keypad.start)
        equal((type(error).__name__, "identity" in str(error)), ("NotCommissioned", True))
        equal(strike, [])

    _run(play)
