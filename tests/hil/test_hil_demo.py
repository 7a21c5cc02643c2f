"""`doorpad demo` as a user meets it: one command up, one Ctrl-C down, nothing left, the same again next time."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hil_world import WAIT_S, Doorpad, Message, family, running, watched
from seam import Seam

NO_MICROPYTHON = """\
import sys
sys.modules["micropython_unix"] = None  # as on a platform that it has no wheel for
from doorpad.cli import main
main()
"""


@contextmanager
def demo(log: Path, *options: str) -> Iterator[Doorpad]:
    command = Doorpad(["demo", "--json", "--port", "0", "--keypads", "1", *options], log)
    try:
        yield command
    finally:
        if command.process.poll() is None:
            command.kill()


def connect(ready: Message) -> Seam:
    return Seam(api_key=ready["api_key"], endpoint=ready["endpoint"])


def check_refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """The contract of every refusal of the command line: an exit code, one line, and no trace."""
    assert result.returncode != 0
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("doorpad: ")
    assert all(word in lines[0] for word in words), lines[0]
    assert result.stdout == ""


def run_demo(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "doorpad", "demo", "--json", "--keypads", "1", *options],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )


def test_new_hub_says_first_that_it_is_ready_and_then_what_it_made_before(tmp_path: Path) -> None:
    with running(tmp_path) as world:
        assert world.bridge.message(lambda _: True)["type"] == "ready"
        world.bridge.event("device.added")


def test_demo_is_usable_from_its_first_line_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path / "stderr") as command:
        ready = command.message(lambda _: True)
        assert ready["type"] == "ready"
        (keypad,) = ready["keypads"]
        assert keypad.keys() >= {"device_id", "name", "link", "control"}
        (device,) = connect(ready).devices.list()
        assert (device.device_id, device.display_name) == (keypad["device_id"], keypad["name"])
        assert Path(keypad["link"]).exists() and Path(keypad["control"]).is_socket()
        pids = family(command.process.pid)
        commands = [(Path("/proc") / str(pid) / "cmdline").read_bytes() for pid in pids]
        for name in (b"\0doorpad\0", b"micropython_unix"):
            assert any(name in command_line for command_line in commands), (name, commands)
        with watched(pids) as all_ended:
            command.process.send_signal(signal.SIGINT)
            assert command.process.wait(WAIT_S) == 0
            all_ended()
        assert not Path(ready["data"]).exists()
        assert command.said == ""


def test_demo_with_a_data_folder_is_the_same_at_its_next_start_also_after_a_kill(tmp_path: Path) -> None:
    def identity(ready: Message) -> tuple[object, ...]:
        seam = connect(ready)
        codes = {code.access_code_id: code.code for code in seam.access_codes.list(device_id=device_id)}
        return ready["api_key"], [it["device_id"] for it in ready["keypads"]], codes

    data = str(tmp_path / "data")
    with demo(tmp_path / "stderr", "--data", data) as first:
        ready = first.ready()
        device_id = ready["keypads"][0]["device_id"]
        code = connect(ready).access_codes.create(device_id=device_id, code="482913")
        first.event("access_code.set_on_device", code.access_code_id)
        before = identity(ready)
        assert before[2] == {code.access_code_id: "482913"}
        with watched(family(first.process.pid)) as all_ended:
            first.kill()
            all_ended()  # bridge and keypads are their own masters, and must not outlive it
    with demo(tmp_path / "stderr", "--data", data) as second:
        ready = second.ready()
        assert identity(ready) == before
        # The keypad kept the code too: it is set, and was not written again.
        assert connect(ready).access_codes.get(access_code_id=code.access_code_id).status == "set"
        told = connect(ready).events.list(since="2000-01-01T00:00:00Z", access_code_id=code.access_code_id)
        assert [it.event_type for it in told] == ["access_code.created", "access_code.set_on_device"]
        refused = run_demo("--port", "0", "--data", data)
        check_refused(refused, data)
        second.process.terminate()
        assert second.process.wait(WAIT_S) == 0


def test_demo_on_a_port_in_use_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        check_refused(run_demo("--port", port, "--data", str(tmp_path / "data")), "port", port)


def test_demo_on_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    data = str(tmp_path / "file" / "data")
    check_refused(run_demo("--port", "0", "--data", data), data)


def test_demo_without_micropython_says_what_to_install(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", NO_MICROPYTHON, "demo", "--json", "--data", str(tmp_path / "data")],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        env={**os.environ, "PATH": str(tmp_path)},
    )
    check_refused(result, "MicroPython", "pip install")


def test_bridge_that_dies_under_the_demo_is_started_again_in_its_place(tmp_path: Path) -> None:
    with demo(tmp_path / "stderr") as command:
        ready = command.ready()
        device_id = ready["keypads"][0]["device_id"]
        command.link("online", device_id)
        killed = command.mark()
        os.kill(ready["bridge_pid"], signal.SIGKILL)
        started = command.message(lambda it: it["type"] == "bridge" and it["state"] == "started")
        assert started["pid"] != ready["bridge_pid"]
        command.link("online", device_id, after=killed)
        (device,) = connect(ready).devices.list()
        assert device.properties.online
        assert command.stop() == 0
        assert "Traceback" not in command.said
