"""`--long`: the tests that search a space by samples search more of it, or all.

Without it hypothesis draws the same examples in every run, so that a change is judged by itself; with it, new ones.
"""

import sys
from pathlib import Path

import hypothesis
import pytest

# Whatever folder a test lies in: the worlds of the end-to-end tests, and the grammar that their frames follow.
sys.path[:0] = [str(Path(__file__).parent / folder) for folder in ("hil", "link")]

hypothesis.settings.register_profile("same examples", derandomize=True, database=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="search more than samples; see tests/README.md")


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--long"))


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--long"):
        hypothesis.settings.load_profile("same examples")
