"""A hub's and a keypad's end of the link with a bad cable between them, on a virtual clock.

Nothing waits for real. A cable that spoils counts the harm it does, so that a test can show there was some.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from doorpad_link.device import DeviceSession
from doorpad_link.host import OPEN, HostSession, Lost, Opened, Replied

DEVICE_ID = b"keypad-1"
BOOT_ID = b"boot---1"
HOST_ID = b"hub----1"
PSK = bytes(range(100, 132))
CAPABILITIES = [1024, 4, 3584, 4096, 4, 12, "0.1.0"]
OP_ADD = 17  # PING takes and returns anything: this world's keypad also notes the number it is given
TO_DEVICE, TO_HOST = 0, 1


@dataclass(frozen=True)
class Faults:
    """Chances for each piece that is written, 0.0 to 1.0."""

    lose: float = 0.0
    flip: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    truncate: float = 0.0


BAD = Faults(lose=0.1, flip=0.08, duplicate=0.1, reorder=0.1, truncate=0.08)


def make_host(host_id: bytes = HOST_ID, psk: bytes | None = PSK, seed: int = 0) -> HostSession:
    return HostSession(host_id, lambda device_id: psk, random.Random(f"host {seed}").randbytes, byte_us=0)


class Keypad:
    """The keypad's end. `effects`: the numbers that requests have added, in order."""

    def __init__(self, hosts: list[tuple[bytes, bytes]] | None = None, seed: int = 0) -> None:
        self.effects: list[Any] = []
        self.session = DeviceSession(
            DEVICE_ID,
            BOOT_ID,
            [(HOST_ID, PSK)] if hosts is None else hosts,
            CAPABILITIES,
            random.Random(f"keypad {seed}").randbytes,
            self._serve,
        )

    def _serve(self, maker: int, op: int, body: object) -> tuple[int, object]:
        self.effects.append(body)
        return 0, body


def handshake(host: HostSession, keypad: Keypad, now_ms: int = 0) -> list[Any]:
    """Let the two talk over a good cable until neither has more to say; return the hub's events."""
    events: list[Any] = []
    host.start(now_ms)
    while out := host.take_output():
        events += host.receive(keypad.session.receive(out, 1000), now_ms)
    return events


def exchange(host: HostSession, keypad: Keypad, body: Any, now_ms: int = 0) -> list[Any]:
    """One request and its reply over a good cable."""
    host.request(OP_ADD, body, now_ms)
    return host.receive(keypad.session.receive(host.take_output(), 10), now_ms)


@dataclass
class World:
    """A hub that adds the numbers 1, 2, 3 ... one after the other; after a loss it begins a new session.

    `answered`: the numbers whose reply came, in order; `attempts`: how often each was asked for in new requests.
    """

    seed: int
    faults: Faults = Faults()
    together: int = 1  # how many requests are under way at a time
    now_ms: int = 0
    harm: Counter[str] = field(default_factory=Counter)
    answered: list[int] = field(default_factory=list)
    attempts: Counter[int] = field(default_factory=Counter)
    losses: Counter[int] = field(default_factory=Counter)
    wires: list[tuple[int, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self.keypad = Keypad(seed=self.seed)
        self._pieces: list[tuple[int, int, int, bytes]] = []  # (due, order, direction, bytes)
        self._order = 0
        self._device_ms = 0
        self._sessions = 0
        self._under_way: list[int] = []
        self._restart_at_ms: int | None = None
        self._connect()

    def _connect(self) -> None:
        self._sessions += 1
        self._restart_at_ms = None
        self.host = make_host(seed=self.seed * 1000 + self._sessions)
        self.host.start(self.now_ms)
        self._flush()

    def _flush(self) -> None:
        if out := self.host.take_output():
            self._write(TO_DEVICE, out)

    def _hits(self, name: str) -> bool:
        if self._rng.random() >= getattr(self.faults, name):
            return False
        self.harm[name] += 1
        return True

    def _write(self, direction: int, data: bytes) -> None:
        self.wires.append((direction, data))
        if self._hits("lose"):
            return
        if self._hits("truncate"):
            data = data[: self._rng.randrange(len(data))]
        if data and self._hits("flip"):
            place = self._rng.randrange(len(data))
            data = data[:place] + bytes((data[place] ^ 1 << self._rng.randrange(8),)) + data[place + 1 :]
        for _ in range(2 if self._hits("duplicate") else 1):
            delay_ms = 5 + self._rng.randrange(20)
            if self._hits("reorder"):
                delay_ms += self._rng.randrange(2000)
            self._order += 1
            heapq.heappush(self._pieces, (self.now_ms + delay_ms, self._order, direction, data))

    def _take(self, events: list[Any]) -> None:
        for event in events:
            match event:
                case Replied(status=0, body=int(number)):
                    self.answered.append(number)
                    self._under_way.remove(number)
                case Lost(reason=reason):
                    self.losses[reason] += 1
                    self._under_way.clear()
                    self._restart_at_ms = self.now_ms + 1000
                case Opened():
                    pass
                case other:
                    raise AssertionError(f"unexpected event {other!r}")
        while self.host.state == OPEN and self.host.unanswered < self.together:
            number = self._next_number()
            self.attempts[number] += 1
            self._under_way.append(number)
            self.host.request(OP_ADD, number, self.now_ms)
        self._flush()

    def _next_number(self) -> int:
        number = 1
        while number in self.answered or number in self._under_way:
            number += 1
        return number

    def run_until(self, done: Callable[[], bool], limit_ms: int) -> bool:
        """Let virtual time pass until `done()`, at most `limit_ms`; tell whether it came to that."""
        end_ms = self.now_ms + limit_ms
        while not done():
            wakes = [
                self.host.wake_at_ms(),
                self._restart_at_ms,
                self._pieces[0][0] if self._pieces else None,
            ]
            self.now_ms = max(self.now_ms, min(at for at in wakes if at is not None))
            if self.now_ms > end_ms:
                return False
            if self._restart_at_ms is not None and self._restart_at_ms <= self.now_ms:
                self._connect()
            elif self._pieces and self._pieces[0][0] <= self.now_ms:
                _, _, direction, data = heapq.heappop(self._pieces)
                if direction == TO_DEVICE:
                    out = self.keypad.session.receive(data, self.now_ms - self._device_ms)
                    self._device_ms = self.now_ms
                    if out:
                        self._write(TO_HOST, bytes(out))
                else:
                    self._take(self.host.receive(data, self.now_ms))
            else:
                self._take(self.host.on_time(self.now_ms))
        return True
