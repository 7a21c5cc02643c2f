"""protocol/README.md names every number that the link uses, and each as the code has it."""

import re
from pathlib import Path

from doorpad_link import frame, messages

TEXT = (Path(__file__).parents[2] / "protocol" / "README.md").read_text()
# In a table a number stands before its name. Journal kinds and health bits go without their prefix there.
TOLD = {(name, int(number)) for number, name in re.findall(r"\| (\d+) (?:\| )?([A-Z][A-Z_]+)\b", TEXT)}
NOT_ON_THE_WIRE = {"UNIX_OF_2000", "MAKER_KEYPAD", "PIN_LENGTH_MIN", "PIN_LENGTH_MAX"}


def test_every_number_of_the_messages_stands_in_the_specification():
    numbers = {
        (re.sub(r"^(OP|EV|HEALTH)_", "", name), value)
        for name, value in vars(messages).items()
        if isinstance(value, int) and name.isupper() and name not in NOT_ON_THE_WIRE
    }
    assert len(numbers) > 50
    assert numbers <= TOLD


def test_every_kind_of_frame_stands_in_the_specification():
    kinds = ("HELLO", "HELLO_R", "AUTH", "AUTH_R", "REQ", "REP", "HINT", "ALERT")
    assert {(name, getattr(frame, name)) for name in kinds} <= TOLD


def test_a_name_in_the_specification_has_one_number_but_for_a_kind_and_its_decision():
    names = [name for name, _ in TOLD]
    assert {name for name in names if names.count(name) > 1} == {"GRANTED"}
