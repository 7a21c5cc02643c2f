"""The control socket of an emulated keypad: how a bench outside of this process reaches it.

A UNIX socket with one JSON object a line. Requests, each with an `id` of the caller's choice:

    {"id": 1, "cable": "out" | "in" | "silent"}     pull the plug, plug it in, or cut the wires in it;
                                                    "in" with "name": under that one, in the same folder unless
                                                    it begins with /
    {"id": 2, "power": "off" | "on"}                cut the power, or give it back
    {"id": 3, "program": "4711"}                    add a code with the master PIN, by keys
    {"id": 4, "unprogram": "4711"}                  delete one
    {"id": 5, "about": true}                        -> serial, name, pid, cable, baud (of the keypad's UART; null
                                                    without a pace), carried (bytes that have arrived at the
                                                    keypad, and at the hub), overrun and collided (bytes that
                                                    were lost so)
    {"id": 6, "faults": {"seed": 1, "flip": 1e-4}}  make the cable a bad one (faults.py); {} heals it
                                                    -> harm: how often each fault was done until now
    {"id": 7, "cut_after": 57, "to": "keypad" | "hub"}   pull the plug after the 57th byte from now in this direction
    {"id": 8, "plays": "power_saving" | "auxiliary_heat", "active": true}   report of itself what a door's keypad
                                                    never does, until it is false
    and those of the bench on the board itself: press, wiegand, switch, contact, skew_s, freeze, stop_clock,
    heap, room, cut_at, flash, erase_ms, stall_ms, raise, worn, panic, hang (firmware/emulator/bench.py).

Answers carry the id and `"ok": true` or an `"error"`. Changes of outputs come unasked to everyone connected.
"""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from doorpad_link import messages

from doorpad.emulator.cable import AT_ONCE, Line, Plug
from doorpad.emulator.commission import EmulatedKeypad
from doorpad.emulator.faults import Faults, FaultsImpossible
from doorpad.emulator.keypad import BenchError, RunningKeypad

_PATH_BYTES_MAX = 100  # of a UNIX socket's name: 104 on macOS, 108 on Linux, with the final zero
OnOutput = Callable[[EmulatedKeypad, dict[str, Any]], None]

_PLAYED = {
    "power_saving": messages.HEALTH_POWER_SAVING,
    "auxiliary_heat": messages.HEALTH_AUXILIARY_HEAT,
}
_ON_BOARD = (
    "press",
    "wiegand",
    "switch",
    "contact",
    "skew_s",
    "freeze",
    "stop_clock",
    "heap",
    "room",
    "cut_at",
    "flash",
    "erase_ms",
    "stall_ms",
    "raise",
    "worn",
    "panic",
    "hang",
)


def socket_path(keypad: EmulatedKeypad) -> Path:
    """Where the control socket of a keypad is: in its folder, if the name is not too long for a socket."""
    path = keypad.folder / "control"
    if len(str(path).encode()) <= _PATH_BYTES_MAX:
        return path
    return Path(tempfile.mkdtemp(prefix="doorpad-")) / "control"


class ControlServer:
    """Serves the control socket of one running keypad.

    Args:
        on_output: also called with the keypad and each change of one of its outputs.
        line: how the keypad is wired to its hub.
    """

    def __init__(
        self,
        keypad: EmulatedKeypad,
        program: Path,
        on_output: OnOutput | None = None,
        line: Line = AT_ONCE,
    ) -> None:
        self._about = keypad
        self._on_output = on_output
        self.keypad = RunningKeypad(keypad, program, self._tell_all, line)
        self.path = socket_path(keypad)
        self._clients: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Start the keypad, then listen. Raises KeypadInUse."""
        await self.keypad.start()
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for client in list(self._clients):
            client.close()
        await self.keypad.stop()
        self.path.unlink(missing_ok=True)

    def _tell_all(self, output: dict[str, Any]) -> None:
        if self._on_output is not None:
            self._on_output(self._about, output)
        line = json.dumps(output).encode() + b"\n"
        for client in self._clients:
            if not client.is_closing():
                client.write(line)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.LimitOverrunError, ValueError):
                while line := await reader.readline():
                    answer = json.dumps(await self._answer(line)).encode() + b"\n"
                    if writer.is_closing():  # uvloop takes a write to one that has just gone for an error
                        break
                    writer.write(answer)
                    await writer.drain()
        finally:
            self._clients.discard(writer)
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            number = request.pop("id")
        except (ValueError, AttributeError, KeyError):
            return {"id": None, "error": "a request is one JSON object with an `id`"}
        try:
            return {"id": number, "ok": True, **await self._do(request)}
        except (BenchError, ValueError) as error:
            return {"id": number, "error": str(error)}

    async def _do(self, request: dict[str, Any]) -> dict[str, Any]:
        match request:
            case {"cable": state, **rest}:
                name = rest.get("name")
                cable = self.keypad.cable
                cable.set(Plug(state), cable.name.parent / str(name) if name else None)
            case {"faults": dict(chances)}:
                harm = self.keypad.cable.harm
                try:
                    self.keypad.cable.spoil(Faults(**chances))
                except (TypeError, FaultsImpossible) as error:
                    raise ValueError(str(error)) from error
                return {"harm": harm}
            case {"cut_after": int(count), "to": "keypad" | "hub" as end}:
                if count < 1:
                    raise ValueError("a cable is cut after one byte or more")
                self.keypad.cable.cut_after(count, to_hub=end == "hub")
            case {"power": "on" | "off" as state}:
                await self.keypad.power(state == "on")
            case {"program": str(code)}:
                return await self._program("1", code)
            case {"unprogram": str(code)}:
                return await self._program("2", code)
            case {"plays": str(name), "active": bool(active)}:
                if name not in _PLAYED:
                    raise ValueError(f"a keypad can play {' or '.join(_PLAYED)}, not {name!r}")
                return await self.keypad.bench(health=_PLAYED[name], active=active)
            case {"about": True}:
                about = self.keypad.keypad
                return {
                    "serial": about.serial,
                    "name": about.name,
                    "pid": self.keypad.pid,
                    "cable": self.keypad.cable.state.value,
                    "baud": self.keypad.cable.keypad_baud,
                    "carried": self.keypad.cable.carried,
                    "overrun": self.keypad.cable.overrun_bytes,
                    "collided": self.keypad.cable.collided_bytes,
                }
            case _ if any(name in request for name in _ON_BOARD):
                return await self.keypad.bench(**request)
            case _:
                raise ValueError(f"no such request: {sorted(request)}")
        return {}

    async def _program(self, command: str, code: str) -> dict[str, Any]:
        master = self.keypad.keypad.master_pin
        return await self.keypad.bench(press=f"{master}#{command}#{code}#*")
