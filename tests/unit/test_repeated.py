"""When a line is judged by how much has to be sent again, and what is found."""

from dataclasses import replace

import pytest
from doorpad.link.statistics import LinkStatistics
from doorpad.sync.repeated import Repeated

NOTHING = LinkStatistics(
    sessions=1,
    bytes_in=0,
    bytes_out=0,
    noise=0,
    forged=0,
    retransmits=0,
    answered=0,
    repeats=0,
    round_trip_ms=0,
    baud=115_200,
    line_use=0.0,
)


def counted(answered: int, repeats: int) -> LinkStatistics:
    return replace(NOTHING, answered=answered, repeats=repeats, retransmits=repeats + 24)


@pytest.mark.parametrize(
    ("answered", "repeats", "percent"),
    [(0, 0, None), (99, 99, None), (100, 0, 0), (100, 5, 4), (100, 7, 6), (100, 100, 50), (1_000, 53, 5)],
)
def test_share_of_frames_that_were_sent_again(answered: int, repeats: int, percent: int | None) -> None:
    assert Repeated().judge(counted(answered, repeats)) == percent


def test_each_hundred_requests_are_judged_by_themselves() -> None:
    line = Repeated()
    assert line.judge(counted(100, 50)) == 33
    assert line.judge(counted(150, 50)) is None
    assert line.judge(counted(199, 50)) is None
    assert line.judge(counted(200, 50)) == 0
    assert line.judge(counted(350, 60)) == 6


def test_sessions_before_are_taken_with_the_present_one() -> None:
    line = Repeated()
    before = counted(60, 6)
    assert line.judge(before) is None
    assert line.judge(counted(40, 4).after(before)) == 9
