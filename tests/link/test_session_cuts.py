"""The line goes silent after any byte of any exchange with the firmware, for a second or for longer than a session.

Both ends are the real ones, the keypad's inside MicroPython; nothing waits for real. The same with a real cable:
test_cable_cuts.py.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from doorpad_link import messages, x25519
from doorpad_link.handshake import next_key
from mpy_hub import TO_DEVICE, TO_HOST, Gone, Hub, Line
from mpy_keypad import MicroPythonKeypad, running

HOST_ID, KEY = b"hub----1", bytes(range(100, 132))
SHORT_MS, LONG_MS = 1000, 60_000  # within the repetitions of a frame, and beyond the last of them
SLOT = 7
CODE_ID = bytes(range(16))
FLAGS = messages.MANAGED | messages.ENABLED


@pytest.fixture(scope="module")
def keypad(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[MicroPythonKeypad]:
    with running(tmp_path_factory.mktemp("cuts"), request.config.cache.mkdir("firmware")) as keypad:
        yield keypad


@dataclass
class Cut:
    """A cable that goes silent both ways when `count` bytes have passed in one direction, and comes back."""

    line: Line
    direction: bool
    count: int
    outage_ms: int
    passed: dict[bool, int] = field(default_factory=lambda: {TO_DEVICE: 0, TO_HOST: 0})
    _ends_ms: int | None = None

    def __call__(self, direction: bool, data: bytes) -> bytes:
        if self._ends_ms is not None:
            return data if self.line.now_ms >= self._ends_ms else b""
        left = self.count - self.passed[self.direction]
        if direction == self.direction and len(data) >= left:
            data = data[:left]
            self._ends_ms = self.line.now_ms + self.outage_ms
        self.passed[direction] += len(data)
        return data


class World:
    """One keypad and one hub; `again` repeats a request in new sessions until it is answered."""

    def __init__(self, keypad: MicroPythonKeypad) -> None:
        keypad.build(16, [(HOST_ID, KEY)])
        self.keypad = keypad
        self.line = Line(keypad)
        self.hub = Hub(self.line, HOST_ID, KEY)
        self.losses = 0
        self._numbers = itertools.count(1)
        self._version = 0

    def again(self, op: int, body: object) -> Any:
        while True:
            try:
                status, result = self.hub.ask(op, body)
            except Gone:
                self.losses += 1
            else:
                assert status == messages.OK
                return result

    def op_id(self) -> bytes:
        return next(self._numbers).to_bytes(8, "big")

    def handshake(self) -> int:
        self.hub.forget()
        self.again(messages.OP_PING, None)
        return 0

    def put(self) -> int:
        op_id = self.op_id()
        code = b"%08d" % int.from_bytes(op_id, "big")
        body = [op_id, CODE_ID, [[self._version, SLOT, code, None, None, FLAGS]]]
        [[_, status, self._version]] = self.again(messages.OP_PUT, body)
        assert status in (messages.OK, messages.ALREADY)
        assert self.keypad.ask("table")[2] == [[SLOT, self._version, FLAGS, code.decode(), op_id.hex(), 1]]
        return 1

    def conflict(self) -> int:
        body = [self.op_id(), CODE_ID, [[self._version + 1, SLOT, b"4711", None, None, FLAGS]]]
        assert self.again(messages.OP_PUT, body) == [[SLOT, messages.CONFLICT, self._version]]
        return 0

    def delete(self) -> int:
        put = [self.op_id(), CODE_ID, [[0, SLOT + 1, b"4711", None, None, FLAGS]]]
        [[_, _, version]] = self.again(messages.OP_PUT, put)
        [[_, status, _]] = self.again(messages.OP_DEL, [[version, SLOT + 1, self.op_id()]])
        assert status in (messages.OK, messages.ALREADY)
        assert SLOT + 1 not in [slot for slot, *_ in self.keypad.ask("table")[2]]
        return 2

    def events(self) -> int:
        entries = self.again(messages.OP_EVENTS, [0, 15])[3]
        told = [[entry[0], entry[3], entry[4], entry[5]] for entry in entries]
        assert told == self.keypad.ask("journal", 0)
        return 0

    def key_change(self) -> int:
        """As rotation.py does it, after a loss too: first the key that may have been proven, then the one before."""
        number = next(self._numbers)
        private, host_id = number.to_bytes(32, "big"), number.to_bytes(8, "big")
        public = x25519.public(private)
        old = (self.hub.host_id, self.hub.key)
        device_public = self.again(messages.OP_NEXT_KEY, [host_id, public])
        shared = x25519.exchange(private, device_public)
        new = (host_id, next_key(old[1], shared, host_id, public, device_public))
        for self.hub.host_id, self.hub.key in itertools.cycle([new, old]):
            self.hub.forget()
            try:
                self.hub.open()
                break
            except Gone:
                self.losses += 1
        if self.hub.key == new[1]:
            self.hub.forget()
            self.hub.host_id, self.hub.key = old
            with pytest.raises(Gone):
                self.hub.open()
            self.hub.host_id, self.hub.key = new
        return 0


EXCHANGES: dict[str, Callable[[World], int]] = {
    "handshake": World.handshake,
    "put": World.put,
    "conflict": World.conflict,
    "delete": World.delete,
    "events": World.events,
    "key change": World.key_change,
}

EVERY = dict.fromkeys(EXCHANGES, 1) | {
    "key change": 7
}  # a change of keys costs both ends 10 ms; --long: every byte


@pytest.mark.parametrize("outage_ms", [SHORT_MS, LONG_MS])
@pytest.mark.parametrize("name", EXCHANGES)
def test_silence_after_any_byte_of_an_exchange_leaves_its_effect_exactly_once(
    keypad: MicroPythonKeypad, name: str, outage_ms: int, long: bool
) -> None:
    exchange = EXCHANGES[name]
    world = World(keypad)
    world.again(messages.OP_TIME, [1_800_000_000, 0])  # a first entry in the journal
    world.put()
    world.line.cable = whole = Cut(world.line, TO_DEVICE, 1 << 30, outage_ms)
    exchange(world)
    heap = keypad.ask("heap")
    for direction in (TO_DEVICE, TO_HOST):
        for count in range(0, whole.passed[direction], 1 if long else EVERY[name]):
            generation, _, _ = keypad.ask("table")
            journal, key = keypad.ask("journal", 0), world.hub.key
            world.line.cable = Cut(world.line, direction, count, outage_ms)
            changes = exchange(world)
            assert keypad.ask("table")[0] - generation == changes, f"{count} bytes, to the hub: {direction}"
            told = [kind for _, kind, *_ in keypad.ask("journal", journal[-1][0])]
            assert told == ([messages.EV_KEY_CHANGED] if world.hub.key != key else [])
    assert keypad.ask("about")["forged"] == 0
    assert (world.losses > 0) == (outage_ms == LONG_MS)
    assert keypad.ask("heap") - heap < 2048
