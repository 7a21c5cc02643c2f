"""The page on retries tells the times that the hub keeps to."""

import re
from pathlib import Path

import msgspec
from doorpad.sync.timing import Timing

PAGE = (Path(__file__).parents[2] / "docs" / "retries.md").read_text()
NOT_RETRIES = {"clock_s", "clock_error_s", "statistics_s"}


def test_page_names_each_setting_with_its_default() -> None:
    told = {
        name: float(value) for name, value in re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", PAGE, re.MULTILINE)
    }
    kept = {name: float(value) for name, value in msgspec.structs.asdict(Timing()).items()}
    assert told == {name: value for name, value in kept.items() if name not in NOT_RETRIES}
