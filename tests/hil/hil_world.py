"""Emulated keypads, a bridge and the official SDK, each a process or a connection of its own, as a user has them.

Nothing here waits for a time to pass: a wait is for a line of JSON, an answer of the bench, the end of a process.
"""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
import taped
from moved_clock import MovedClock
from seam import Seam

WAIT_S = 60.0  # for what comes within a second on an idle machine
EARLIEST = "2000-01-01T00:00:00Z"

Message = dict[str, Any]


class Doorpad:
    """A running `doorpad` command: its lines of JSON as they come, its standard error in a file.

    `program`: what Python is to run, if not doorpad itself.
    """

    def __init__(
        self, arguments: Sequence[str], log: Path, program: Sequence[str] = ("-m", "doorpad")
    ) -> None:
        self.arguments = tuple(arguments)
        self.log = log
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *program, *arguments], stdout=subprocess.PIPE, stderr=errors
            )
        self._messages: list[Message] = []
        self._ended = False
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with self._changed:
                    self._messages.append(json.loads(line))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def mark(self) -> int:
        """The place of the next message, for `message(after=…)`."""
        with self._changed:
            return len(self._messages)

    def heard(self) -> list[Message]:
        """Every message until now."""
        with self._changed:
            return list(self._messages)

    def message(self, matches: Callable[[Message], bool], *, after: int = 0) -> Message:
        """The first matching message from the place `after` on; waits for it. Fails if the command ends first."""
        seen = after

        def found() -> Message | bool:
            nonlocal seen
            while seen < len(self._messages):
                seen += 1
                if matches(self._messages[seen - 1]):
                    return self._messages[seen - 1]
            return self._ended

        with self._changed:
            message = self._changed.wait_for(found, WAIT_S)
            if not isinstance(message, dict):
                why = "has ended" if self._ended else f"was silent about it for {WAIT_S:.0f} s"
                pytest.fail(
                    f"doorpad {self.arguments[0]} {why}; it said {self._messages[after:]}; {self.said}"
                )
        return message

    def ready(self) -> Message:
        return self.message(lambda message: message["type"] == "ready")

    def gave_up(self) -> bool:
        """Whether it ended without a word; waits for its first one. A bridge waits 3 s for its data folder."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._messages or self._ended, WAIT_S)
            return not self._messages

    def event(self, event_type: str, access_code_id: str | None = None, *, after: int = 0) -> Message:
        return self.message(
            lambda message: (
                message["type"] == "event"
                and message["event_type"] == event_type
                and access_code_id in (None, message["access_code_id"])
            ),
            after=after,
        )

    def link(self, state: str, device_id: str, *, after: int = 0) -> Message:
        return self.message(
            lambda message: (
                message["type"] == "link" and (message["device_id"], message["state"]) == (device_id, state)
            ),
            after=after,
        )

    @property
    def said(self) -> str:
        """What it wrote to standard error."""
        return self.log.read_text(errors="replace")

    def stop(self) -> int:
        """Ask it to stop, as Ctrl-C does; returns its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(WAIT_S)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(WAIT_S)


@dataclass(frozen=True)
class Output:
    """A change of an output of the board. `ticks_ms`: by the keypad's own counter."""

    name: str
    level: int
    ticks_ms: int


