"""`doorpad configure`: a keypad's settings, shown and changed over its link."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from doorpad import keyring
from doorpad.link import settings as settings_of_keypad
from doorpad.link.connection import Connection
from doorpad.link.settings import SettingsChanged, SettingsRefused
from hil_world import Bench, Message, Output, emulated


@pytest.fixture(scope="module")
def keypad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Message]:
    folder = tmp_path_factory.mktemp("configure")
    with emulated(folder) as keypad:
        yield keypad | {"config": str(folder / "data" / "doorpad.toml"), "folder": folder / "data"}


def configure(keypad: Message, *changes: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "doorpad", "configure", keypad["serial"], *changes]
    command += ["--json", "--config", keypad["config"]]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def settings(keypad: Message, *changes: str) -> dict[str, int | str]:
    done = configure(keypad, *changes)
    assert done.returncode == 0, done.stderr
    return {it["name"]: it["value"] for it in map(json.loads, done.stdout.splitlines())}


def beeps(bench: Bench) -> list[Output]:
    return [it for it in bench.outputs if it.name == "buzzer"]


def test_settings_are_shown_and_changed_and_count_at_once_and_after_a_restart(keypad: Message) -> None:
    before = settings(keypad)
    assert (before["strike_ms"], before["quiet"], before["wrong_max"]) == (150, 0, 5)
    after = settings(keypad, "quiet=1", "wrong_max=3", "lockout_s=10")
    assert after == before | {"quiet": 1, "wrong_max": 3, "lockout_s": 10}
    with Bench(keypad["control"]) as bench:
        for _ in range(3):
            assert not bench.opens("0000")
        assert not beeps(bench)
        bench.ask(power="off")
        bench.ask(power="on")
    assert settings(keypad) == after
    assert settings(keypad, "quiet=0") == after | {"quiet": 0}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (("quiet=1", "strike_ms=99"), "strike_ms is 100 to 60000, not 99"),
        (("quiet",), "'quiet' is not a name, =, and a value"),
        (("wrong_max=4", "quiet=on"), "quiet is a whole number, 0 to 1, not 'on'"),
        (
            ("wrong_max=4", "door_name=" + 17 * "Д"),
            "door_name has 0 to 32 bytes of UTF-8, and 'ДДДДДДДДДДДДДДДДД' has 34",
        ),
        (("door_name=a\tb",), "door_name is what a person can read, not 'a\\tb'"),
    ],
)
def test_change_that_cannot_be_says_what_could_be(
    keypad: Message, changes: tuple[str, ...], words: str
) -> None:
    done = configure(keypad, *changes)
    assert done.returncode == 2
    said = " ".join(done.stderr.replace("│", " ").split())
    assert words in said, done.stderr


async def test_change_of_which_a_part_cannot_be_is_refused_in_words_and_changes_nothing(
    keypad: Message,
) -> None:
    key = keyring.load(Path(keypad["keys"]), keypad["serial"])
    connection, _ = await Connection.open(keypad["link"], 115_200, key, keypad["serial"])
    try:
        before = await settings_of_keypad.read(connection)
        for changes, words in (
            ({"quiet": 1, "lockout_s": 901}, "lockout_s is 10 to 900, not 901"),
            (
                {"quiet": 1, "colour": 1},
                "no setting 'colour'; it has clock_chip, door_contact, door_name, exit",
            ),
            ({"quiet": 1, "baud": 9600}, "no setting 'baud'"),
            ({"quiet": 1, "pin_min": 8, "pin_max": 6}, "pin_min must not be above pin_max"),
        ):
            with pytest.raises(SettingsRefused, match=words):
                await settings_of_keypad.change(connection, before, changes)
        assert await settings_of_keypad.read(connection) == before
        await settings_of_keypad.change(connection, before, {"held_open_s": 90})
        with pytest.raises(SettingsChanged):  # by the one who was faster
            await settings_of_keypad.change(connection, before, {"held_open_s": 120})
        assert (await settings_of_keypad.read(connection)).by_name["held_open_s"].value == 90
    finally:
        connection.close()


def test_keypad_that_the_configuration_does_not_name_is_refused(keypad: Message) -> None:
    done = configure(keypad | {"serial": "0011223344556677"})
    assert done.returncode == 2
    assert "no keypad has the serial 0011223344556677" in done.stderr
    assert not Path(keypad["folder"], "keys", "0011223344556677.key").exists()
