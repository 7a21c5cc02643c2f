"""A DS3231 at the stand-in board, and the time outside, which goes on while the board has no power.

Import `esp32_time` first.
"""

import esp32_time  # isort: skip - before anything takes hold of the time

import json
import os

import ds3231
import time
from doorpad_fw import health
from doorpad_fw.clock import Clock

UNIX_OF_2000 = 946_684_800
NOW_UNIX = 1_800_000_000  # 2027-01-15T08:00:00Z, a Friday
NOW_S = NOW_UNIX - UNIX_OF_2000
FILE = "clock_chip.json"


class World:
    """The chip's file, and the time outside; `ahead_ms` is what it is ahead of the keypad's virtual time."""

    def __init__(self, battery=True, stuck=0, drift_ppb=0):
        self.ahead_ms = 0
        ds3231.now_ms = lambda: NOW_UNIX * 1000 + esp32_time.now_ms() + self.ahead_ms
        self._write(
            {
                "registers": list(ds3231._AT_POWER_ON),
                "at_ms": ds3231.now_ms(),
                "battery": battery,
                "stuck": stuck,
                "drift_ppb": drift_ppb,
            }
        )
        health.bits = 0

    def _write(self, chip):
        with open(FILE, "w") as file:
            json.dump(chip, file)
        ds3231._chip = None

    def registers(self):
        return ds3231._load()["registers"]

    def change(self, **fields):
        chip = ds3231._load()
        chip.update(fields)
        self._write(chip)

    def power_cut(self, off_ms):
        """The board is off for so long; what the chip keeps is in its file."""
        ds3231._chip = None
        os.putenv("DOORPAD_RESET_CAUSE", "1")
        self.ahead_ms += off_ms
        time.set_clock(0, 0)
        return Clock()
