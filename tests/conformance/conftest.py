"""The conformance tests run against the same demo as the end-to-end tests."""

from pathlib import Path

import pytest
from node import Missing, install


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder of the JavaScript with its packages installed; skips, and says so, where there is no Node.js."""
    try:
        return install()
    except Missing as missing:
        pytest.skip(str(missing))