class Bench:
    """A connection to the bench of one emulated keypad. It sees every output from its beginning on."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(WAIT_S)
        self._socket.connect(path)
        self._lines = self._socket.makefile("rb")
        self._number = 0
        self.outputs: list[Output] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def _next(self) -> Message:
        try:
            line = self._lines.readline()
        except TimeoutError:
            pytest.fail(f"the keypad showed nothing more for {WAIT_S:.0f} s; before: {self.outputs[-12:]}")
        assert line, "the emulator of the keypad is gone"
        message: Message = json.loads(line)
        if "output" in message:
            self.outputs.append(Output(message["output"], message["level"], message["ticks_ms"]))
        return message

    def ask(self, **request: object) -> Message:
        """Send one request; returns its answer. Fails if the bench refused it."""
        answer = self.try_(**request)
        assert answer.get("ok"), (request, answer)
        return answer

    def try_(self, **request: object) -> Message:
        """Send one request; returns its answer, also a refusal."""
        self._number += 1
        self._socket.sendall(json.dumps({"id": self._number, **request}).encode() + b"\n")
        while (answer := self._next()).get("id") != self._number:
            pass
        return answer

    def see(self, name: str, level: int, *, after: int = 0) -> Output:
        """The first change of an output to this level, from the place `after` in `outputs` on; waits for it."""
        place = after
        while True:
            while place < len(self.outputs):
                output = self.outputs[place]
                if (output.name, output.level) == (name, level):
                    return output
                place += 1
            self._next()

    def opens(self, pin: str) -> bool:
        """Enter a PIN with the keys; returns whether the strike was energised for it.

        A grant lights the green LED and a refusal the red one, both after the strike was or was not switched.
        """
        place = before = len(self.outputs)
        touched_ms = self.ask(press=pin + "#")["touched_ms"]
        while True:
            while place < len(self.outputs):
                output = self.outputs[place]
                place += 1
                # Before the last key was touched, what an earlier entry was answered with may still have blinked.
                if output.level and output.name in ("led_green", "led_red") and output.ticks_ms >= touched_ms:
                    strikes = [
                        it for it in self.outputs[before:place] if (it.name, it.level) == ("strike", 1)
                    ]
                    assert len(strikes) == (output.name == "led_green"), self.outputs[before:]
                    return bool(strikes)  # at rest again before a next PIN is typed: that takes longer
            self._next()


@dataclass(frozen=True)
class Keypad:
    device_id: str
    serial: str
    name: str
    link: Path
    control: str

    def bench(self) -> Bench:
        return Bench(self.control)

    @property
    def folder(self) -> Path:
        """Where its flash, NVS and files are."""
        return self.link.parent

    @property
    def master_pin(self) -> str:
        """What opens local programming at it."""
        return str(json.loads((self.folder / "keypad.json").read_text())["master_pin"])


class World:
    """Emulated keypads in a folder of their own, and the one bridge on them, which can be started again.

    Args:
        timing: the table `[timing]` of the configuration.
        settings: further lines for each keypad of the configuration.
        ports: where keypads are looked for, below the data folder; the configuration then names none for them.
        options: further ones of `doorpad emulate`.
        program: what Python is to run as the bridge; by default doorpad by the moved clock.

    `clock` is that of the bridge; the keypads get theirs from it (`clock_s` in `timing` says how soon).
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        keypads: int = 1,
        timing: str = "",
        settings: str = "",
        ports: Sequence[str] = (),
        program: Sequence[str] = (),
    ) -> None:
        self.data = folder / "data"
        self.clock = MovedClock(folder / "clock")
        self._program = program or self.clock.arguments
        self.wears_out = False  # whether flash is made to fail: a keypad says so on its console, with a trace
        self._log = folder / "stderr"
        arguments = ["emulate", "--data", str(self.data), "--keypads", str(keypads), "--json"]
        arguments += ["--strike-ms", "150", "--listen", "127.0.0.1:0", *options]
        self._commands = [Doorpad(arguments, self._log, taped.ARGUMENTS)]
        try:
            self._start(timing, settings, ports)
        except BaseException:
            self.abandon()
            raise

    def _start(self, timing: str, settings: str, ports: Sequence[str]) -> None:
        ready = self._commands[0].ready()
        self.config = Path(ready["config"])
        text = self.config.read_text()
        if ports:
            paths = json.dumps([str((self.data / port).absolute()) for port in ports])
            text = f"ports = {paths}\n" + re.sub("^port = .*\n", "", text, flags=re.M)
        head, *keypads = text.split("[[keypad]]\n")
        parts = [f"{head}[timing]\n{timing}\n\n", *(f"{settings}\n{keypad}" for keypad in keypads)]
        self.config.write_text("[[keypad]]\n".join(parts))
        self.bridge = self.launch()
        told = self.bridge.ready()
        self.api_key = told["api_key"]
        ids = {keypad["serial"]: keypad["device_id"] for keypad in told["keypads"]}
        self.keypads = [
            Keypad(ids[it["serial"]], it["serial"], it["name"], Path(it["link"]), it["control"])
            for it in ready["keypads"]
        ]
        self.seam = self._serve()

    def launch(self) -> Doorpad:
        """Start a bridge process on the configuration, whether another still runs or not."""
        bridge = Doorpad(["run", "--config", str(self.config), "--json"], self._log, self._program)
        self._commands.append(bridge)
        return bridge

    def start_bridge(self, bridge: Doorpad | None = None, *, online: bool = True) -> None:
        """Go on with another bridge, started now or before; returns once its keypads are online, or may be."""
        if bridge is None or bridge.gave_up():
            bridge = self.launch()
        self.bridge = bridge
        self.seam = self._serve(online=online)

    def _serve(self, *, online: bool = True) -> Seam:
        self.endpoint = self.bridge.ready()["endpoint"]
        for keypad in self.keypads if online else ():
            self.bridge.link("online", keypad.device_id)
        return Seam(api_key=self.api_key, endpoint=self.endpoint)

    def restart_bridge(self) -> None:
        assert self.bridge.stop() == 0
        self.start_bridge()

    @property
    def keypad(self) -> Keypad:
        return self.keypads[0]

    @property
    def device_id(self) -> str:
        return self.keypad.device_id

    @property
    def said(self) -> str:
        """What emulator and bridges wrote to standard error."""
        return self._log.read_text(errors="replace")

    def told(self) -> list[Message]:
        """What emulator and bridges wrote to standard output."""
        return [message for command in self._commands for message in command.heard()]

    def create(self, **fields: object) -> str:
        """Create a code on the first keypad unless told otherwise; returns its id once the keypad holds it."""
        code = self.seam.access_codes.create(**{"device_id": self.device_id, **fields})
        self.bridge.event("access_code.set_on_device", code.access_code_id)
        return code.access_code_id

    def place(self, access_code_id: str) -> Message:
        """Slot and generation of a code on its keypad: our own field, which the SDK's objects leave out."""
        return self._place("/access_codes/get", access_code_id)

    def unmanaged_place(self, access_code_id: str) -> Message:
        return self._place("/access_codes/unmanaged/get", access_code_id)

    def _place(self, path: str, access_code_id: str) -> Message:
        response = self.seam.client.post(path, json={"access_code_id": access_code_id})
        place: Message = response["access_code"]["doorpad"]
        return place

    def own_fields(self) -> Message:
        """What the first keypad's object says under our own key, which the SDK's objects leave out."""
        fields: Message = self.seam.client.post("/devices/get", json={"device_id": self.device_id})["device"]
        return dict(fields["doorpad"])

    @property
    def folder(self) -> Path:
        """That of the first keypad."""
        return self.keypad.folder

    @property
    def master_pin(self) -> str:
        """That of the first keypad."""
        return self.keypad.master_pin

    def events(self, **filters: object) -> list[Any]:
        return self.seam.events.list(since=EARLIEST, **filters)

    def event_types(self, access_code_id: str) -> list[str]:
        return [event.event_type for event in self.events(access_code_id=access_code_id)]

    def close(self) -> None:
        """Stop everything. Nothing may have failed unseen: no trace in the logs of bridge and keypads, no frame
        beside the grammar of the link.
        """
        for command in (self.bridge, self._commands[0]):
            if command.process.poll() is None:
                assert command.stop() == 0
        assert "Traceback" not in self._log.read_text()
        for console in self.data.glob("keypads/*/console.log"):
            text = console.read_text()
            assert text.count("Traceback") == (text.count("FlashError: ") if self.wears_out else 0), console
        assert taped.check(self.data), "no keypad and no bridge has said anything"

    def abandon(self) -> None:
        """Leave no process behind, whatever has happened."""
        for command in self._commands:
            if command.process.poll() is None:
                command.kill()


