"""The examples of the README, each run as a user would: pasted into a file, with key and address of a demo."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from demonstration import demo
from hil_world import Message
from seam import Seam

_BLOCK = re.compile(r"^```(python|javascript)\n(.+?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = _BLOCK.findall((Path(__file__).parents[2] / "README.md").read_text())
_RUN_S = 120
EARLIEST = "2000-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Message]:
    with demo(tmp_path_factory.mktemp("readme")) as ready:
        yield ready


def example(language: str, mark: str, ready: Message) -> str:
    """The one example in this language that says `mark`, for this demo. No other place needs to be changed."""
    (text,) = [text for found, text in EXAMPLES if found == language and mark in text]
    assert "seam_doorpad_…" in text and "http://127.0.0.1:8117" in text
    return text.replace("seam_doorpad_…", ready["api_key"]).replace(
        "http://127.0.0.1:8117", ready["endpoint"]
    )


def run(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, timeout=_RUN_S)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def client(ready: Message) -> Seam:
    return Seam(api_key=ready["api_key"], endpoint=ready["endpoint"])


def test_every_example_is_run() -> None:
    assert [language for language, _ in EXAMPLES] == ["python", "python", "javascript"]


def test_door_is_opened_by_the_first_example(ready: Message) -> None:
    told = run(sys.executable, "-c", example("python", "keypad_code_entry", ready))
    assert "access_code.set_on_device" in told and "lock.unlocked" in told


def test_stay_is_made_lengthened_and_ended_on_every_door(ready: Message) -> None:
    seam = client(ready)
    door = seam.devices.list()[0].device_id
    made = seam.access_codes.simulate.create_unmanaged_access_code(
        device_id=door, name="Plumber", code="51973"
    )
    told = run(sys.executable, "-c", example("python", "create_multiple", ready))
    assert re.fullmatch(r"PIN \d{4,12}\n", told)
    events = seam.events.list(since=EARLIEST, event_type="access_code.changed")
    assert {it.device_id for it in events} == {it.device_id for it in seam.devices.list()}
    (taken,) = seam.access_codes.list(access_code_ids=[made.access_code_id])
    assert taken.code == "51973"
    left = {it.status for it in seam.access_codes.list(device_id=door) if it.name == "Booking 2041"}
    assert left <= {"removing"}


def test_webhook_is_verified_by_the_javascript_example(
    ready: Message, packages: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = example("javascript", "SeamWebhook", ready).replace("8080", str(port))
    script = tmp_path / "example.mjs"
    script.write_text(text)
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    assert run("node", str(script)).splitlines()[-1] == "access_code.set_on_device"
