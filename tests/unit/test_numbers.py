"""Constants of the firmware's modules as literals where other modules use them."""

import ast

import pytest
from doorpad.emulator import numbers

NUMBERS = """
from micropython import const
PLAIN = 7
FOLDED = const(0x20)
NEGATIVE = -1
TEXT = "123"
ROWS = (16, 17)
_HIDDEN = const(9)
lower = 3
MADE = bytes(4)
"""
MODULES = {"pack.numbers": numbers.constants(NUMBERS), "pack.other": {}}


def run(text: str) -> dict[str, object]:
    """What an inlined source leaves behind, with a `pack` that has no constants to give."""
    space: dict[str, object] = {}
    exec(numbers.inline(text, MODULES), space)
    return space


def test_constants_of_a_module_are_its_public_literals() -> None:
    assert MODULES["pack.numbers"] == {
        "PLAIN": 7,
        "FOLDED": 32,
        "NEGATIVE": -1,
        "TEXT": "123",
        "ROWS": (16, 17),
    }


def test_module_of_which_only_constants_are_used_is_not_imported() -> None:
    space = run("from pack import numbers\nx = numbers.FOLDED | numbers.PLAIN\ny = 2 - numbers.NEGATIVE\n")
    assert (space["x"], space["y"]) == (39, 3)


def test_constants_imported_by_name_are_literals_and_the_import_goes() -> None:
    space = run("from pack.numbers import (\n    PLAIN,\n    ROWS as rows,\n)\nx = [PLAIN, *rows]\n")
    assert space["x"] == [7, 16, 17]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "from pack import numbers, other\nx = numbers.lower + numbers.PLAIN + other.A\n",
            "from pack import numbers, other\nx = numbers.lower + 7 + other.A\n",
        ),
        (
            "from pack.numbers import PLAIN, lower\nx = PLAIN\n",
            "from pack.numbers import lower\nx = 7\n",
        ),
        (
            "from pack import numbers\nuse(numbers)\n",
            "from pack import numbers\nuse(numbers)\n",
        ),
        (
            'from pack import numbers\nx = "é", numbers.PLAIN, "numbers.PLAIN"\n',
            'pass\nx = "é", 7, "numbers.PLAIN"\n',
        ),
    ],
)
def test_what_is_no_constant_stays_as_it_is_written(text: str, wanted: str) -> None:
    assert numbers.inline(text, MODULES) == wanted


def test_lines_stay_where_they_are_for_tracebacks() -> None:
    text = "from pack.numbers import (\n    PLAIN,\n    TEXT,\n)\n\nx = 1\ny = PLAIN\n"
    lines = {
        node.targets[0].id: node.lineno  # type: ignore[attr-defined]
        for node in ast.parse(numbers.inline(text, MODULES)).body
        if isinstance(node, ast.Assign)
    }
    assert lines == {"x": 6, "y": 7}


def test_numbers_whose_names_nobody_needs_go_and_leave_what_they_stand_for() -> None:
    text = """from micropython import const
HELLO = const(
    3
)
SHORT, _HIDDEN, TEXT = 1, 2, "t"
LEAST = -1
ROWS = (HELLO, 5)

def f(x=HELLO):
    return x - LEAST + HELLO
"""
    lean = numbers.nameless(text)
    space: dict[str, object] = {}
    exec(lean.replace("from micropython import const", ""), space)
    assert (space["ROWS"], space["f"]()) == ((3, 5), 7)  # type: ignore[operator]
    assert not {"HELLO", "LEAST"} & space.keys() and {"SHORT", "TEXT"} <= space.keys()
    assert lean.splitlines()[-1] == "    return x - (-1) + 3" and len(lean.splitlines()) == len(
        text.splitlines()
    )
