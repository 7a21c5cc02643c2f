"""protocol/README.md names every number that the link uses, and each as the code has it."""

import re
from pathlib import Path

from doorpad.link.statuses import STATUSES
from doorpad_link import frame, messages

TEXT = (Path(__file__).parents[2] / "protocol" / "README.md").read_text()
# In a table a number stands before its name. Journal kinds and health bits go without their prefix there.
TOLD = {(name, int(number)) for number, name in re.findall(r"\| (\d+) (?:\| )?([A-Z][A-Z_]+)\b", TEXT)}
NOT_ON_THE_WIRE = {"UNIX_OF_2000", "UNIX_OF_2100", "MAKER_KEYPAD", "PIN_LENGTH_MIN", "PIN_LENGTH_MAX"}


def _numbers() -> set[tuple[str, int]]:
    return {
        (re.sub(r"^(OP|EV|HEALTH)_", "", name), value)
        for name, value in vars(messages).items()
        if isinstance(value, int) and name.isupper() and name not in NOT_ON_THE_WIRE
    }


def test_every_number_of_the_messages_stands_in_the_specification():
    assert len(_numbers()) > 50
    assert _numbers() <= TOLD, "protocol/README.md, Numbers, lacks some"


def test_no_name_of_the_messages_has_another_number_in_the_specification():
    names = {name for name, _ in _numbers()}
    assert {(name, number) for name, number in TOLD if name in names} == _numbers()


def test_every_kind_of_frame_stands_in_the_specification():
    kinds = ("HELLO", "HELLO_R", "AUTH", "AUTH_R", "REQ", "REP", "HINT", "ALERT")
    assert {(name, getattr(frame, name)) for name in kinds} <= TOLD


def test_every_status_means_the_same_and_asks_for_the_same_in_the_bridge_and_in_the_specification():
    told = re.findall(r"^\| (\d+) ([A-Z_]+) \| ([^|]+) \| ([^|]+) \|$", TEXT, re.M)
    known = {(str(number), it.name, it.means, it.what_to_do) for number, it in STATUSES.items()}
    [block] = re.findall(r"# Statuses:.*\n((?:[A-Z_]+ = .*\n)+)", Path(messages.__file__).read_text())
    statuses = re.findall(r"^([A-Z_]+) = (\d+)", block, re.M)
    assert {(name, int(number)) for name, number in statuses} == {(it.name, n) for n, it in STATUSES.items()}
    assert {row for row in told if (row[1], row[0]) in statuses} == known