@contextmanager
def emulated(folder: Path, *options: str) -> Iterator[Message]:
    """One emulated keypad without a bridge, as long as the block lasts: its serial, name, link, control and keys."""
    arguments = ["emulate", "--data", str(folder / "data"), "--strike-ms", "150", "--json", *options]
    command = Doorpad(arguments, folder / "stderr", taped.ARGUMENTS)
    try:
        yield {**command.ready()["keypads"][0], "keys": str(folder / "data" / "keys")}
        assert command.stop() == 0
        taped.check(folder / "data")
    finally:
        if command.process.poll() is None:
            command.kill()


@contextmanager
def running(
    folder: Path,
    *options: str,
    keypads: int = 1,
    timing: str = "",
    settings: str = "",
    ports: Sequence[str] = (),
    program: Sequence[str] = (),
) -> Iterator[World]:
    """A world for as long as the block lasts."""
    world = World(
        folder, *options, keypads=keypads, timing=timing, settings=settings, ports=ports, program=program
    )
    try:
        yield world
        world.close()
    finally:
        world.abandon()


def family(pid: int) -> set[int]:
    """The process and all that descend from it now, as /proc tells."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


@contextmanager
def watched(pids: set[int]) -> Iterator[Callable[[], None]]:
    """Hold on to processes; the function that is given waits until the last of them has ended."""
    descriptors = [os.pidfd_open(pid) for pid in pids]

    def all_ended() -> None:
        for pid, descriptor in zip(pids, descriptors, strict=True):
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            assert poll.poll(WAIT_S * 1000), f"process {pid} still runs"

    try:
        yield all_ended
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
