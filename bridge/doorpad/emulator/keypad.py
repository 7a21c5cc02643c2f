"""One emulated keypad at work: a MicroPython process, its cable, and what the bench does to both."""

import asyncio
import contextlib
import fcntl
import itertools
import json
import os
import signal
import socket
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from doorpad.emulator import runtime
from doorpad.emulator.cable import AT_ONCE, Cable, Line, Plug
from doorpad.emulator.commission import EmulatedKeypad
from doorpad.emulator.hardware import Hardware
from doorpad.errors import DoorpadError, NextStep

_POWER_ON_RESET = 1  # as `machine.reset_cause()` numbers them
_HARD_RESET = 2
_WATCHDOG_RESET = 3
_EXIT_RESET = 42  # the process ends with this code when the firmware asks for a reset
_PANICS = (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS)  # and with these where the chip would panic
_RTC_MEMORY = "rtc_memory"  # as firmware/emulator/machine.py names it
_RESTART_S_MIN = 0.05
_RESTART_S_MAX = 5.0
_STEADY_S = 5.0  # a start that lasted this long was no crash loop
_LOCK_WAIT_S = 3.0
_LOCK_STEP_S = 0.05

Output = dict[str, Any]


class KeypadInUse(DoorpadError):
    """Another process runs the keypad in this folder."""

    next_step: ClassVar[NextStep] = NextStep.WAIT


_PIECES_BYTES = 1 << 20  # or as much as the system allows


class BenchError(DoorpadError):
    """The bench was asked for something that cannot be done now."""

    next_step: ClassVar[NextStep] = NextStep.CHANGE_REQUEST


