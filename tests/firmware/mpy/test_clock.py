"""The clock: untrusted until a host has set it, and never behind what the journal has seen."""

import esp32_time

import time
from doorpad_fw.clock import Clock

from cases import cases, equal

UNIX_OF_2000 = 946_684_800
NOW_UNIX = 1_800_000_000  # 2027-01-15T08:00:00Z
NOW_S = NOW_UNIX - UNIX_OF_2000


def test_untrusted_clock_has_no_time_until_a_host_sets_it():
    clock = Clock()
    equal((clock.trusted, clock.now_s(), clock.now()), (False, 0, (0, 0)))
    clock.set(NOW_UNIX, 250, 0)
    equal((clock.trusted, clock.now_s(), clock.now()), (True, NOW_S, (NOW_S, 250)))


def test_every_start_begins_untrusted_though_the_rtc_runs_on():
    Clock().set(NOW_UNIX, 0, 0)
    equal((Clock().trusted, Clock().now()), (False, (0, 0)))


def test_time_goes_on_in_milliseconds():
    clock = Clock()
    clock.set(NOW_UNIX, 900, 0)
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
    clock.set(NOW_UNIX + 500_000, 0, 0)
    before = clock.now_s()
    moved = clock.set(NOW_UNIX + offered, 400, NOW_S)
    if taken is None:
        equal((moved, clock.now_s()), (None, before))
    else:
        equal((moved, clock.now_s()), (NOW_S + taken - before, NOW_S + taken))
        assert clock.now() >= (NOW_S, 0), clock.now()


def test_refused_time_leaves_the_clock_untrusted():
    clock = Clock()
    equal(clock.set(NOW_UNIX - 61, 0, NOW_S), None)
    equal((clock.trusted, clock.now_s()), (False, 0))


def test_leap_day_and_the_end_of_unix_signed_32_bits_are_kept():
    clock = Clock()
    for unix_s in (1_709_164_800, 1_709_251_199, 2_147_483_648, 4_102_444_799):  # 2024-02-29, 2038, 2099
        clock.set(unix_s, 0, 0)
        equal(clock.now_s(), unix_s - UNIX_OF_2000)


def test_now_is_read_in_one_piece_when_a_second_ends_meanwhile():
    clock = Clock()
    clock.set(NOW_UNIX, 999, 0)
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
