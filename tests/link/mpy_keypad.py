"""A keypad inside MicroPython at the end of two pipes (mpy/keypad.py), as the end of a line for sessions of ours."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from doorpad.emulator import runtime

HERE = Path(__file__).parent
PARTS = HERE.parent / "firmware" / "mpy"
MASTER_PIN = "99887766"
HEAP = "4M"  # more than a keypad has: its flash lies in RAM here, and one keypad follows another


class PowerWentOff(Exception):
    """The cut that was asked for came; `restart` gives the power back."""


class MicroPythonKeypad:
    """Asks the process, one question at a time."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, do: str, *arguments: Any, rest_ms: int = 0) -> Any:
        """One of the `do_` functions there; afterwards `rest_ms` of virtual time pass. Raises PowerWentOff."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, "with": arguments, "rest_ms": rest_ms}) + "\n")
        self._process.stdin.flush()
        while not (line := self._process.stdout.readline()).startswith("{"):  # else what the firmware prints
            assert line, "the keypad's process has ended"
        answer = json.loads(line)
        if "power" in answer:
            raise PowerWentOff
        assert "answer" in answer, answer["failed"]
        return answer["answer"]

    def build(self, capacity: int, hosts: list[tuple[bytes, bytes]]) -> None:
        self.ask("build", capacity, [[host_id.hex(), key.hex()] for host_id, key in hosts])

    def receive(self, data: bytes, elapsed_ms: int) -> bytes:
        """As DeviceSession.receive."""
        return bytes.fromhex(self.ask("feed", data.hex(), elapsed_ms))

    def restart(self) -> None:
        """Power up anew, on what the flash holds."""
        self.ask("restart")


@contextmanager
def running(folder: Path, cache: Path) -> Iterator[MicroPythonKeypad]:
    """A process for as long as the block lasts. `cache` keeps the compiled firmware."""
    search = f"{runtime.search_path(runtime.compile_program(cache, named=True))}:{PARTS}"
    command = [*runtime.micropython(), "-X", f"heapsize={HEAP}", str(HERE / "mpy" / "keypad.py")]
    environment = {**os.environ, "MICROPYPATH": search, "TZ": "UTC"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield MicroPythonKeypad(process)
        assert process.stdin is not None
        process.stdin.close()
