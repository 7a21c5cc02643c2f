"""Somebody on the cable plays one recorded request again and again: the keypad answers, and its heap bears it."""

import os
import select
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bad_line import Keypad, emulated
from doorpad import keyring
from doorpad_link import frame, messages
from doorpad_link.host import HostSession, Lost, Opened, Replied

WAIT_S = 60.0
READ_BYTES = 256  # of the keypad, at once
ENTRIES_MIN = 12  # that make an answer of nearly a whole frame


class Hub:
    """A session on the port as a file, so that a test can write beside it."""

    def __init__(self, fd: int, keypad: Keypad) -> None:
        self._fd = fd
        key = keyring.load(keypad.keys, keypad.serial)
        self._session = HostSession(key.host_id, lambda device_id: key.psk, os.urandom)
        self._session.start(self._now_ms())
        self._wait_for(Opened)

    def ask(self, op: int, body: Any) -> tuple[bytes, Any]:
        """The request as it went, and the result."""
        self._session.request(op, body, self._now_ms())
        wire = self._session.take_output()
        os.write(self._fd, wire)
        reply = self._wait_for(Replied)
        assert reply.status == messages.OK
        return wire, reply.body

    @staticmethod
    def _now_ms() -> int:
        return time.monotonic_ns() // 1_000_000

    def _wait_for(self, kind: type) -> Any:
        while True:
            os.write(self._fd, self._session.take_output())
            wake_ms = self._session.wake_at_ms()
            left_s = WAIT_S if wake_ms is None else max(wake_ms - self._now_ms(), 0) / 1000
            if select.select([self._fd], [], [], left_s)[0]:
                events = self._session.receive(os.read(self._fd, 4096), self._now_ms())
            else:
                events = self._session.on_time(self._now_ms())
            assert not any(isinstance(event, Lost) for event in events)
            for event in events:
                if isinstance(event, kind):  # and no hint
                    return event


@contextmanager
def port(keypad: Keypad) -> Iterator[int]:
    fd = os.open(keypad.link, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(fd)
    try:
        yield fd
    finally:
        os.close(fd)


async def test_request_that_comes_many_times_at_once_is_answered_each_time_and_uses_no_heap_up(
    tmp_path: Path,
) -> None:
    with emulated(tmp_path) as keypad, port(keypad) as fd:
        hub = Hub(fd, keypad)
        for _ in range(ENTRIES_MIN):
            await keypad.bench.request(press="0000#")
        request, (_, _, _, entries) = hub.ask(messages.OP_EVENTS, [0, 255])
        assert len(entries) >= ENTRIES_MIN
        copies = READ_BYTES // len(request)
        assert copies > 6
        for _ in range(30):
            os.write(fd, request * copies)
            splitter, answers = frame.Splitter(), 0
            while answers < copies:
                assert select.select([fd], [], [], WAIT_S)[0], f"{answers} answers to {copies} copies"
                answers += len(list(splitter.feed(os.read(fd, 4096))))
        _, state = hub.ask(messages.OP_STATE, None)
        assert state[11] == 0, "the heap had no room"
