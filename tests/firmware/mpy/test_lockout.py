"""The lockout after wrong PINs: when it shuts, for how long, across a power cut, and across the wrap of ticks."""

import esp32_time

from doorpad_fw.lockout import Lockout

from cases import cases, equal

# Seconds, from the design: 30 s, doubling up to 15 minutes.
DURATIONS_S = (30, 60, 120, 240, 480, 900, 900, 900)
SETTINGS = {"wrong_max": 5, "lockout_s": 30}


def _after(ticks, ms):
    return (ticks + ms) % esp32_time.PERIOD_MS


def _shut(lockout, now_ms):
    return [lockout.wrong_pin(now_ms) for _ in range(5)]


@cases(0, 1000, 1073741820)
def test_fifth_wrong_pin_shuts_and_each_lockout_lasts_as_designed(start_ms):
    lockout = Lockout(0, start_ms, SETTINGS)
    now_ms = start_ms
    for seconds in DURATIONS_S:
        equal(_shut(lockout, now_ms), [False, False, False, False, True])
        for passed_ms in (0, 1, seconds * 500, seconds * 1000 - 1):
            equal((lockout.lapse(_after(now_ms, passed_ms)), lockout.shut), (False, True), "%d s" % seconds)
        now_ms = _after(now_ms, seconds * 1000)
        equal((lockout.lapse(now_ms), lockout.shut), (True, False), "%d s" % seconds)
        equal(lockout.lapse(now_ms), False, "a lockout ends once")


def test_right_pin_forgives_tries_and_levels():
    lockout = Lockout(0, 0, SETTINGS)
    _shut(lockout, 0)
    lockout.lapse(30_000)
    for _ in range(4):
        lockout.wrong_pin(30_000)
    lockout.right_pin()
    equal(_shut(lockout, 40_000), [False, False, False, False, True])
    equal((lockout.lapse(69_999), lockout.lapse(70_000)), (False, True), "the first duration again")


def test_right_pin_between_wrong_ones_never_lets_it_shut():
    lockout = Lockout(0, 0, SETTINGS)
    for _ in range(20):
        for _ in range(4):
            equal(lockout.wrong_pin(0), False)
        lockout.right_pin()


@cases(0, 1, 2, 3, 4)
def test_power_cut_forgives_no_wrong_try(tries):
    lockout = Lockout(0, 0, SETTINGS)
    for _ in range(tries):
        lockout.wrong_pin(0)
    again = Lockout(lockout.pack(), 123, SETTINGS)
    shut = [again.wrong_pin(123) for _ in range(5 - tries)]
    equal(shut, [False] * (4 - tries) + [True])


@cases(0, 1, 2, 3, 4, 5, 6)
def test_power_cut_in_a_lockout_starts_it_again_in_full(before):
    lockout = Lockout(0, 0, SETTINGS)
    for _ in range(before):
        _shut(lockout, 0)
        lockout.lapse(900_000)
    _shut(lockout, 0)
    assert 0 <= lockout.pack() <= 255
    start_ms = esp32_time.PERIOD_MS - 10_000
    again = Lockout(lockout.pack(), start_ms, SETTINGS)
    duration_ms = DURATIONS_S[before] * 1000
    equal(again.shut, True)
    equal(again.lapse(_after(start_ms, duration_ms - 1)), False)
    equal(again.lapse(_after(start_ms, duration_ms)), True)


def test_power_cut_after_a_lockout_keeps_the_next_one_doubled():
    lockout = Lockout(0, 0, SETTINGS)
    _shut(lockout, 0)
    lockout.lapse(30_000)
    again = Lockout(lockout.pack(), 0, SETTINGS)
    equal(again.shut, False)
    _shut(again, 0)
    equal((again.lapse(59_999), again.lapse(60_000)), (False, True))


@cases((3, 10, (10, 20, 40, 80, 160, 320, 640, 640)), (8, 15, (15, 30, 60, 120)), (3, 900, (900, 900, 900)))
def test_other_settings_give_other_limits_and_never_more_than_15_minutes(case):
    wrong_max, lockout_s, durations_s = case
    lockout = Lockout(0, 0, {"wrong_max": wrong_max, "lockout_s": lockout_s})
    for seconds in durations_s:
        for tries in range(wrong_max - 1):
            equal(lockout.wrong_pin(0), False)
            again = Lockout(lockout.pack(), 0, SETTINGS)
            equal((again.wrong, again.level), (tries + 1, lockout.level), "after a power cut")
        equal(lockout.wrong_pin(0), True)
        equal((lockout.lapse(seconds * 1000 - 1), lockout.lapse(seconds * 1000)), (False, True))


def test_limit_lowered_below_the_tries_so_far_shuts_at_the_next():
    settings = {"wrong_max": 8, "lockout_s": 30}
    lockout = Lockout(0, 0, settings)
    for _ in range(6):
        equal(lockout.wrong_pin(0), False)
    settings["wrong_max"] = 3
    equal(lockout.wrong_pin(0), True)
