"""A keypad put together as at power-up (parts.py), its file system on flash in RAM too; the link's wire is left out.

Import `esp32_time` first. NVS is in the same file system, as the stand-in keeps it in files.
"""

import asyncio
import os

import esp32
import vfs
from doorpad_fw import config, health, keys, parts
from doorpad_fw.operations import Operations
from doorpad_link import identity, messages

from keypad_parts import DEVICE_KEY, MASTER, put_body
from ram_flash import BLOCK_BYTES, Flash
from strike_watch import strike

SEGMENTS = 5  # of each half
FILE_BLOCKS = 16
_HOME = os.getcwd()
_FLASH, _FILES = Flash(2 * SEGMENTS), Flash(FILE_BLOCKS)  # one of each for all cases: more would not fit
parts._open_link = lambda identity, slots, journal, clock, door, settings, changed: Operations(
    slots, journal, clock, door, settings, b"bootboot"
)


def _new(flash):
    flash.stuck.clear()
    flash.dead_blocks.clear()
    for block in range(len(flash.image) // BLOCK_BYTES):
        flash.ioctl(6, block)
    return flash


class Whole:
    """A keypad on flash in RAM: `flash` for table and journal, `files` for a littlefs, where NVS is as well."""

    def __init__(self):
        self.flash = _new(_FLASH)
        self.files = _new(_FILES)
        vfs.VfsLfs2.mkfs(self.files)
        self._ops = 0
        self.fed = 0  # the watchdog, in starts
        self._mount()
        made = identity.Identity(
            b"devicedv", DEVICE_KEY, identity.pin_tag(DEVICE_KEY, MASTER), [(b"hosthost", bytes(32))]
        )
        keys.store(identity.pack(made))
        config.change(config.load()[0], [["strike_ms", 200], ["wrong_max", 8]])
        self.unmount()
        self.start()

    def _feed(self):
        self.fed += 1

    def _mount(self):
        vfs.mount(vfs.VfsLfs2(self.files), "/f")
        os.chdir("/f")

    def unmount(self):
        if os.getcwd() != _HOME:
            os.chdir(_HOME)
            vfs.umount("/f")

    def start(self):
        """Start it; it stays mounted."""
        self._mount()
        health.bits = 0
        esp32.Partition.find = staticmethod(lambda kind, label: [self.flash])
        try:
            built = parts.build(self._feed)
        except BaseException:
            self.unmount()
            raise
        self.door, _, _, _, self._operations, _ = built

    def ask(self, op, body=None):
        return self._operations.serve(1, op, body)

    def put(self, number, pin, version=0):
        """Put a code, once nobody types any more; return (status, version) of its slot."""
        self._ops += 1
        results = None
        while results is None:
            body = put_body(number, pin, version, self._ops.to_bytes(8, "big"))
            status, results = self.ask(messages.OP_PUT, body)
            assert status in (messages.OK, messages.BUSY), status
            self.door.tick()
        return results[0][1:]

    def told(self):
        """What STATE says of its health."""
        return self.ask(messages.OP_STATE)[1][11]

    async def opens(self, pin):
        strike.clear()
        for key in pin + "#":
            self.door.key(key)
        await asyncio.sleep_ms(7000)
        return strike == [1, 0]
