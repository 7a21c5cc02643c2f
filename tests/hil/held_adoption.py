"""`python held_adoption.py SOCKET run …`: doorpad as ever, but what it does to take a code over waits for the test.

Before it asks the keypad to take a code over, and when the keypad has answered, it says so at SOCKET and waits for a
word: `go`, or `lost` for an answer that never came. So a test can be at the keypad in between, at its leisure.
"""

import asyncio
import runpy
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from doorpad.link import operations
from doorpad.link.errors import NoSession
from doorpad.link.slot_writes import SlotResult

WAIT_S = 60.0
Stage = Literal["before", "after"]


class Held:
    """The test's end: one adoption after the other, each in its two stages."""

    def __init__(self, path: Path) -> None:
        self.arguments = (str(Path(__file__)), str(path))
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._server.settimeout(WAIT_S)

    @contextmanager
    def at(self, stage: Stage, word: str = "go") -> Iterator[None]:
        """Wait for this stage; the block is what happens meanwhile, and `word` what the bridge is told then."""
        bridge, _ = self._server.accept()
        with bridge:
            bridge.settimeout(WAIT_S)
            assert bridge.recv(16).decode() == stage
            yield
            bridge.sendall(word.encode())

    def close(self) -> None:
        self._server.close()


async def _wait_at(path: str, stage: Stage) -> str:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(stage.encode())
    word = (await reader.read(16)).decode()
    writer.close()
    return word


if __name__ == "__main__":
    _, at, *sys.argv[1:] = sys.argv
    adopt = operations.adopt

    async def held(*arguments: Any) -> SlotResult:
        await _wait_at(at, "before")
        result = await adopt(*arguments)
        if await _wait_at(at, "after") == "lost":
            raise NoSession("the keypad's answer was lost")
        return result

    operations.adopt = held
    runpy.run_module("doorpad", run_name="__main__", alter_sys=True)
