"""One world for all tests that leave it as it was: keypad online, bridge running. Others start their own."""

from collections.abc import Iterator

import pytest
from hil_world import World, running


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("shared"), timing="poll_s = 0.5") as world:
        yield world
