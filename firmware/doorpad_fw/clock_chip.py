"""A DS3231 at the I2C bus, where one is fitted: it keeps the time while the board has no power (seldom.py).

Registers, datasheet 19-5170, table 1; times are BCD:

    00-06  seconds, minutes, hours (24), weekday, date, month with the century in bit 7, year
    07-0D  two alarms, unused, and kept by the battery like the time. Ours: when the chip was set [4], by how much
           its second then began late [1, in 4 ms], how far off that may have been [1, in 64 ms], their check [1]
    0E     control: EOSC, the oscillator rests on battery; INTCN, no square wave
    0F     status: OSF, the oscillator has stood still: the time is worth nothing

The chip is right to 5 ppm (2 for a DS3231, 5 for a DS3231M) and tells whole seconds.
"""

import time
from doorpad_link import messages
from machine import I2C, Pin
from micropython import const

from doorpad_fw import health, pins

_ADDRESS = const(0x68)
_CHECK_AT = const(13)
_CONTROL_AT = const(14)
_STATUS_AT = const(15)
_EOSC = const(0x80)
_INTCN = const(0x04)
_OSF = const(0x80)
_PPB = const(5_000)
_LAG_MS = const(4)
_ERROR_MS = const(64)
_ERROR_MS_MAX = const(254 * 64)


def _bus():
    sda = Pin(pins.CLOCK_CHIP_SDA, Pin.IN, Pin.PULL_UP)
    if not sda.value():
        # A chip that lost its master within a byte waits for the rest of it: at most nine bits (UM10204, 3.1.16).
        scl = Pin(pins.CLOCK_CHIP_SCL, Pin.OPEN_DRAIN, value=1)
        for _ in range(9):
            scl.value(0)
            time.sleep_us(5)
            scl.value(1)
            time.sleep_us(5)
    return I2C(pins.CLOCK_CHIP_I2C, scl=Pin(pins.CLOCK_CHIP_SCL), sda=Pin(pins.CLOCK_CHIP_SDA), freq=100_000)


def _bcd(number):
    return number // 10 << 4 | number % 10


def _registers(seconds):
    year, month, day, hour, minute, second, weekday, _ = time.gmtime(seconds)
    late = 0x80 if year >= 2100 else 0
    fields = (second, minute, hour, weekday + 1, day, month, year % 100)
    registers = bytearray([_bcd(field) for field in fields])
    registers[5] |= late
    return registers


def _seconds(registers):
    # None unless the registers are those of a time, every bit of them.
    second, minute, hour, _, day, month, year = [(it >> 4 & 7) * 10 + (it & 15) for it in registers[:7]]
    year += (registers[6] >> 7) * 80 + 2000 + (registers[5] >> 7) * 100
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    seconds = time.mktime((year, month, day, hour, minute, second, 0, 0))
    return seconds if _registers(seconds) == registers[:7] else None


def _check(data):
    return ~sum(data[7:_CHECK_AT]) & 0xFF


def restore(clock, floor):
    """Set the clock by the chip, if that is better than what it has. `floor` as for Clock.move.

    Returns whether it was.
    """
    try:
        data = _bus().readfrom_mem(_ADDRESS, 0, 16)
    except OSError:
        health.report(messages.HEALTH_CLOCK_CHIP)
        return False
    if data[_STATUS_AT] & _OSF or data[_CONTROL_AT] & _EOSC:
        health.report(messages.HEALTH_CLOCK_CHIP)
        return False
    seconds = _seconds(data)
    set_s = int.from_bytes(data[7:11], "little")
    if data[_CHECK_AT] != _check(data) or seconds is None or seconds < set_s:
        return False  # not a time that this firmware gave it
    error_ms = data[12] * _ERROR_MS + 500 + (seconds - set_s) * _PPB // 1_000_000
    if clock.trusted and clock.error_ms() <= error_ms:
        return False
    ms = data[11] * _LAG_MS + 500  # the middle of the second that it tells
    return clock.move((seconds + ms // 1000, ms % 1000), floor, messages.MAKER_KEYPAD, error_ms) is not None


def store(clock):
    """Set the chip by the clock, which is trusted."""
    seconds, ms = clock.now()
    error_ms = clock.error_ms() + _LAG_MS
    if error_ms > _ERROR_MS_MAX:
        return
    data = _registers(seconds) + seconds.to_bytes(4, "little")
    data += bytes((ms // _LAG_MS, error_ms // _ERROR_MS + 1, 0, _INTCN, 0))
    data[_CHECK_AT] = _check(data)
    try:
        bus = _bus()
        bus.writeto_mem(_ADDRESS, _CHECK_AT, bytes([data[_CHECK_AT] ^ 0xFF]))  # until all of it is there
        bus.writeto_mem(_ADDRESS, 0, data)
    except OSError:
        health.report(messages.HEALTH_CLOCK_CHIP)
