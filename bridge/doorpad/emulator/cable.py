"""The cable between an emulated keypad and its hub: socket pair on one side, pseudo-terminal on the other.

Like a USB adapter, it is there under a stable name (a symbolic link, as udev makes them) while it is plugged in,
and gone when it is pulled; plugged in again it is another device under the same name.
"""

import asyncio
import contextlib
import os
import pty
import socket
import tty
from enum import Enum
from pathlib import Path

_READ_BYTES = 4096


class Plug(Enum):
    IN = "in"
    OUT = "out"  # pulled: the port is gone
    SILENT = "silent"  # the port is there, and no byte comes through


class Cable:
    """Carries bytes between `keypad` (a non-blocking socket) and the terminal that `name` links to.

    What one side does not take in time is lost, as on any serial line without flow control.
    """

    def __init__(self, name: Path) -> None:
        self._name = name
        self._keypad: socket.socket | None = None
        self._master = -1
        self._slave = -1  # held open, so that the terminal outlives whoever else opens it
        self.state = Plug.OUT

    @property
    def name(self) -> Path:
        return self._name

    def connect_keypad(self, keypad: socket.socket | None) -> None:
        """Take the keypad's end, or let go of it (None) when the keypad has no power."""
        loop = asyncio.get_running_loop()
        if self._keypad is not None:
            loop.remove_reader(self._keypad)
            self._keypad.close()
        self._keypad = keypad
        if keypad is not None:
            loop.add_reader(keypad, self._from_keypad)

    def set(self, state: Plug) -> None:
        """Plug in, pull, or cut the wires inside. Doing what is done already changes nothing."""
        if state is Plug.OUT:
            self._pull()
        elif self._master < 0:
            self._plug_in()
        self.state = state

    def close(self) -> None:
        self._pull()
        self.connect_keypad(None)

    def _plug_in(self) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        new = self._name.with_name(self._name.name + ".new")
        new.unlink(missing_ok=True)
        new.symlink_to(os.ttyname(self._slave))
        new.replace(self._name)
        asyncio.get_running_loop().add_reader(self._master, self._from_hub)

    def _pull(self) -> None:
        if self._master < 0:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        self._name.unlink(missing_ok=True)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

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
            with contextlib.suppress(BlockingIOError):
                os.write(self._master, data)

    def _from_hub(self) -> None:
        try:
            data = os.read(self._master, _READ_BYTES)
        except BlockingIOError:
            return
        if self.state is Plug.IN and self._keypad is not None:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                self._keypad.send(data)
