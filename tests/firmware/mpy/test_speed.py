"""The speed of the line: proven in half a second, and given up where only bytes come and no frame is among them."""

import esp32_time  # isort: skip - before anything takes hold of the time

from doorpad_fw.speed import Trust
from time import ticks_add

from cases import cases, equal

START_MS = ticks_add(0, -400)  # the ticks wrap within each test


def raised(proven=True):
    trust = Trust(START_MS, (100, 3, 2))
    if proven:
        equal(trust.ends(ticks_add(START_MS, 100), (150, 4, 3)), False)
    return trust


@cases(0, 100, 499)
def test_speed_without_a_sealed_request_is_tried_for_half_a_second(ms):
    equal(raised(False).ends(ticks_add(START_MS, ms), (100, 3, 2)), False)


@cases(500, 600, 5000)
def test_speed_without_a_sealed_request_is_given_up_after_half_a_second(ms):
    equal(raised(False).ends(ticks_add(START_MS, ms), (100, 3, 2)), True)


def test_frame_that_no_key_opened_proves_nothing():
    trust = raised(False)
    equal(trust.ends(ticks_add(START_MS, 100), (200, 9, 2)), False)
    equal(trust.ends(ticks_add(START_MS, 500), (300, 12, 2)), True)


def test_proven_speed_is_kept_over_any_silence():
    trust = raised()
    equal([trust.ends(ticks_add(START_MS, ms), (150, 4, 3)) for ms in range(200, 60_000, 1000)], [False] * 60)


def test_bytes_without_a_frame_for_700_ms_end_a_proven_speed():
    trust = raised()
    told = [trust.ends(ticks_add(START_MS, 200 + 100 * n), (150 + 7 * n, 4, 3)) for n in range(1, 13)]
    equal(told, [False] * 7 + [True] * 5)


def test_hub_that_nobody_answers_is_heard_in_its_repetitions_although_they_are_seconds_apart():
    trust = raised()
    equal(trust.ends(ticks_add(START_MS, 1000), (160, 4, 3)), False)
    equal(trust.ends(ticks_add(START_MS, 1600), (160, 4, 3)), False)
    equal(trust.ends(ticks_add(START_MS, 4200), (170, 4, 3)), True)


def test_any_intact_frame_says_that_the_other_end_is_heard():
    trust = raised()
    for n in range(1, 60):
        equal(trust.ends(ticks_add(START_MS, 200 + 100 * n), (150 + 7 * n, 4 + n // 6, 3)), False)


def test_few_bytes_of_noise_in_a_long_silence_end_nothing():
    trust = raised()
    for ms, size in ((300, 151), (400, 151), (900, 151)):
        equal(trust.ends(ticks_add(START_MS, ms), (size, 4, 3)), False)
    # The first half of a frame, long after: what was before is none of it.
    equal(trust.ends(ticks_add(START_MS, 9000), (170, 4, 3)), False)
    equal(trust.ends(ticks_add(START_MS, 9100), (190, 5, 4)), False)


def test_bytes_without_a_frame_end_a_speed_as_soon_after_a_week_of_silence():
    trust = raised()
    equal(trust.ends(ticks_add(START_MS, 200), (151, 4, 3)), False)  # noise, before the hub went
    week_ms = 7 * 86_400_000
    for ms in range(300, 8_000, 100):  # it looks all the time, and ticks alone cannot tell of a week
        equal(trust.ends(ticks_add(START_MS, ms), (151, 4, 3)), False)
    back_ms = (START_MS + week_ms) % esp32_time.PERIOD_MS
    told = [trust.ends(ticks_add(back_ms, 100 * n), (200 + 7 * n, 4, 3)) for n in range(10)]
    equal(told, [False] * 7 + [True] * 3)
