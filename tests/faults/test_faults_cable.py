"""The real bridge and the firmware over a bad cable, and ends that die in the middle of a session's start.

The short form of cable_faults.py, which has every fault on both lines, and prints what held.
"""

from pathlib import Path

import pytest
from cable_faults import FAULTS, HEAL_AFTER_S, LINES
from doorpad.emulator import runtime
from spoiled_life import life, spoilt


@pytest.fixture(scope="module")
def program(request: pytest.FixtureRequest) -> Path:
    return runtime.compile_program(request.config.cache.mkdir("firmware"))


def test_life_over_a_cable_with_every_fault_leaves_both_sides_equal(tmp_path: Path, program: Path) -> None:
    with life(tmp_path, program, *LINES["console"]) as alive:
        with spoilt(alive, {"seed": 12, **FAULTS["all of it"]}, HEAL_AFTER_S) as heal:
            alive.live()
            harm = heal()
        outcome = alive.end(harm)
    assert outcome.broken == []
    assert sum(outcome.harm.values()) >= 5, "the cable was not bad at all"


def test_ends_that_die_within_the_start_of_a_session_bring_code_and_opening_once(
    tmp_path: Path, program: Path
) -> None:
    with life(tmp_path, program, *LINES["uart"]) as alive:
        alive.start_cut(60, "keypad", "bridge")  # within the handshake
        alive.start_cut(300, "hub", "keypad")  # within the work after it
        outcome = alive.end({})
    assert outcome.broken == []
