"""The clock: untrusted until a host has set it, never behind the journal, and honest about its error."""

import esp32_time

import time
from doorpad_fw.clock import Clock
from doorpad_fw.clock_setting import adjust, set_time

from cases import cases, equal

UNIX_OF_2000 = 946_684_800
NOW_UNIX = 1_800_000_000  # 2027-01-15T08:00:00Z
NOW_S = NOW_UNIX - UNIX_OF_2000
NO_FLOOR = (0, 0)
HOST = 1


def test_untrusted_clock_has_no_time_until_a_host_sets_it():
    clock = Clock()
    equal((clock.trusted, clock.now_s(), clock.now()), (False, 0, (0, 0)))
    set_time(clock, NOW_UNIX, 250, NO_FLOOR, HOST)
    equal((clock.trusted, clock.now_s(), clock.now()), (True, NOW_S, (NOW_S, 250)))


def test_every_start_begins_untrusted_though_the_rtc_runs_on():
    set_time(Clock(), NOW_UNIX, 0, NO_FLOOR, HOST)
    equal((Clock().trusted, Clock().now()), (False, (0, 0)))


def test_time_goes_on_in_milliseconds():
    clock = Clock()
    set_time(clock, NOW_UNIX, 900, NO_FLOOR, HOST)
    esp32_time.advance(99)
    equal(clock.now(), (NOW_S, 999))
    esp32_time.advance(1)
    equal(clock.now(), (NOW_S + 1, 0))
    esp32_time.advance(86_400_000 * 20)  # longer than the period of ticks
    equal(clock.now_s(), NOW_S + 1 + 86_400 * 20)


# Offered seconds relative to the floor -> seconds taken relative to the floor, or None if refused.
@cases((-61, None), (-60, 0), (-1, 0), (0, 0), (1, 1), (86_400, 86_400), (-86_400, None))
def test_clock_is_never_set_behind_the_floor(offer):
    offered, taken = offer
    clock = Clock()
    set_time(clock, NOW_UNIX + 500_000, 0, NO_FLOOR, HOST)
    before = clock.now_s()
    moved = set_time(clock, NOW_UNIX + offered, 400, (NOW_S, 0), HOST)
    if taken is None:
        equal((moved, clock.now_s()), (None, before))
    else:
        equal((moved, clock.now_s()), (NOW_S + taken - before, NOW_S + taken))
        assert clock.now() >= (NOW_S, 0), clock.now()


def test_refused_time_leaves_the_clock_untrusted():
    clock = Clock()
    equal(set_time(clock, NOW_UNIX - 61, 0, (NOW_S, 0), HOST), None)
    equal((clock.trusted, clock.now_s()), (False, 0))


def test_leap_day_and_the_end_of_unix_signed_32_bits_are_kept():
    clock = Clock()
    for unix_s in (1_709_164_800, 1_709_251_199, 2_147_483_648, 4_102_444_799):  # 2024-02-29, 2038, 2099
        set_time(clock, unix_s, 0, NO_FLOOR, HOST)
        equal(clock.now_s(), unix_s - UNIX_OF_2000)


def test_now_is_read_in_one_piece_when_a_second_ends_meanwhile():
    clock = Clock()
    set_time(clock, NOW_UNIX, 999, NO_FLOOR, HOST)
    real, calls = time.time, []

    def late():
        seconds = real()
        calls.append(seconds)
        if len(calls) == 1:
            esp32_time.advance(1)  # the second ends between seconds and milliseconds
        return seconds

    time.time = late
    try:
        equal(clock.now(), (NOW_S + 1, 0))
    finally:
        time.time = real
    assert len(calls) > 2, calls


def test_clock_set_within_the_journals_newest_second_keeps_its_milliseconds():
    clock = Clock()
    set_time(clock, NOW_UNIX, 400, (NOW_S, 900), HOST)
    equal(clock.now(), (NOW_S, 900))
    equal(clock.error_ms(), 15_500)  # what a repeated request may be late, and what it was held back


