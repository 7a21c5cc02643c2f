"""The cable between an emulated keypad and its hub: socket pair on one side, pseudo-terminal on the other.

Like a USB adapter, it is there under a stable name (a symbolic link, as udev makes them) while it is plugged in,
and gone when it is pulled; plugged in again it is another device under the same name, or under a new one.

A paced cable is a serial line with its limits: each side's bytes take their time at that side's speed, arrive as
other bytes where the speeds differ; what the keypad's receive buffer has no room for is lost. Without a pace there
is no speed either, and nothing is lost.
"""

import asyncio
import contextlib
import os
import pty
import socket
import tty
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from doorpad.emulator import terminal
from doorpad.emulator.faults import Faults, Spoiler, misread
from doorpad.emulator.wire import Wire

_READ_BYTES = 4096

Tap = Callable[[bytes, bool], None]


class Plug(Enum):
    IN = "in"
    OUT = "out"  # pulled: the port is gone
    SILENT = "silent"  # the port is there, and no byte comes through


@dataclass(frozen=True, slots=True)
class Line:
    """How a keypad is wired to its hub.

    Attributes:
        baud: bits a second, ten for a byte, at which both sides begin. None: as fast as both sides can, and no limit
            of a serial line counts.
        console: at UART0, which the keypad's prompt uses too, and not at a UART of the link's own.
        half_duplex: one pair of wires for both directions. Each side hears itself, and what both say at the same
            time nobody can read.
    """

    baud: int | None = None
    console: bool = False
    half_duplex: bool = False

    @property
    def receive_bytes(self) -> int | None:
        """What the keypad's receive buffer takes: firmware/doorpad_fw/line.py."""
        if self.baud is None:
            return None
        return 260 if self.console else 4096

    @property
    def settings(self) -> dict[str, int]:
        """The settings of a keypad that is wired so."""
        speed = {} if self.baud is None else {"baud": self.baud}
        return {"console": int(self.console), "half_duplex": int(self.half_duplex), **speed}


AT_ONCE = Line()


