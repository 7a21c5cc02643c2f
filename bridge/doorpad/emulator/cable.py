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
from collections import Counter
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from doorpad.emulator.faults import Faults, Spoiler

_READ_BYTES = 4096
_BITS_PER_BYTE = 10  # start bit, eight data bits, stop bit
_CHUNK_BYTES = 16  # 1.4 ms at 115,200 baud: hardly more than the event loop's own clock can tell apart
_WAITING_BYTES_MAX = 4096  # what a serial adapter's driver takes before a write has to wait

Take = Callable[[bytes], None]
Tap = Callable[[bytes, bool], None]


class Plug(Enum):
    IN = "in"
    OUT = "out"  # pulled: the port is gone
    SILENT = "silent"  # the port is there, and no byte comes through


class _Wire:
    """One direction of a cable. Bytes leave it at once, or not before a line of `baud` could have carried them.

    The pace is that of the clock, not of the wake-ups: after a stall the bytes that are due leave together.
    """

    def __init__(self, baud: int | None, give: Take, on_room: Callable[[], None]) -> None:
        self._byte_s = _BITS_PER_BYTE / baud if baud else 0.0
        self._give = give
        self._on_room = on_room  # called when it was full and is no longer
        self._is_paused = False
        self.spoiler: Spoiler | None = None
        self._waiting = bytearray()
        self._carried_at = 0.0  # when the newest byte that was given out had passed the line
        self._timer: asyncio.TimerHandle | None = None
        self.carried_bytes = 0
        self.left_bytes: int | None = None  # that still pass before `on_cut` is called; None: any number
        self.on_cut: Callable[[], None] = lambda: None

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= _WAITING_BYTES_MAX

    def put(self, data: bytes) -> None:
        if not self._byte_s and not self._is_paused:
            self._pass(data)
            return
        if self._timer is None:
            self._carried_at = max(self._carried_at, asyncio.get_running_loop().time())
        self._waiting += data
        self._wait()

    def clear(self) -> None:
        """Forget what has not arrived yet."""
        was_full = self.is_full
        self._waiting.clear()
        self._stop_timer()
        self._is_paused = False
        if was_full:
            self._on_room()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _pause(self, pause_ms: int) -> None:
        self._stop_timer()
        self._is_paused = True
        self._timer = asyncio.get_running_loop().call_later(pause_ms / 1000, self._resume)

    def _resume(self) -> None:
        self._timer = None
        self._is_paused = False
        if self._byte_s:
            self._carried_at = asyncio.get_running_loop().time()
            self._wait()
        elif self._waiting:
            data = bytes(self._waiting)
            self.clear()
            self._pass(data)

    def _wait(self) -> None:
        if self._waiting and self._timer is None:
            due = self._carried_at + self._byte_s * min(len(self._waiting), _CHUNK_BYTES)
            self._timer = asyncio.get_running_loop().call_at(due, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        was_full = self.is_full
        elapsed_s = asyncio.get_running_loop().time() - self._carried_at
        count = min(int(elapsed_s / self._byte_s), len(self._waiting))
        self._carried_at += count * self._byte_s
        data = bytes(self._waiting[:count])
        del self._waiting[:count]
        self._wait()
        self._pass(data)
        if was_full and not self.is_full:
            self._on_room()

    def _pass(self, data: bytes) -> None:
        if self.left_bytes is not None:
            data = data[: self.left_bytes]
            self.left_bytes -= len(data)
        self._carry(data)
        if self.left_bytes == 0:
            self.left_bytes = None
            self.on_cut()

    def _carry(self, data: bytes) -> None:
        self.carried_bytes += len(data)
        if self.spoiler is None:
            self._give(data)
            return
        if spoilt := self.spoiler.spoil(data):
            self._give(spoilt)
        if pause_ms := self.spoiler.pause_ms(data):
            self._pause(pause_ms)


class Cable:
    """Carries bytes between `keypad` (a non-blocking socket) and the terminal that `name` links to.

    What one side does not take in time is lost, as on any serial line without flow control.

    Args:
        baud: carry as many bits a second each way, ten for a byte. None: as fast as both sides can.
    """

    def __init__(self, name: Path, baud: int | None = None) -> None:
        self._name = name
        self._keypad: socket.socket | None = None
        self._to_keypad = _Wire(baud, self._give_keypad, self._listen_to_hub)
        self._to_hub = _Wire(baud, self._give_hub, self._listen_to_keypad)
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

    def connect_keypad(self, keypad: socket.socket | None) -> None:
        """Take the keypad's end, or let go of it (None) when the keypad has no power."""
        if self._keypad is not None:
            asyncio.get_running_loop().remove_reader(self._keypad)
            self._keypad.close()
        self._keypad = keypad
        self._to_keypad.clear()
        self._listen_to_keypad()

    def set(self, state: Plug) -> None:
        """Plug in, pull, or cut the wires inside. Doing what is done already only calls off a cut to come."""
        self._to_keypad.left_bytes = self._to_hub.left_bytes = None
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
            self._to_hub.put(data)
            if self._to_hub.is_full:
                asyncio.get_running_loop().remove_reader(self._keypad)

    def _from_hub(self) -> None:
        try:
            data = os.read(self._master, _READ_BYTES)
        except BlockingIOError:
            return
        if self.state is Plug.IN and self._keypad is not None:
            self._to_keypad.put(data)
            if self._to_keypad.is_full:
                asyncio.get_running_loop().remove_reader(self._master)

    def _give_keypad(self, data: bytes) -> None:
        if self.state is Plug.IN and self._keypad is not None:
            if self.tap is not None:
                self.tap(data, False)
            with contextlib.suppress(BlockingIOError, ConnectionError):
                self._keypad.send(data)

    def _give_hub(self, data: bytes) -> None:
        if self.state is Plug.IN:
            if self.tap is not None:
                self.tap(data, True)
            with contextlib.suppress(BlockingIOError):
                os.write(self._master, data)
