"""`doorpad demo`: emulated keypads and a bridge in one process tree, ready to be tried with the official SDK."""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from doorpad.api.keys import ApiKeys, add_key, generate_key
from doorpad.api.vocabulary import Vocabulary
from doorpad.emulator import fleet
from doorpad.emulator.commission import EmulatedKeypad
from doorpad.emulator.control import ControlServer
from doorpad.errors import DoorpadError
from doorpad.store.identity import device_id_for
from doorpad.store.profile_names import ProfileName

_KEY_FILE = "demo_api_key"
_ONLINE_S = 3.0  # how long to wait for the keypads before saying that all is ready anyway
_RESTART_S = 0.5


class BridgeFailed(DoorpadError):
    """The bridge could not start. It has said why, unless a signal ended it."""

    def __init__(self, code: int) -> None:
        self.said = code > 0
        super().__init__(f"the bridge ended with code {code}")


class Demo:
    """Supervises the bridge beside the keypads: one that dies is started again, as systemd would."""

    def __init__(
        self,
        data: Path,
        tell: Callable[[dict[str, Any]], None],
        errors_vocabulary: Vocabulary = "2025",
        profiles: Sequence[ProfileName] = (),
    ) -> None:
        self._data = data
        self._errors_vocabulary = errors_vocabulary
        self._profiles = profiles
        self._print = tell
        self._servers: list[ControlServer] = []
        self._api_key = ""
        self._early: list[dict[str, Any]] | None = []  # told before the first line
        self._online: set[str] = set()
        self._all_online = asyncio.Event()
        self._ready: dict[str, Any] | None = None  # what the bridge said when it first listened
        self._listening = asyncio.Event()

    def output(self, keypad: EmulatedKeypad, change: dict[str, Any]) -> None:
        """Tell that a strike goes active or back."""
        if change["output"] == "strike":
            device_id = device_id_for(keypad.serial)
            self._tell(
                {"type": "output", "device_id": device_id, "output": "strike", "level": change["level"]}
            )

    async def run(self, servers: list[ControlServer], port: int, stop: asyncio.Event) -> None:
        """Serve until `stop` is set. Raises BridgeFailed if the bridge does not start the first time."""
        self._servers = servers
        self._api_key = api_key(self._data)
        bridge = asyncio.create_task(self._keep_bridge(port))
        stopping = asyncio.create_task(stop.wait())
        listening = asyncio.create_task(self._listening.wait())
        try:
            await asyncio.wait({bridge, stopping, listening}, return_when=asyncio.FIRST_COMPLETED)
            if self._ready is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_ONLINE_S):
                        await self._all_online.wait()
                self._print(self._first_line(self._ready))
                early, self._early = self._early or [], None
                for message in early:
                    self._print(message)
                await asyncio.wait({bridge, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if bridge.done():
                bridge.result()
        finally:
            stopping.cancel()
            listening.cancel()
            bridge.cancel()
            with contextlib.suppress(asyncio.CancelledError, BridgeFailed):
                await bridge

    def _tell(self, message: dict[str, Any]) -> None:
        if self._early is None:
            self._print(message)
        else:
            self._early.append(message)

    def _first_line(self, ready: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "ready",
            "endpoint": ready["endpoint"],
            "api_key": self._api_key,
            "keypads": [
                {
                    "device_id": device_id_for(server.keypad.keypad.serial),
                    "name": server.keypad.keypad.name,
                    "link": str(server.keypad.cable.name.absolute()),
                    "control": str(server.path.absolute()),
                }
                for server in self._servers
            ],
            "bridge_pid": ready["pid"],
            "data": str(self._data.absolute()),
        }

    async def _keep_bridge(self, port: int) -> None:
        while True:
            listen = f"127.0.0.1:{port}"
            config = fleet.write_config(
                self._data,
                self._servers,
                listen=listen,
                errors_vocabulary=self._errors_vocabulary,
                profiles=self._profiles,
            )
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "doorpad", "run", "--config", str(config), "--json", "--until-eof"),
                stdin=PIPE,
                stdout=PIPE,
                start_new_session=True,
            )
            try:
                await self._read(process)
                code = await process.wait()
            except asyncio.CancelledError:
                await _end(process)
                raise
            if self._ready is None:
                raise BridgeFailed(code)
            port = int(self._ready["endpoint"].rpartition(":")[2])
            self._tell({"type": "bridge", "state": "ended", "code": code})
            await asyncio.sleep(_RESTART_S)

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            message = json.loads(line)
            if message["type"] == "ready":
                message["pid"] = process.pid
                if self._ready is None:
                    self._ready = message
                    self._listening.set()
                else:
                    self._tell({"type": "bridge", "state": "started", "pid": process.pid})
                continue
            if message["type"] == "link" and message["state"] == "online":
                self._online.add(message["device_id"])
                if len(self._online) == len(self._servers):
                    self._all_online.set()
            self._tell(message)


async def _end(process: Process) -> None:
    # The end of its standard input tells the bridge to finish.
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(10):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def api_key(data: Path) -> str:
    """The demo's API key, the same at each start with the same folder: kept in the clear, for it is a demo."""
    path = data / _KEY_FILE
    if path.exists():
        key = path.read_text("ascii").strip()
        if ApiKeys(data).accept(key):
            return key
    key = generate_key()
    new = path.with_suffix(".new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="ascii") as file:
        file.write(key + "\n")
    new.replace(path)
    add_key(data, key, "demo")
    return key