# Asked to move by so many milliseconds at 08:00:00.500 with a floor of 07:59:59.800 -> the clock then.
@cases((250, 0, 750), (-400, 0, 100), (600, 1, 100), (-700, -1, 800), (-701, -1, 800), (-60_000, -1, 800))
def test_adjusted_clock_moves_by_what_it_is_off_and_not_behind_the_floor(case):
    by_ms, seconds, ms = case
    clock = Clock()
    set_time(clock, NOW_UNIX, 500, NO_FLOOR, HOST)
    adjust(clock, by_ms, 12, 0, 0, (NOW_S - 1, 800), HOST)
    equal(clock.now(), (NOW_S + seconds, ms))
    equal(clock.error_ms(), 12 + max(0, -700 - by_ms))


def test_adjusting_by_over_a_minute_behind_the_floor_changes_nothing():
    clock = Clock()
    set_time(clock, NOW_UNIX, 500, NO_FLOOR, HOST)
    before = (clock.now(), clock.error_ms(), clock.settings)
    equal(adjust(clock, -62_000, 12, 9_000, 0, (NOW_S, 0), 2), None)
    equal((clock.now(), clock.error_ms(), clock.settings), before)
    equal((clock.drift_ppb, clock.source), (0, HOST))


def _aged(drift_ppb, wander_ppb, seconds):
    """A clock that was adjusted by nothing so long ago, and ticked once a second since."""
    clock = Clock()
    set_time(clock, NOW_UNIX, 0, NO_FLOOR, HOST)
    adjust(clock, 0, 20, drift_ppb, wander_ppb, NO_FLOOR, 2)
    for _ in range(seconds):
        esp32_time.advance(1000)
        clock.tick(NO_FLOOR)
    return clock


# Parts per billion, seconds -> milliseconds that are taken off: 40 ppm are 144 ms an hour.
@cases((40_000, 3600, 144), (-40_000, 3600, -144), (10_000, 7200, 72), (500_000, 1000, 500), (0, 3600, 0))
def test_known_drift_is_taken_off_as_time_goes_on(case):
    drift_ppb, seconds, off_ms = case
    now_s, ms = _aged(drift_ppb, 0, seconds).now()
    ran_ms = (now_s - NOW_S) * 1000 + ms
    assert abs(ran_ms - (seconds * 1000 - off_ms)) <= 1, ran_ms


def test_error_grows_at_the_rate_that_the_host_gave():
    equal(_aged(0, 5_000, 3600).error_ms(), 20 + 18)  # 5 ppm of an hour
    clock = Clock()
    set_time(clock, NOW_UNIX, 0, NO_FLOOR, HOST)
    esp32_time.advance(3_600_000)
    equal(clock.error_ms(), 15_000 + 360)  # 100 ppm while nobody has measured the crystal


def test_drift_is_not_taken_off_behind_the_floor():
    clock = _aged(0, 0, 0)
    clock.drift_ppb = 500_000
    esp32_time.advance(100_000)
    floor = clock.now()
    clock.tick(floor)
    equal(clock.now(), floor)
    esp32_time.advance(60)
    clock.tick(floor)
    now_s, ms = clock.now()
    equal(((now_s - floor[0]) * 1000 + ms - floor[1]), 10)  # 60 ms on, less the 50 of 100 s at 500 ppm


def test_time_read_second_by_second_never_goes_back_while_drift_is_taken_off():
    clock = _aged(500_000, 0, 0)
    last = (0, 0)
    for _ in range(3000):
        esp32_time.advance(997)
        clock.tick(last)
        assert clock.now() >= last, (clock.now(), last)
        last = clock.now()


def test_settings_count_and_the_source_is_who_set_it_last():
    clock = _aged(0, 0, 0)
    equal((clock.settings, clock.source), (2, 2))
