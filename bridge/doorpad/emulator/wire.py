"""One direction of an emulated cable: when bytes arrive, and how many of them."""

import asyncio
from collections import deque
from collections.abc import Callable

from doorpad.emulator.faults import Spoiler

_BITS_PER_BYTE = 10  # start bit, eight data bits, stop bit
_CHUNK_BYTES = 16  # 1.4 ms at 115,200 baud: hardly more than the event loop's own clock can tell apart
_LETS_GO_S = 0.001  # after its last byte a side may still drive the wires
_WAITING_BYTES_MAX = 4096  # what a serial adapter's driver takes before a write has to wait

Give = Callable[[bytes, int | None], None]  # bytes, and the speed at which they were sent


class Wire:
    """Bytes leave it at once, or not before a line of their speed could have carried them.

    The pace is that of the clock, not of the wake-ups: after a stall the bytes that are due leave together.
    """

    def __init__(self, give: Give, on_room: Callable[[], None]) -> None:
        self._give = give
        self._on_room = on_room  # called when it was full and is no longer
        self._is_paused = False
        self.spoiler: Spoiler | None = None
        self._waiting = bytearray()
        self._speeds: deque[tuple[int, int | None]] = deque()  # (bytes, baud) of what waits
        self._carried_at = 0.0  # when the newest byte that was given out had passed the line
        self.passing_since_s = 0.0  # when the first of the bytes that are given out had begun to pass it
        self._timer: asyncio.TimerHandle | None = None
        self.carried_bytes = 0
        self.left_bytes: int | None = None  # that still pass before `on_cut` is called; None: any number
        self.on_cut: Callable[[], None] = lambda: None

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= _WAITING_BYTES_MAX

    def was_driven(self, since_s: float) -> bool:
        """Whether the sending side has driven the wires at any time from `since_s` on, by the loop's clock."""
        return bool(self._waiting) or self._carried_at + _LETS_GO_S > since_s

    def put(self, data: bytes, baud: int | None) -> None:
        """Carry bytes that are sent at `baud`; None: at once."""
        if baud is None and not self._is_paused:
            self._pass(data, baud)
            return
        if self._timer is None:
            self._carried_at = max(self._carried_at, asyncio.get_running_loop().time())
        self._waiting += data
        self._speeds.append((len(data), baud))
        self._wait()

    def clear(self) -> None:
        """Forget what has not arrived yet."""
        was_full = self.is_full
        self._waiting.clear()
        self._speeds.clear()
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
        self._carried_at = asyncio.get_running_loop().time()
        self._wait()

    def _wait(self) -> None:
        if self._speeds and self._timer is None:
            count, baud = self._speeds[0]
            due = self._carried_at + _seconds(min(count, _CHUNK_BYTES), baud)
            self._timer = asyncio.get_running_loop().call_at(due, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        was_full = self.is_full
        waiting, baud = self._speeds.popleft()
        count = waiting
        if baud is not None:
            self.passing_since_s = self._carried_at
            elapsed_s = asyncio.get_running_loop().time() - self._carried_at
            count = min(int(elapsed_s * baud / _BITS_PER_BYTE), waiting)
            self._carried_at += _seconds(count, baud)
        if count < waiting:
            self._speeds.appendleft((waiting - count, baud))
        data = bytes(self._waiting[:count])
        del self._waiting[:count]
        self._wait()
        self._pass(data, baud)
        if was_full and not self.is_full:
            self._on_room()

    def _pass(self, data: bytes, baud: int | None) -> None:
        if self.left_bytes is not None:
            data = data[: self.left_bytes]
            self.left_bytes -= len(data)
        self._carry(data, baud)
        if self.left_bytes == 0:
            self.left_bytes = None
            self.on_cut()

    def _carry(self, data: bytes, baud: int | None) -> None:
        self.carried_bytes += len(data)
        if self.spoiler is None:
            self._give(data, baud)
            return
        if spoilt := self.spoiler.spoil(data):
            self._give(spoilt, baud)
        if pause_ms := self.spoiler.pause_ms(data):
            self._pause(pause_ms)


def _seconds(count: int, baud: int | None) -> float:
    return count * _BITS_PER_BYTE / baud if baud else 0.0
