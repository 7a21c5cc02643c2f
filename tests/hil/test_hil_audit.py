"""The audit log has whatever a command changes, with the user who typed it; also where the change is on a keypad."""

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from doorpad import keyring
from doorpad.cli import app
from hil_world import Message, World, running
from other_firmware import build

FAST = "offline_s = 1.0\npoll_s = 0.2\nhandshake_s = 1.0\nport_s = 0.1"

# Commands that change nothing, or nothing that a hub has.
WITHOUT_A_TRACE = {
    "audit",  # shows
    "bench link",  # clears again what it wrote; it has no hub's data
    "demo",  # emulated keypads under a bridge, which is `run`
    "emulate",  # emulated keypads alone
    "keys list",  # shows
}


def command(world: World, *words: str, code: int = 0) -> str:
    arguments = [sys.executable, "-m", "doorpad", *words, "--config", str(world.config)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout


def log(world: World) -> list[Message]:
    return [json.loads(line) for line in command(world, "audit", "--json").splitlines()]


def _run(world: World) -> None:
    text = world.config.read_text()
    world.config.write_text(text.replace(f'name = "{world.keypad.name}"', 'name = "Renamed"'))
    world.start_bridge()


def _update(world: World) -> None:
    command(world, "update", world.keypad.serial, "--application", str(build(world, "9.8.7")), "--json")


# By command: how it is typed, what the log calls it, and what it says that was changed of what.
_Command = tuple[Callable[[World], Any], str, str, str, list[str]]
CHANGES: dict[str, _Command] = {
    "keys create": (
        lambda world: command(world, "keys", "create", "Desk"),
        "doorpad keys",
        "created",
        "api_key",
        [],
    ),
    "keys revoke": (
        lambda world: command(world, "keys", "revoke", "Desk"),
        "doorpad keys",
        "deleted",
        "api_key",
        [],
    ),
    "configure": (
        lambda world: command(world, "configure", world.keypad.serial, "quiet=1", "lockout_s=10"),
        "doorpad configure",
        "changed",
        "device",
        ["lockout_s", "quiet"],
    ),
    "change-key": (
        lambda world: command(world, "change-key", world.keypad.serial),
        "doorpad change-key",
        "changed",
        "device",
        ["key"],
    ),
    "run": (_run, "doorpad run", "changed", "device", ["name"]),
    "update": (_update, "doorpad update", "changed", "device", ["firmware"]),
}


def _commands(group: Any, *above: str) -> Iterator[str]:
    for name, it in group.commands.items():
        if hasattr(it, "commands"):
            yield from _commands(it, *above, name)
        else:
            yield " ".join((*above, name))


def test_each_command_is_asked_whether_it_is_logged() -> None:
    assert CHANGES.keys() | WITHOUT_A_TRACE == set(_commands(typer.main.get_command(app)))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("audit"), timing=FAST) as world:
        yield world


def test_each_command_that_changes_something_is_logged_with_its_user_and_one_that_is_refused_is_not(
    world: World,
) -> None:
    """Goal: whoever owns the hub can say afterwards who did what, and no key or PIN is told by it."""
    serial = world.keypad.serial
    keys = [keyring.load(Path(world.data, "keys"), serial)]
    assert world.bridge.stop() == 0
    told = log(world)
    user = f"user {pwd.getpwuid(os.getuid()).pw_name}"
    for name, (do, path, did, subject, fields) in CHANGES.items():
        do(world)
        new = [it for it in log(world) if it not in told]
        assert [(it["key_name"], it["path"], it["did"], it["subject"], it["fields"]) for it in new] == [
            (user, path, did, subject, fields)
        ], name
        if subject == "device":
            assert new[0]["subject_id"] == world.device_id
        told += new
    keys.append(keyring.load(Path(world.data, "keys"), serial))
    shown = command(world, "audit")
    assert shown.count(user) == len(told)
    for key in (*keys, world.api_key):
        secrets = (key,) if isinstance(key, str) else (key.psk.hex(), key.host_id.hex())
        assert not any(it in shown + json.dumps(told) for it in secrets)
    _update(world)  # it runs that version already
    assert world.bridge.stop() == 0
    command(world, "configure", serial, "lockout_s=20", "quiet=5", code=2)
    command(world, "configure", serial)
    command(world, "keys", "revoke", "nobody", code=2)
    world.start_bridge()
    assert log(world) == told


def test_change_whose_answer_is_lost_is_in_the_log(world: World) -> None:
    """Goal: what may have happened is told. The plug is pulled within the answer to the change."""
    told = log(world)
    serial = world.keypad.serial
    assert world.bridge.stop() == 0
    with world.keypad.bench() as bench:
        before = bench.ask(about=True)["carried"][1]
        command(world, "configure", serial)
        until_change = bench.ask(about=True)["carried"][1] - before
        bench.ask(cut_after=until_change + 8, to="hub")
        command(world, "configure", serial, "quiet=0", code=2)
        bench.ask(cable="in")
    new = [it for it in log(world) if it not in told]
    assert [(it["path"], it["fields"]) for it in new] == [("doorpad configure", ["quiet"])]
    assert "quiet               0" in command(world, "configure", serial)
    world.start_bridge()
