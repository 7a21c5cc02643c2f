"""The keypad's program imports only what MicroPython on an ESP32 has."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STUBS = ROOT / "typings"  # the ESP32 port's, put there by tests/run
OWN = {"doorpad_fw", "doorpad_link", "at_rest", "selector"}
# The stubs of the common modules are cut from typeshed, and hold some that MicroPython does not have:
# https://docs.micropython.org/en/latest/library/ and /genrst/modules.html.
NOT_IN_MICROPYTHON = {"abc", "enum", "types", "typing", "typing_extensions"}
HOST_ONLY = {"host.py"}  # the hub's end of the link is not put on a keypad

PROGRAM = sorted(
    path
    for folder in (ROOT / "firmware", ROOT / "firmware" / "doorpad_fw", ROOT / "protocol" / "doorpad_link")
    for path in folder.glob("*.py")
    if path.name not in HOST_ONLY
)


def _runs_on_a_keypad(test: ast.expr) -> bool | None:
    """What a condition is on a keypad, if it is one of the two that tell interpreters apart."""
    match ast.unparse(test):
        case "TYPE_CHECKING":
            return False
        case "sys.implementation.name == 'micropython'":
            return True
    return None


def imported(body: list[ast.stmt]) -> Iterator[str]:
    """The modules that these statements import on a keypad, by their full names."""
    for statement in body:
        if isinstance(statement, ast.Import):
            yield from (name.name for name in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            assert statement.module is not None and statement.level == 0, ast.unparse(statement)
            yield statement.module
        elif isinstance(statement, ast.If) and (here := _runs_on_a_keypad(statement.test)) is not None:
            yield from imported(statement.body if here else statement.orelse)
        else:
            for block in ("body", "orelse", "finalbody"):
                yield from imported(getattr(statement, block, []))
            for handler in getattr(statement, "handlers", []):
                yield from imported(handler.body)


def lacking(source: str) -> set[str]:
    """The imports of a program that an ESP32 would fail on."""
    assert (STUBS / "esp32.pyi").exists(), "the ESP32's stubs are missing: tests/run installs them"
    found = set()
    for name in imported(ast.parse(source).body):
        first = name.partition(".")[0]
        there = [STUBS / f"{first}.pyi", STUBS / "stdlib" / f"{first}.pyi", STUBS / "stdlib" / first]
        if first not in OWN and (first in NOT_IN_MICROPYTHON or not any(path.exists() for path in there)):
            found.add(name)
    return found


@pytest.mark.parametrize("path", PROGRAM, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_of_the_keypad_imports_nothing_that_an_esp32_lacks(path: Path) -> None:
    assert lacking(path.read_text()) == set()


@pytest.mark.parametrize(
    "source",
    [
        "import functools",
        "from typing import Any",
        "def late():\n    import hmac",
        "try:\n    pass\nexcept OSError:\n    import logging",
        "if TYPE_CHECKING:\n    pass\nelse:\n    from dataclasses import dataclass",
        "import sys\nif sys.implementation.name == 'micropython':\n    import contextlib",
    ],
)
def test_import_that_an_esp32_lacks_is_found(source: str) -> None:
    assert len(lacking(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import asyncio, json, machine, esp32",
        "if TYPE_CHECKING:\n    from typing import Any",
        "import sys\nif sys.implementation.name == 'micropython':\n    import cryptolib\nelse:\n    import ssl3",
    ],
)
def test_import_that_no_esp32_runs_is_left_out(source: str) -> None:
    assert lacking(source) == set()
