"""A hub's session on a keypad that is driven by hand: bytes pass through a function, and time is a number."""

import random
from collections.abc import Callable
from typing import Any, Protocol

from doorpad_link.host import Hinted, HostSession, Lost, Opened, Replied
from mpy_keypad import PowerWentOff

TO_DEVICE, TO_HOST = False, True
_STEP_MS = 5  # of the line and the keypad for one turn

Cable = Callable[[bool, bytes], bytes]  # (direction, bytes) -> what of them arrives


class KeypadEnd(Protocol):
    """The other end of the line. `receive` may raise PowerWentOff, `restart` gives the power back."""

    def receive(self, data: bytes, elapsed_ms: int) -> bytes: ...
    def restart(self) -> None: ...


class Gone(Exception):
    """The session was lost, or none could be had: what was asked for is in doubt. `reason`: of host.LOST_REASONS."""

    def __init__(self, reason: int) -> None:
        super().__init__(reason)
        self.reason = reason


class Line:
    """The time, and the keypad at the far end of a cable."""

    def __init__(self, keypad: KeypadEnd) -> None:
        self.keypad = keypad
        self.cable: Cable = lambda direction, data: data
        self.now_ms = 0
        self.power_cuts = 0
        self._last_ms = 0

    def turn(self, out: bytes) -> bytes:
        """What comes back for bytes that a hub sends."""
        arrived = self.cable(TO_DEVICE, out)
        self.now_ms += _STEP_MS
        if not arrived:
            return b""
        try:
            answer = self.keypad.receive(arrived, self.now_ms - self._last_ms)
        except PowerWentOff:
            self.keypad.restart()
            self.power_cuts += 1
            answer = b""
        self._last_ms = self.now_ms
        return self.cable(TO_HOST, answer) if answer else b""


class Hub:
    """Asks one request at a time. `key` may change between sessions."""

    def __init__(self, line: Line, host_id: bytes, key: bytes) -> None:
        self._line = line
        self.host_id = host_id
        self.key = key
        self._session: HostSession | None = None
        self._random = random.Random(host_id)  # goes on through all sessions: no nonce comes twice

    def forget(self) -> None:
        """Die: whatever was under way is no longer waited for."""
        self._session = None

    def open(self) -> None:
        """Have a session. Raises Gone."""
        session = HostSession(self.host_id, lambda device_id: self.key, self._random.randbytes, 0)
        session.start(self._line.now_ms)
        self._wait(session, lambda event: isinstance(event, Opened))
        self._session = session

    def ask(self, op: int, body: object) -> tuple[int, Any]:
        """Status and result of one request, repeated as the session does. Raises Gone."""
        if self._session is None:
            self.open()
        session = self._session
        assert session is not None
        number = session.request(op, body, self._line.now_ms)
        reply = self._wait(session, lambda event: isinstance(event, Replied))
        assert (reply.number, reply.op) == (number, op)
        return reply.status, reply.body

    def _wait(self, session: HostSession, wanted: Callable[[Any], bool]) -> Any:
        while True:
            for event in self._turn(session):
                if isinstance(event, Lost):
                    self._session = None
                    raise Gone(event.reason)
                if wanted(event):
                    return event

    def _turn(self, session: HostSession) -> list[Opened | Replied | Hinted | Lost]:
        line = self._line
        if out := session.take_output():
            return session.receive(line.turn(out), line.now_ms)
        wake_at_ms = session.wake_at_ms()
        assert wake_at_ms is not None, "a session waits for nothing"
        line.now_ms = max(line.now_ms, wake_at_ms)
        return session.on_time(line.now_ms)