class Cable:
    """Carries bytes between `keypad` (a non-blocking socket) and the terminal that `name` links to.

    What one side does not take in time is lost, as on any serial line without flow control.
    """

    def __init__(self, name: Path, line: Line = AT_ONCE) -> None:
        self._name = name
        self.line = line
        self._keypad: socket.socket | None = None
        self._far_end: socket.socket | None = None  # the keypad's own end: what lies there is unread
        self.keypad_baud = line.baud
        self._is_overrunning = False
        self.overrun_bytes = 0  # lost because the keypad's receive buffer was full
        self.collided_bytes = 0
        self.on_overrun: Callable[[], None] = lambda: None  # called when the first of them is lost
        self._to_keypad = Wire(self._arrive_at_keypad, self._listen_to_hub)
        self._to_hub = Wire(self._arrive_at_hub, self._listen_to_keypad)
        self.tap: Tap | None = None  # called with bytes as they arrive, and whether they come from the keypad
        self._master = -1
        self._slave = -1  # held open, so that the terminal outlives whoever else opens it
        self.state = Plug.OUT

    @property
    def name(self) -> Path:
        return self._name

    @property
    def carried(self) -> tuple[int, int]:
        """How many bytes have arrived at the keypad's end, and at the hub's."""
        return self._to_keypad.carried_bytes, self._to_hub.carried_bytes

    def spoil(self, faults: Faults) -> None:
        """Be a bad cable from now on, or with `Faults()` a good one again."""
        good = faults == Faults(seed=faults.seed)
        self._to_keypad.spoiler = None if good else Spoiler(faults, "to keypad")
        self._to_hub.spoiler = None if good else Spoiler(faults, "to hub")

    @property
    def harm(self) -> dict[str, int]:
        """How often each fault was done since the cable became bad."""
        spoilers = filter(None, (self._to_keypad.spoiler, self._to_hub.spoiler))
        return dict(sum((spoiler.harm for spoiler in spoilers), Counter()))

    def cut_after(self, count: int, *, to_hub: bool) -> None:
        """Pull the plug once `count` more bytes, 1 or more, have come through in this direction.

        `set` calls it off.
        """
        wire = self._to_hub if to_hub else self._to_keypad
        wire.on_cut = lambda: self.set(Plug.OUT)
        wire.left_bytes = count

    def connect_keypad(self, keypad: socket.socket | None, far_end: socket.socket | None = None) -> None:
        """Take the keypad's end, or let go of it (None) when the keypad has no power.

        `far_end`: the other socket of the pair, which shows what the keypad has not read. Without it no receive
        buffer runs over.
        """
        if self._keypad is not None:
            asyncio.get_running_loop().remove_reader(self._keypad)
            self._keypad.close()
        if self._far_end is not None:
            self._far_end.close()
        self._keypad = keypad
        self._far_end = far_end
        self.keypad_baud = self.line.baud
        self._to_keypad.clear()
        self._listen_to_keypad()

    def set_keypad_baud(self, baud: int) -> None:
        """The keypad's UART is at this speed from now on. On a cable without a pace no speed counts."""
        if self.line.baud is not None:
            self.keypad_baud = baud

    def set(self, state: Plug, name: Path | None = None) -> None:
        """Plug in, pull, or cut the wires inside. Doing what is done already only calls off a cut to come.

        `name`: be there under this name when it is plugged in next.
        """
        self._to_keypad.left_bytes = self._to_hub.left_bytes = None
        if state is Plug.OUT:
            self._pull()
        elif self._master < 0:
            self._name = name or self._name
            self._plug_in()
        self.state = state

    def close(self) -> None:
        self._pull()
        self.connect_keypad(None)

    def _plug_in(self) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        if self.line.baud is not None:
            terminal.set_baud(self._slave, self.line.baud)
        os.set_blocking(self._master, False)
        new = self._name.with_name(self._name.name + ".new")
        new.unlink(missing_ok=True)
        new.symlink_to(os.ttyname(self._slave))
        new.replace(self._name)
        self._listen_to_hub()

    def _pull(self) -> None:
        if self._master < 0:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        self._name.unlink(missing_ok=True)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1
        self._to_keypad.clear()
        self._to_hub.clear()

    def _listen_to_hub(self) -> None:
        if self._master >= 0:
            asyncio.get_running_loop().add_reader(self._master, self._from_hub)

    def _listen_to_keypad(self) -> None:
        if self._keypad is not None:
            asyncio.get_running_loop().add_reader(self._keypad, self._from_keypad)

    def _from_keypad(self) -> None:
        assert self._keypad is not None
        try:
            data = self._keypad.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:  # the keypad lost its power; whoever watches it connects the next one
            asyncio.get_running_loop().remove_reader(self._keypad)
        elif self.state is Plug.IN:
            self._to_hub.put(data, self.keypad_baud)
            if self._to_hub.is_full:
                asyncio.get_running_loop().remove_reader(self._keypad)

    def _from_hub(self) -> None:
        try:
            data = os.read(self._master, _READ_BYTES)
        except BlockingIOError:
            return
        if self.state is Plug.IN and self._keypad is not None:
            self._to_keypad.put(data, self._hub_baud())
            if self._to_keypad.is_full:
                asyncio.get_running_loop().remove_reader(self._master)

    def _hub_baud(self) -> int | None:
        return terminal.baud(self._slave) if self.line.baud is not None else None

    def _arrive_at_keypad(self, data: bytes, baud: int | None) -> None:
        if self.state is Plug.IN:
            data = self._on_the_wires(data, self._to_keypad, self._to_hub)
            self._give_keypad(data, baud)
            if self.line.half_duplex:
                self._give_hub(data, baud)

    def _arrive_at_hub(self, data: bytes, baud: int | None) -> None:
        if self.state is Plug.IN:
            data = self._on_the_wires(data, self._to_hub, self._to_keypad)
            self._give_hub(data, baud)
            if self.line.half_duplex:
                self._give_keypad(data, baud)

    def _on_the_wires(self, data: bytes, wire: Wire, other: Wire) -> bytes:
        if self.line.half_duplex and other.was_driven(wire.passing_since_s):
            self.collided_bytes += len(data)
            data = os.urandom(
                len(data)
            )  # two drivers against each other: no level that anyone could foretell
        if self.tap is not None:
            self.tap(data, wire is self._to_hub)
        return data

    def _give_keypad(self, data: bytes, baud: int | None) -> None:
        if self._keypad is None:
            return
        data = misread(data, baud, self.keypad_baud)
        if self._far_end is not None and self.line.receive_bytes is not None:
            room = max(self.line.receive_bytes - terminal.unread_bytes(self._far_end.fileno()), 0)
            lost = max(len(data) - room, 0)
            self.overrun_bytes += lost
            if lost and not self._is_overrunning:
                self.on_overrun()
            self._is_overrunning = lost > 0
            data = data[:room]
        with contextlib.suppress(BlockingIOError, ConnectionError):
            self._keypad.send(data)

    def _give_hub(self, data: bytes, baud: int | None) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._master, misread(data, baud, self._hub_baud()))
