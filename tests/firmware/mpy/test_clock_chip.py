"""The DS3231: what it keeps through a power cut, when it is not believed, and a bus that is stuck."""

import esp32_time

import os

import ds3231
from doorpad_fw import clock_chip, health
from doorpad_fw.clock import Clock
from doorpad_link import messages

from cases import cases, equal
from chip_world import FILE, NOW_S, NOW_UNIX, World

HEAP = "400K"
NO_FLOOR = (0, 0)


def _set(clock, seconds=NOW_S, ms=0, error_ms=20):
    clock.move((seconds, ms), NO_FLOOR, 1, error_ms)
    clock_chip.store(clock)


def _off_ms(clock, seconds, ms):
    now_s, now_ms = clock.now()
    return (now_s - seconds) * 1000 + now_ms - ms


def test_registers_are_those_of_the_data_sheet():
    world = World()
    _set(Clock())
    # 08:00:00, weekday 5 with Monday as 1, 15 January 27; INTCN alone, and OSF cleared.
    equal(bytes(world.registers()[:7]), b"\x00\x00\x08\x05\x15\x01\x27")
    equal(bytes(world.registers()[14:16]), b"\x04\x00")


# Seconds off, milliseconds of the second in which the chip was set.
@cases((0, 0), (1, 0), (3600, 999), (86_400, 500), (3_456_000, 250), (43_200_000, 0))
def test_time_comes_back_after_a_power_cut_within_the_error_that_is_told(case):
    off_s, ms = case
    world = World(drift_ppb=4_000)  # within what the data sheet allows
    _set(Clock(), NOW_S, ms)
    for part_ms in (0, 1, 499, 500, 999):
        clock = world.power_cut(off_s * 1000 + part_ms)
        true_ms = ds3231.now_ms() - NOW_UNIX * 1000 + ms
        equal(clock_chip.restore(clock, NO_FLOOR), True)
        equal((clock.trusted, clock.source), (True, 0))
        off_ms = _off_ms(clock, NOW_S + true_ms // 1000, true_ms % 1000)
        assert abs(off_ms) <= clock.error_ms(), (off_ms, clock.error_ms())
        assert clock.error_ms() <= 660 + (off_s + 5) * 5 * 5 // 1000, clock.error_ms()
    equal(health.bits, 0)


def test_chip_without_battery_has_lost_the_time_and_says_so():
    world = World(battery=False)
    _set(Clock())
    clock = world.power_cut(1000)
    equal((clock_chip.restore(clock, NO_FLOOR), clock.trusted), (False, False))
    equal(health.bits, messages.HEALTH_CLOCK_CHIP)


def test_oscillator_that_stood_still_is_not_believed_though_all_else_is_there():
    world = World()
    _set(Clock())
    registers = world.registers()
    registers[15] |= 0x80
    world.change(registers=registers)
    clock = world.power_cut(1000)
    equal((clock_chip.restore(clock, NO_FLOOR), clock.trusted), (False, False))
    equal(health.bits, messages.HEALTH_CLOCK_CHIP)


# Register, value: no BCD digit, no such month, no such day, 12-hour form, 13 o'clock in it.
@cases((0, 0x5A), (1, 0x60), (5, 0x13), (5, 0x00), (4, 0x32), (4, 0x00), (2, 0x48), (2, 0x24), (3, 0x00))
def test_registers_that_are_no_time_are_not_believed(case):
    register, value = case
    world = World()
    _set(Clock())
    registers = world.registers()
    registers[register] = value
    world.change(registers=registers)
    clock = world.power_cut(0)
    equal((clock_chip.restore(clock, NO_FLOOR), clock.trusted), (False, False))


def test_time_that_another_program_gave_the_chip_is_not_believed():
    world = World()
    _set(Clock())
    for register in range(7, 14):
        registers = list(world.registers())
        good = list(registers)
        registers[register] ^= 0x10
        world.change(registers=registers)
        clock = world.power_cut(1000)
        equal((clock_chip.restore(clock, NO_FLOOR), clock.trusted), (False, False), register)
        world.change(registers=good)


def test_chip_behind_the_journal_is_not_believed_and_the_floor_holds():
    world = World()
    _set(Clock())
    clock = world.power_cut(1000)
    equal((clock_chip.restore(clock, (NOW_S + 3600, 0)), clock.trusted), (False, False))
    clock = world.power_cut(0)
    floor = (NOW_S + 30, 500)
    equal(clock_chip.restore(clock, floor), True)
    equal(clock.now(), floor)
    assert clock.error_ms() > 28_000, clock.error_ms()


@cases(1, 5, 9)
def test_bus_that_waits_for_the_rest_of_a_byte_is_freed(pulses):
    world = World()
    _set(Clock())
    world.change(stuck=pulses)
    clock = world.power_cut(1000)
    equal((clock_chip.restore(clock, NO_FLOOR), health.bits), (True, 0))


@cases(10, -1)
def test_bus_that_stays_stuck_is_told_and_costs_nothing_else(pulses):
    world = World()
    _set(Clock())
    world.change(stuck=pulses)
    clock = world.power_cut(1000)
    equal((clock_chip.restore(clock, NO_FLOOR), clock.trusted), (False, False))
    equal(health.bits, messages.HEALTH_CLOCK_CHIP)
    clock.move((NOW_S, 0), NO_FLOOR, 1, 20)
    clock_chip.store(clock)
    equal(clock.now_s(), NOW_S)


def test_missing_chip_is_told():
    World()
    os.remove(FILE)
    ds3231._chip = None
    clock = Clock()
    equal((clock_chip.restore(clock, NO_FLOOR), health.bits), (False, messages.HEALTH_CLOCK_CHIP))


def test_year_2099_becomes_2100_in_the_chip():
    world = World()
    last_s = 3_155_759_999  # 2099-12-31T23:59:59Z, in seconds since 2000
    _set(Clock(), last_s)
    clock = world.power_cut(2000)
    equal(clock_chip.restore(clock, NO_FLOOR), True)
    equal(clock.now_s(), last_s + 2)


def test_clock_alone_for_weeks_is_corrected_by_its_chip_every_hour():
    World(drift_ppb=2_000)
    clock = Clock()
    clock.has_chip = True
    _set(clock)
    start_ms = esp32_time.now_ms()
    for _ in range(14 * 24):
        esp32_time.advance(3_600_360)  # the board's crystal is 100 ppm fast of the true hour
        ds3231._load()["at_ms"] += 360
        clock.tick(NO_FLOOR)
    true_s = 14 * 24 * 3600
    assert esp32_time.now_ms() - start_ms - true_s * 1000 > 120_000
    off_ms = _off_ms(clock, NOW_S + true_s, 0)
    assert abs(off_ms) <= clock.error_ms(), (off_ms, clock.error_ms())
    assert clock.error_ms() < 7_200, clock.error_ms()
    equal(clock.source, 0)


def test_host_that_knows_better_than_the_chip_is_not_overruled():
    World()
    clock = Clock()
    clock.has_chip = True
    _set(clock)
    esp32_time.advance(3_600_000)
    before = clock.settings
    clock.tick(NO_FLOOR)
    equal((clock.settings, clock.source), (before, 1))
