"""The page on retries tells the times that the hub keeps to."""

import re
from pathlib import Path

import msgspec
from doorpad.events import delivery
from doorpad.link.slot_writes import PUTS_MAX
from doorpad.link.statuses import STATUSES
from doorpad.sync import breaker, refusals, step
from doorpad.sync.backoff import Backoff
from doorpad.sync.timing import REFUSED_BASE, REFUSED_S_MAX, Timing

PAGE = (Path(__file__).parents[2] / "docs" / "retries.md").read_text()
NOT_RETRIES = {"clock_s", "clock_error_s", "statistics_s"}


def test_page_names_each_setting_with_its_default() -> None:
    told = {
        name: float(value) for name, value in re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", PAGE, re.MULTILINE)
    }
    kept = {name: float(value) for name, value in msgspec.structs.asdict(Timing()).items()}
    assert told == {name: value for name, value in kept.items() if name not in NOT_RETRIES}


def test_page_tells_the_numbers_that_are_no_settings() -> None:
    page = " ".join(PAGE.split())
    assert f"at most {step.WRITES_MAX} writes are planned at a time" in page
    assert (
        f"after {REFUSED_BASE:g} s to the power of the number of refusals, at most {REFUSED_S_MAX:g} s"
        in page
    )
    assert f"up to {PUTS_MAX} slots go in a frame" in page
    assert f"at most {refusals.REMEMBERED_MAX} codes are remembered" in page
    first_s, *others = delivery.RETRIES_S
    assert [it % 60 for it in others] == [0] * 5 and [it % 3_600 for it in others[2:]] == [0] * 3
    minutes, hours = [it // 60 for it in others[:2]], [it // 3_600 for it in others[2:]]
    assert (
        f"after {first_s} s, {minutes[0]} min, {minutes[1]} min, {hours[0]}, {hours[1]} and every {hours[2]} hours, "
        f"for {delivery.KEPT_MS // 86_400_000} days" in page
    )
    assert delivery._AT_ONCE_MAX == 4 and "Four at a time go to one receiver" in page
    assert f"database fails meanwhile, it goes on after {delivery._AGAIN_S:g} s" in page


def test_page_tells_when_a_keypad_is_written_to_no_more_and_how_often_it_is_tried() -> None:
    page = " ".join(PAGE.split())
    faults = [it.name for it in STATUSES.values() if it.is_keypads_fault]
    assert f"it says {' or '.join(faults)}): after {breaker.REFUSED_MIN} such writes in a row" in page
    assert f"as long as none of a row was done, {breaker.REFUSED_MIN} are sent at a time" in page
    backoff = Backoff(lambda: 0.0)
    pauses = [f"{backoff.next_s():g}" for _ in range(20)]
    assert f"a single one after {', '.join(pauses[:3])} … {pauses[-1]} s" in page
    shortest = Backoff(lambda: 1.0).next_s()
    assert shortest == 0.75 and "each shortened by up to a quarter at random" in page
