"""Stand-in for a DS3231 and the I2C bus to it, register by register (datasheet 19-5170).

The chip is there if its file is: `clock_chip.json`, with its registers, the instant that they are of, whether it has
a battery, by how much its crystal runs fast (ppb), and how many clock pulses it still holds SDA for (-1: for ever).
Without a battery it loses everything with the board's power, and says so by OSF.
"""

import json
import os

import utime  # the real clock, which goes on while the board is off

_FILE = "clock_chip.json"
_ADDRESS = 0x68
_PWRON_RESET = "1"
_AT_POWER_ON = bytes(14) + b"\x1c\x88\0\0\0"
_UNIX_OF_2000 = 946_684_800
_ENODEV = 19
_ETIMEDOUT = 116

_chip = None


def now_ms():
    """Unix milliseconds of the world outside."""
    return utime.time_ns() // 1_000_000


def _load():
    global _chip
    if _chip is None and _FILE in os.listdir():
        with open(_FILE) as file:
            _chip = json.load(file)
        if not _chip["battery"] and os.getenv("DOORPAD_RESET_CAUSE") == _PWRON_RESET:
            _chip["registers"], _chip["at_ms"] = list(_AT_POWER_ON), now_ms()
    return _chip


def _save():
    with open(_FILE, "w") as file:
        json.dump(_chip, file)


def sda():
    """The level of the data line while nobody sends: high, unless the chip holds it."""
    chip = _load()
    return 0 if chip and chip["stuck"] else 1


def clocked():
    """The clock line rose once."""
    chip = _load()
    if chip and chip["stuck"] > 0:
        chip["stuck"] -= 1
        _save()


def _bcd(number):
    return number // 10 << 4 | number % 10


def _number(bcd):
    return (bcd >> 4) * 10 + (bcd & 15)


def _run(chip):
    # The time registers of this instant.
    passed_s = (now_ms() - chip["at_ms"]) * (1_000_000_000 + chip["drift_ppb"]) // 1_000_000_000_000
    registers = chip["registers"]
    if passed_s <= 0 or registers[14] & 0x80:
        return
    chip["at_ms"] += passed_s * 1_000_000_000_000 // (1_000_000_000 + chip["drift_ppb"])
    year = 2000 + _number(registers[6]) + (registers[5] >> 7) * 100
    fields = (year, _number(registers[5] & 0x1F), _number(registers[4]), _number(registers[2]))
    fields += (_number(registers[1]), _number(registers[0]), 0, 0, 0)
    before_s = int(utime.mktime(fields))
    year, month, day, hour, minute, second, _, _ = utime.gmtime(before_s + passed_s)[:8]
    midnights = (before_s + passed_s) // 86_400 - before_s // 86_400
    weekday = (registers[3] - 1 + midnights) % 7 + 1
    registers[:7] = [_bcd(it) for it in (second, minute, hour, weekday, day, month, year % 100)]
    registers[5] |= 0x80 if year >= 2100 else 0


class I2C:
    def __init__(self, number, *, scl, sda, freq):
        pass

    def _chip(self, address):
        chip = _load()
        if chip is None or address != _ADDRESS:
            raise OSError(_ENODEV)
        if chip["stuck"]:
            raise OSError(_ETIMEDOUT)
        _run(chip)
        return chip

    def readfrom_mem(self, address, register, count):
        return bytes(self._chip(address)["registers"][register : register + count])

    def writeto_mem(self, address, register, data):
        chip = self._chip(address)
        for place, value in enumerate(data):
            if register + place == 15:  # OSF can be cleared, and not set
                value = (value & 0x7F) | (value & chip["registers"][15] & 0x80)
            chip["registers"][register + place] = value
        if register == 0:
            chip["at_ms"] = now_ms()  # writing the seconds starts the second anew
        _save()
