"""The breaker of a keypad's writes: any outcomes at any times, against what is to hold whatever comes."""

from itertools import takewhile

from doorpad.sync.breaker import REFUSED_MIN, Allowed, Breaker, Outcome
from hypothesis import given
from hypothesis import strategies as st

DONE, FAILED, NOT_TRIED = Outcome.DONE, Outcome.FAILED, Outcome.NOT_TRIED
NEVER = float("inf")
# 1.8 to the powers of 0 to 6, then the limit; by a pocket calculator.
PAUSES_S = [1, 1.8, 3.24, 5.832, 10.4976, 18.89568, 34.012224, 60, 60, 60]

PARTS = st.floats(0.0, 0.999_999)
STEPS = st.lists(st.tuples(st.floats(0.0, 90.0), st.lists(st.sampled_from(Outcome), min_size=1, max_size=6)))


def opened(part: float = 0.0) -> Breaker:
    breaker = Breaker(random_part=lambda: part)
    breaker.wrote([FAILED] * REFUSED_MIN, 0.0)
    return breaker


def failed_last(outcomes: list[Outcome]) -> int:
    """How many of the writes that were tried failed in a row at the end."""
    tried = [it for it in outcomes if it is not NOT_TRIED]
    return len(list(takewhile(lambda it: it is FAILED, reversed(tried))))


@given(STEPS, PARTS)
def test_it_is_open_exactly_after_so_many_failures_in_a_row_and_then_lets_one_write_through_at_a_time(
    steps, part
):
    breaker = Breaker(random_part=lambda: part)
    now_s, before, last_s = 0.0, [], 0.0
    for pause_s, outcomes in steps:
        now_s += pause_s
        assert breaker.is_open == (failed_last(before) >= REFUSED_MIN)
        assert breaker.is_in_doubt == (failed_last(before) > 0)
        allowed = breaker.allowed(now_s, is_wanted=True)
        if not breaker.is_open:
            assert (allowed, breaker.due_s) == (Allowed.ALL, NEVER)
        elif now_s < last_s + 0.75:
            assert allowed is Allowed.NONE
        elif now_s >= last_s + 60:
            assert allowed is Allowed.ONE, "never longer than a minute"
        if allowed is Allowed.NONE:
            assert now_s < breaker.due_s <= last_s + 60
            continue
        done = outcomes if allowed is Allowed.ALL else outcomes[:1]
        breaker.wrote(done, now_s)
        before += done
        last_s = now_s


@given(st.lists(st.sampled_from([FAILED, NOT_TRIED]), min_size=len(PAUSES_S), max_size=len(PAUSES_S)), PARTS)
def test_pauses_between_single_writes_grow_to_a_minute_each_less_up_to_a_quarter(outcomes, part):
    breaker, now_s = opened(part), 0.0
    for outcome, most_s in zip(outcomes, PAUSES_S, strict=True):
        due_s = now_s + most_s * (1 - 0.25 * part)
        assert breaker.allowed(due_s - 1e-3, is_wanted=True) is Allowed.NONE
        assert abs(breaker.due_s - due_s) < 1e-6 * due_s
        now_s = breaker.due_s
        assert breaker.allowed(now_s, is_wanted=True) is Allowed.ONE
        breaker.wrote([outcome], now_s)
        assert breaker.is_open


@given(st.integers(0, 20))
def test_a_single_write_that_is_done_lets_all_through_and_the_next_pauses_begin_anew(failures):
    breaker = opened()
    for _ in range(failures):
        breaker.try_now()
        breaker.wrote([FAILED], 1.0)
    breaker.try_now()
    breaker.wrote([DONE], 5.0)
    assert breaker.allowed(5.0, is_wanted=True) is Allowed.ALL
    breaker.wrote([FAILED] * REFUSED_MIN, 6.0)
    assert breaker.allowed(6.999, is_wanted=True) is Allowed.NONE
    assert (breaker.due_s, breaker.turn) == (7.0, 0)


def test_a_write_that_is_done_amid_a_list_ends_the_row():
    breaker = Breaker()
    breaker.wrote([FAILED, FAILED, DONE, FAILED, NOT_TRIED, FAILED], 0.0)
    assert not breaker.is_open
    breaker.wrote([FAILED], 0.0)
    assert breaker.is_open


def test_who_asks_for_it_has_one_write_at_once_and_no_more():
    breaker = opened()
    breaker.try_now()
    assert breaker.allowed(0.0, is_wanted=True) is Allowed.ONE
    breaker.wrote([FAILED], 0.0)
    assert breaker.allowed(0.0, is_wanted=True) is Allowed.NONE
    assert breaker.turn == 1, "another one's turn"


def test_nothing_is_due_while_there_is_nothing_to_write():
    breaker = opened()
    breaker.allowed(100.0, is_wanted=False)
    assert breaker.due_s == NEVER
    assert breaker.allowed(100.0, is_wanted=True) is Allowed.ONE


def test_one_that_an_earlier_run_left_open_tries_a_single_write_at_once():
    breaker = Breaker(is_open=True)
    assert breaker.allowed(0.0, is_wanted=True) is Allowed.ONE
    breaker.wrote([FAILED], 0.0)
    assert breaker.allowed(0.0, is_wanted=True) is Allowed.NONE


def test_try_now_of_a_closed_one_changes_nothing():
    breaker = Breaker()
    breaker.try_now()
    breaker.wrote([FAILED], 0.0)
    assert breaker.allowed(0.0, is_wanted=True) is Allowed.ALL
