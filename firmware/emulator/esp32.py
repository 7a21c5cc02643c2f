"""Stand-in for the ESP32 port's `esp32`: flash in an image file, NVS in files, RMT as a timed pulse."""

import asyncio
import os
import random

import board
import time
from wiring import OUTPUTS

_IMAGE = "flash.bin"
_BLOCK_BYTES = 4096
_BLANK = b"\xff" * 256
_IOCTL_BLOCK_COUNT = 4
_IOCTL_BLOCK_SIZE = 5
_IOCTL_ERASE = 6
_NOT_FOUND = -4354


def _cut_power():
    # Kills the process without a chance to tidy up, as a power cut does; bytes already written stay.
    os.system("kill -9 $PPID")  # noqa: S605, S607


class Partition:
    """NOR flash: a program clears bits, an erase sets a block to FF. Both can be torn by a power cut."""

    TYPE_DATA = 1
    operations = 0  # programs and erases since the start
    cut_at = 0  # number of the operation that power is cut in, 0 for none
    erases = 0
    bytes_programmed = 0
    worn = False  # programs and erases change nothing any more
    # How long an erase takes, least and most: no code runs meanwhile, interrupts are not seen.
    erase_ms = (0, 0)

    def __init__(self, image):
        self._file = open(image, "r+b")
        self._blocks = self._file.seek(0, 2) // _BLOCK_BYTES

    @staticmethod
    def find(kind, label):
        return [Partition(_IMAGE)]

    def readblocks(self, block, buffer, offset=0):
        self._file.seek(block * _BLOCK_BYTES + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=None):
        if offset is None:
            self.ioctl(_IOCTL_ERASE, block)
            offset = 0
        old = bytearray(len(buffer))
        self.readblocks(block, old, offset)
        size = len(old)
        Partition.bytes_programmed += size
        cleared = int.from_bytes(old, "big") & int.from_bytes(buffer, "big")
        self._put(block * _BLOCK_BYTES + offset, cleared.to_bytes(size, "big"))

    def ioctl(self, operation, argument):
        if operation == _IOCTL_BLOCK_COUNT:
            return self._blocks
        if operation == _IOCTL_BLOCK_SIZE:
            return _BLOCK_BYTES
        if operation == _IOCTL_ERASE:
            Partition.erases += 1
            least, most = Partition.erase_ms
            if most:
                time.stall(random.randint(least, most))  # noqa: S311 - a stall is no secret
            # In pieces: a block of the keypad's heap is no part of what an ESP32 needs for this.
            self._put(argument * _BLOCK_BYTES, _BLANK, _BLOCK_BYTES // len(_BLANK))
        return 0

    def _put(self, at, data, times=1):
        Partition.operations += 1
        if Partition.worn:
            return
        self._file.seek(at)
        if Partition.operations == Partition.cut_at:
            for _ in range(times // 2):
                self._file.write(data)
            self._file.write(data[: len(data) // 2])
            _cut_power()
        for _ in range(times):
            self._file.write(data)


class NVS:
    """Blobs in a directory, one file each. Only what was committed is there after a restart."""

    def __init__(self, namespace):
        self._folder = "nvs-" + namespace
        self._pending = {}

    def get_blob(self, key, buffer):
        try:
            with open(self._folder + "/" + key, "rb") as file:
                data = file.read()
        except OSError:
            raise OSError(_NOT_FOUND, "ESP_ERR_NVS_NOT_FOUND")
        buffer[: len(data)] = data
        return len(data)

    def set_blob(self, key, value):
        self._pending[key] = bytes(value)

    def commit(self):
        try:
            os.mkdir(self._folder)
        except OSError:
            pass  # it is there
        for key, value in self._pending.items():
            with open(self._folder + "/" + key + ".new", "wb") as file:
                file.write(value)
            os.rename(self._folder + "/" + key + ".new", self._folder + "/" + key)
        self._pending = {}


def _merged(durations, data):
    # [(ticks, level)], a pair for each change: the peripheral's own memory, which is not on the keypad's heap.
    levels = []
    for ticks, level in zip(durations, data):
        if levels and levels[-1][1] == level:
            ticks += levels.pop()[0]
        levels.append((ticks, level))
    return levels


class RMT:
    """Plays one pulse; the level returns to idle at its end whatever the firmware does meanwhile.

    The board's host plays the end as well, should this process hang (bridge/doorpad/emulator/hardware.py).
    """

    def __init__(self, channel, *, pin, clock_div, idle_level):
        self._pin = pin
        self._idle = idle_level
        self._tick_hz = 80_000_000 // clock_div
        self._playing = None  # the task that does

    def wait_done(self, *, timeout=0):
        return self._playing is None

    def deinit(self):
        if self._playing is not None:
            self._playing.cancel()
            self._playing = None

    def write_pulses(self, durations, data):
        if self._playing is not None:  # the port would stand still here until the pulse before has ended
            raise RuntimeError("a pulse is being played")
        total_ms = sum(durations) * 1000 // self._tick_hz
        board.tell({"pulse": OUTPUTS[self._pin.number], "ms": total_ms, "level": int(self._idle)})
        self._playing = asyncio.create_task(self._play(_merged(durations, data)))
        self._pin.value(data[0])

    async def _play(self, levels):
        for place, (ticks, level) in enumerate(levels):
            if place:
                self._pin.value(level)
            await asyncio.sleep_ms(ticks * 1000 // self._tick_hz)
        self._pin.value(self._idle)
        self._playing = None
