"""When a single code that was refused is tried again, and how many are remembered."""

import pytest
from doorpad.sync.refusals import REMEMBERED_MAX, Refusals

# 1.8 to the powers of 1 to 6, then the limit; by a pocket calculator.
PAUSES_S = [1.8, 3.24, 5.832, 10.4976, 18.89568, 34.012224, 60, 60]


def test_pauses_of_one_grow_to_a_minute_and_begin_anew_once_it_was_taken():
    refusals, now_s = Refusals(), 100.0
    for pause_s in PAUSES_S:
        refusals.add("code", now_s)
        assert refusals.paused(now_s + pause_s - 0.001) == {"code"}
        now_s += pause_s + 0.001
        assert refusals.paused(now_s) == frozenset()
    refusals.forget("code")
    refusals.add("code", now_s)
    assert refusals.paused(now_s + 1.801) == frozenset()


def test_codes_and_slots_are_told_apart():
    refusals = Refusals()
    refusals.add("7", 0.0)
    refusals.add(7, 0.0)
    refusals.forget(7)
    assert refusals.paused(0.0) == {"7"}


@pytest.mark.parametrize("more", [1, 1000])
def test_however_many_are_refused_so_many_are_remembered_and_the_first_to_come_again_is_forgotten(more):
    refusals = Refusals()
    for n in range(REMEMBERED_MAX + more):
        refusals.add(n, n / 1e6)
    assert refusals.paused(0.0) == frozenset(range(more, REMEMBERED_MAX + more))
