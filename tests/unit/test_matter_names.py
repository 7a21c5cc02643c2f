"""firmware/README.md, "Matter's names": every journal kind, slot flag and decision has its line there."""

import re
from pathlib import Path

import pytest
from doorpad_link import messages

ROOT = Path(__file__).parents[2]
README = (ROOT / "firmware" / "README.md").read_text()
SECTION = README.partition("## Matter's names\n")[2].partition("\n## ")[0]
LISTED = set(re.findall(r"\b[A-Z][A-Z_]+[A-Z]\b", SECTION))
SOURCE = (ROOT / "protocol" / "doorpad_link" / "messages.py").read_text()


def block(heading: str) -> list[str]:
    """The names that messages.py gives under a comment."""
    return re.findall(r"^([A-Z_]+) =", SOURCE.partition(heading)[2].partition("\n\n")[0], re.MULTILINE)


KINDS = [name.removeprefix("EV_") for name in dir(messages) if name.startswith("EV_")]
FLAGS = block("# Slot flags.\n")
REASONS = block("# Reasons of a decision.\n")


@pytest.mark.parametrize("name", [*KINDS, *FLAGS, *REASONS])
def test_what_the_keypad_can_say_has_its_place_beside_the_names_of_matter(name: str) -> None:
    assert name in LISTED
    assert min(len(KINDS), len(FLAGS), len(REASONS)) >= 7, "messages.py has another form"
