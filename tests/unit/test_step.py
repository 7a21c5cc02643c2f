"""The next actions that are taken out of a plan, and whose turn it is where only one may be tried."""

import pytest
from doorpad.link.slot_writes import DELETES_MAX
from doorpad.sync.breaker import REFUSED_MIN, Allowed
from doorpad.sync.plan import Adopt, Clear, Write
from doorpad.sync.step import WRITES_MAX, next_step

CLEARS = [Clear(n, 1) for n in range(1, 101)]
ADOPTS = [Adopt(f"adopt {n}", n, 1) for n in range(101, 103)]
WRITES = [Write(f"write {n}", n, 0, "123456", None, None) for n in range(200, 800)]
ALL = [*WRITES[:1], *ADOPTS, *CLEARS, *WRITES[1:]]


@pytest.mark.parametrize(
    ("actions", "is_proven", "step"),
    [
        (ALL, True, CLEARS[:DELETES_MAX]),
        (ALL, False, CLEARS[:REFUSED_MIN]),
        (ADOPTS + WRITES, True, ADOPTS[:1]),
        (ADOPTS + WRITES, False, ADOPTS[:1]),
        (WRITES, True, WRITES[:WRITES_MAX]),
        (WRITES, False, WRITES[:REFUSED_MIN]),
        ([], True, []),
        ([], False, []),
    ],
)
def test_what_may_make_room_goes_first_and_no_more_than_shows_a_fault_before_one_was_done(
    actions, is_proven, step
):
    assert next_step(actions, Allowed.ALL, 0, is_proven=is_proven) == step
    assert next_step(actions, Allowed.NONE, 0, is_proven=is_proven) == []


@pytest.mark.parametrize(
    ("actions", "turns"),
    [
        (WRITES[:3], [WRITES[0], WRITES[1], WRITES[2], WRITES[0]]),
        (CLEARS[:2], [CLEARS[0], CLEARS[1], CLEARS[0]]),
        (WRITES[:2] + CLEARS[:2], [CLEARS[0], WRITES[0], CLEARS[1], WRITES[1], CLEARS[0]]),
        (WRITES[:1] + ADOPTS[:1] + CLEARS[:1], [CLEARS[0], ADOPTS[0], CLEARS[0], WRITES[0]]),
    ],
)
def test_single_writes_are_tried_by_turns_a_deletion_first(actions, turns):
    taken = [next_step(actions, Allowed.ONE, turn, is_proven=False) for turn in range(len(turns))]
    assert taken == [[it] for it in turns]


def test_nothing_to_try_is_no_step():
    assert next_step([], Allowed.ONE, 7, is_proven=False) == []
