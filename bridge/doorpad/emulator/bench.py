"""The bench's client: reaches an emulated keypad through its control socket."""

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

from doorpad.emulator.keypad import BenchError


class BenchClient:
    """One request at a time over a connection of its own; connects anew when the other side was away."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ids = itertools.count(1)

    async def request(self, **fields: object) -> dict[str, Any]:
        """Send one request of control.py; return its answer. Raises BenchError."""
        number = next(self._ids)
        try:
            reader, writer = await asyncio.open_unix_connection(self._path)
        except OSError as error:
            raise BenchError(f"no emulated keypad at {self._path}: {error}") from error
        try:
            writer.write(json.dumps({"id": number, **fields}).encode() + b"\n")
            while line := await reader.readline():
                answer: dict[str, Any] = json.loads(line)
                if answer.get("id") == number:
                    break
            else:
                raise BenchError(f"the emulated keypad at {self._path} went away")
        finally:
            writer.close()
        if "error" in answer:
            raise BenchError(answer["error"])
        return answer
