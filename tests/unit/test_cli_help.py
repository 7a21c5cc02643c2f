"""`doorpad --help` and that of every command: each option is there, with words."""

import subprocess
import sys

import pytest
import typer
from doorpad.cli import app

GROUP = typer.main.get_command(app)
COMMANDS = sorted(GROUP.commands)


def _leaves(group, *above):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _leaves(command, *above, name)
        else:
            yield (*above, name), command


LEAVES = sorted(_leaves(GROUP), key=lambda leaf: leaf[0])


def _help(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "doorpad", *command, "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={"COLUMNS": "160", "PATH": "", "PYTHONPATH": ":".join(sys.path), "TERM": "dumb"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_names_every_command():
    text = _help()
    assert {"demo", "run", "emulate"} <= set(COMMANDS)
    for command in COMMANDS:
        assert f" {command} " in text


@pytest.mark.parametrize(("names", "command"), LEAVES, ids=[" ".join(names) for names, _ in LEAVES])
def test_help_of_a_command_tells_of_every_option(names, command):
    text = _help(*names)
    for parameter in command.params:
        if parameter.hidden or parameter.name == "help":
            continue
        for option in parameter.opts:
            assert option in text
        assert parameter.help, f"{parameter.name} has no words"
        assert parameter.help.split(".")[0] in " ".join(text.replace("│", " ").split()), parameter.name
    assert "Example: doorpad " + " ".join(names) in text
