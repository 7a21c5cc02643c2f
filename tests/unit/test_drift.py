"""What is known of a crystal's drift, against a model of crystals and lines that knows no interval."""

import random

import pytest
from doorpad.sync.drift import RATE_PPB_MAX, UNKNOWN, WANDER_PPB, Drift, seen
from hypothesis import given
from hypothesis import strategies as st

# The middle of the crystal's band: all of the band inside what data sheets allow, or all of it far outside.
allowed = st.floats(UNKNOWN.low_ppb + WANDER_PPB / 2, UNKNOWN.high_ppb - WANDER_PPB / 2)
beyond = st.floats(110_000, 400_000) | st.floats(-400_000, -110_000)
parts = st.floats(-1, 1)


@given(allowed | beyond, st.lists(st.tuples(parts, parts, st.floats(0, 50_000)), min_size=1, max_size=12))
def test_rate_to_come_lies_within_what_is_known_if_the_crystal_stays_within_its_wander(
    centre_ppb: float, looks: list[tuple[float, float, float]]
) -> None:
    """Method: mean rates anywhere in a band as wide as the wander, each seen with an error within its bound."""
    known = seen(UNKNOWN, centre_ppb, 0) if abs(centre_ppb) >= 110_000 else UNKNOWN
    band = [centre_ppb + part * WANDER_PPB / 2 for part, _, _ in looks]
    for mean_ppb, (_, part, bound_ppb) in zip(band, looks, strict=True):
        known = seen(known, mean_ppb + part * bound_ppb, bound_ppb)
    for to_come_ppb in (centre_ppb - WANDER_PPB / 2, centre_ppb, centre_ppb + WANDER_PPB / 2):
        assert known.low_ppb - 1e-3 <= to_come_ppb <= known.high_ppb + 1e-3
        assert abs(to_come_ppb - known.taken_off_ppb) <= known.wander_ppb + 1e-3


@given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(0, 1e9)), max_size=20))
def test_whatever_is_seen_can_be_said_over_the_link(looks: list[tuple[float, float]]) -> None:
    known = UNKNOWN
    for rate_ppb, uncertainty_ppb in looks:
        known = seen(known, rate_ppb, uncertainty_ppb)
        assert known.low_ppb <= known.high_ppb
        assert abs(known.taken_off_ppb) <= RATE_PPB_MAX and 0 <= known.wander_ppb <= RATE_PPB_MAX


def test_each_good_look_narrows_what_is_known() -> None:
    """By hand: a look of 10 ± 8 ppm leaves 10 ± 13; one of 14 ± 2 then 7 to 21; one of 12 ± 30 nothing new."""
    known = seen(UNKNOWN, 10_000, 8_000)
    assert known == Drift(-3_000, 23_000)
    known = seen(known, 14_000, 2_000)
    assert (known, known.taken_off_ppb, known.wander_ppb) == (Drift(7_000, 21_000), 14_000, 7_000)
    assert seen(known, 12_000, 30_000) == known


def test_crystal_that_left_its_band_is_believed_anew() -> None:
    assert seen(Drift(7_000, 21_000), -40_000, 2_000) == Drift(-47_000, -33_000)


@pytest.mark.parametrize("rate_ppb", [2_000_000, -501_001])
def test_clock_that_was_moved_is_no_crystal(rate_ppb: float) -> None:
    known = Drift(7_000, 21_000)
    assert seen(known, rate_ppb, 1_000) == known


def test_a_week_of_hourly_looks_over_a_serial_line_knows_the_rate_to_the_wander() -> None:
    chance = random.Random(1)
    known = UNKNOWN
    for _ in range(7 * 24):
        known = seen(known, 17_000 + chance.uniform(-5, 5) * 1e6 / 3600, 10 * 1e6 / 3600)
    assert abs(known.taken_off_ppb - 17_000) < 2_000
    assert known.wander_ppb < 2 * WANDER_PPB