class RunningKeypad:
    """Runs a keypad until `stop()`. After a crash or a cut of power it starts again, as a board does.

    Args:
        on_output: called with every change of an output that the bench reports.
        line: how the keypad is wired to its hub.
    """

    def __init__(
        self,
        keypad: EmulatedKeypad,
        program: Path,
        on_output: Callable[[Output], None],
        line: Line = AT_ONCE,
    ) -> None:
        self.keypad = keypad
        self.cable = Cable(keypad.folder / "link", line)
        self.cable.on_overrun = self._overrun
        self._command = [
            *runtime.micropython(),
            "-X",
            f"heapsize={runtime.HEAP}",
            "-m",
            "start",
        ]
        self._program = program
        self._on_output = on_output
        self._lock_fd = -1
        self._process: Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._ids = itertools.count(1)
        self._power = asyncio.Event()
        self._running = asyncio.Event()
        self._bitten = False  # the last run was ended by the watchdog
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of MicroPython while the keypad has power."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Plug in and power up; returns when the firmware's process runs. Raises KeypadInUse."""
        await self._take_lock()
        await asyncio.to_thread(runtime.install, self._program, self.keypad.folder)
        self.cable.set(Plug.IN)
        self._power.set()
        self._supervisor = asyncio.create_task(self._supervise())
        await self._running.wait()

    async def stop(self) -> None:
        """Cut the power and pull the cable, for good."""
        self._power.clear()
        if self._supervisor is not None:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
        self.cable.close()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    async def power(self, on: bool) -> None:
        """Cut the power (the process dies in the middle of whatever it does), or give it back."""
        if on:
            self._power.set()
            await self._running.wait()
        else:
            self._power.clear()
            process = self._process
            if process is not None:
                process.send_signal(signal.SIGKILL)
                await process.wait()

    async def bench(self, **request: object) -> dict[str, Any]:
        """Send one request to the bench inside (firmware/emulator/bench.py); return its answer.

        Raises:
            BenchError: refused, or the keypad has no power or loses it meanwhile.
        """
        if self._writer is None:
            raise BenchError(f"keypad {self.keypad.serial} has no power")
        number = next(self._ids)
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._writer.write(json.dumps({"id": number, **request}).encode() + b"\n")
            got = await answer
        finally:
            self._waiting.pop(number, None)
        if "error" in got:
            raise BenchError(got["error"])
        return {key: value for key, value in got.items() if key != "id"}

    async def _take_lock(self) -> None:
        # The MicroPython process inherits the lock: while one that was orphaned still writes, nobody else does.
        fd = os.open(self.keypad.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + _LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(fd)
                    raise KeypadInUse(
                        f"the keypad in {self.keypad.folder} runs already; stop the other doorpad "
                        "or choose another data folder"
                    ) from None
                await asyncio.sleep(_LOCK_STEP_S)
            else:
                self._lock_fd = fd
                return

    async def _supervise(self) -> None:
        cause = _POWER_ON_RESET
        pause_s = _RESTART_S_MIN
        try:
            while True:
                await self._power.wait()
                if cause == _POWER_ON_RESET:
                    (self.keypad.folder / _RTC_MEMORY).unlink(missing_ok=True)
                began = time.monotonic()
                code = await self._run_once(cause)
                cause = _HARD_RESET if code in (_EXIT_RESET, *_PANICS) else _POWER_ON_RESET
                if self._bitten:
                    cause = _WATCHDOG_RESET
                if time.monotonic() - began >= _STEADY_S:
                    pause_s = _RESTART_S_MIN
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _RESTART_S_MAX)
        finally:
            process = self._process
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()

    async def _run_once(self, cause: int) -> int:
        link, link_inside = socket.socketpair()
        control, control_inside = socket.socketpair()
        for end in (link, link_inside, control, control_inside):
            end.setblocking(False)
        # The kernel counts some 800 bytes for each piece of a paced line, however short: the receive buffer that is
        # emulated has to be full before this one is.
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _PIECES_BYTES)
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "TZ": "UTC",
            "MICROPYPATH": runtime.boot_path(self._program),
            "DOORPAD_LINK_FD": str(link_inside.fileno()),
            "DOORPAD_CONTROL_FD": str(control_inside.fileno()),
            "DOORPAD_LINK_PACED": str(int(self.cable.line.baud is not None)),
            "DOORPAD_CONSOLE": str(int(self.cable.line.console)),
            "DOORPAD_RESET_CAUSE": str(cause),
        }
        far_end = link_inside.dup()
        with (
            link_inside,
            control_inside,
            open(self.keypad.folder / "console.log", "ab") as console,  # noqa: ASYNC230 - opened once a start
        ):
            process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=self.keypad.folder,
                env=environment,
                pass_fds=(link_inside.fileno(), control_inside.fileno(), self._lock_fd),
                stdin=DEVNULL,
                # On UART0 whatever is printed goes out between the frames.
                stdout=link_inside.fileno() if self.cable.line.console else console,
                stderr=console,
                start_new_session=True,  # a Ctrl-C in the terminal is for the one who runs the keypads
            )
        self._process = process
        self._bitten = False
        hardware = Hardware(self._bite, self._on_output, self.cable.set_keypad_baud)
        self.cable.connect_keypad(link, far_end)
        reader, writer = await asyncio.open_connection(sock=control)
        self._writer = writer
        self._running.set()
        try:
            await self._read(reader, hardware)
            return await process.wait()
        finally:
            self._running.clear()
            hardware.lose_power()
            self._writer = None
            writer.close()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_result({"error": "the keypad lost its power"})
            self.cable.connect_keypad(None)
            if process.returncode is None:
                process.kill()
                await process.wait()
            self._process = None

    def _overrun(self) -> None:
        if self._writer is not None:  # nobody waits for the answer
            self._writer.write(json.dumps({"id": next(self._ids), "overrun": True}).encode() + b"\n")

    def _bite(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._bitten = True
            self._process.kill()

    async def _read(self, reader: asyncio.StreamReader, hardware: Hardware) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                message = json.loads(line)
                if "id" not in message:
                    hardware.take(message)
                elif (answer := self._waiting.get(message["id"])) is not None and not answer.done():
                    answer.set_result(message)
