"""The page about guessing says what the firmware's lockout really allows."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "guessing.py"


@pytest.fixture(scope="module")
def guessing() -> Any:
    spec = importlib.util.spec_from_file_location("guessing", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_what_the_lockout_allows() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_day_of_guessing_at_the_longest_lockout_is_five_tries_a_quarter_of_an_hour(guessing: Any) -> None:
    first, later = guessing.tries_a_day()
    assert later == 96 * 5
    assert later < first <= later + 6 * 5  # before the doubling has reached 15 minutes


@pytest.mark.parametrize(
    ("length", "codes", "tries", "share"),
    [
        (4, 1, 480, 0.048),
        (4, 10_000, 1, 1.0),
        (4, 1, 10_000, 1.0),
        (4, 2, 5_000, 1 - (5_000 / 10_000) * (4_999 / 9_999)),
        (8, 1, 1, 1e-8),
    ],
)
def test_chance_is_that_of_drawing_without_putting_back(
    guessing: Any, length: int, codes: int, tries: int, share: float
) -> None:
    assert guessing.chance(length, codes, tries) == pytest.approx(share)
