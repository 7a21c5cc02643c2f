"""Bringing another application onto a keypad over its sessions: whole, resumed after any cut, on trial at first.

The keypad takes pieces of files in their order, finds out by hashes what it has, and switches once it has all
(protocol/README.md, section 6). It is the keypad that decides whether the new application has proven itself.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import ClassVar

from doorpad_link import messages

from doorpad.application import Application
from doorpad.errors import DoorpadError, NextStep
from doorpad.link.asking import BUSY_S
from doorpad.link.connection import Connection
from doorpad.link.errors import LinkDown, ProtocolViolation
from doorpad.link.statuses import refusal

_AROUND_BYTES = 48  # header, tag, CRC, and what stands around a piece
_PIECE_BYTES_MAX = 400  # what a keypad has room for beside everything else
_TRIAL_S = 1.0  # between two looks at a trial
_ATTEMPTS = 3  # at a file that does not come out right

Tell = Callable[[dict[str, object]], None]


class UpdateRefused(DoorpadError):
    """The keypad cannot take or keep this application; what ran before runs on."""

    next_step: ClassVar[NextStep] = NextStep.PERSON


@dataclass(frozen=True, slots=True)
class Running:
    """What runs on a keypad. `identity`: SHA-256 of its manifest, None if it was flashed without one."""

    version: str
    identity: bytes | None
    on_trial: bool
    format: int
    mpy: int
    free_bytes: int


async def running(connection: Connection) -> Running:
    """Ask what runs. Raises UpdateRefused for a firmware that knows no updates."""
    status, answer = await connection.request(messages.OP_UPDATE_STATE, None)
    if status == messages.UNSUPPORTED:
        raise UpdateRefused("this keypad's firmware takes no updates over the link: flash it at the keypad")
    match answer:
        case [str(version), bytes() | None as identity, bool(on_trial), int(stored), int(mpy), int(free), *_]:
            return Running(version, identity, on_trial, stored, mpy, free)
        case _:
            raise ProtocolViolation("what runs on the keypad is not told as the protocol says")


def check_fits(application: Application, now: Running) -> None:
    """Refuse what the keypad could not load, or what could not read its flash. Raises UpdateRefused."""
    if application.mpy != now.mpy:
        raise UpdateRefused(
            f"version {application.version} is compiled for .mpy version {application.mpy}, "
            f"and the keypad's MicroPython loads {now.mpy}; compile it with that one's mpy-cross"
        )
    if not application.format_oldest <= now.format <= application.format:
        raise UpdateRefused(
            f"version {application.version} reads stored formats {application.format_oldest} to "
            f"{application.format}, and the keypad has written {now.format}; take a newer version"
        )


class Updater:
    """Updates one keypad.

    Args:
        session: `await session()` gives an open session with the keypad, as soon as there is one.
        tell: called with what happens: {"state": "sending", "sent": bytes, "of": bytes}, and the states
            "waiting" (no session), "busy" (somebody is at the keypad), "trial".
        noted: entered before the keypad is asked to switch, and left when it has agreed or not.
    """

    def __init__(
        self,
        session: Callable[[], Awaitable[Connection]],
        application: Application,
        tell: Tell,
        noted: Callable[[], AbstractAsyncContextManager[None]],
    ) -> None:
        self._session = session
        self._application = application
        self._tell = tell
        self._noted = noted
        self._switched = False
        self._files = [application.manifest, *(module.data for module in application.modules)]
        self._total = sum(map(len, self._files))

    async def run(self) -> None:
        """Return once the application has proven itself on the keypad.

        Raises:
            UpdateRefused: it does not fit, or it failed its trial and the one before runs again.
        """
        while True:
            connection = await self._session()
            try:
                if await self._bring(connection):
                    return
            except LinkDown:
                self._tell({"state": "waiting"})

    async def _bring(self, connection: Connection) -> bool:
        now = await running(connection)
        if now.identity == self._application.identity:
            return await self._see_trial(connection, now)
        if self._switched:
            raise UpdateRefused(
                f"version {self._application.version} did not prove itself on the keypad, and version "
                f"{now.version} runs again; what it crashed of stands in the device's `crashes`"
            )
        check_fits(self._application, now)
        await self._begin(connection)
        sent = 0
        for number, data in enumerate(self._files):
            await self._send(connection, number, data, sent)
            sent += len(data)
        async with self._noted():
            await self._ask(connection, messages.OP_UPDATE_SWITCH, None)
        self._switched = True
        self._tell({"state": "trial", "sent": sent, "of": self._total})
        await self._until_down(connection)
        return False

    async def _see_trial(self, connection: Connection, now: Running) -> bool:
        self._switched = True
        while now.on_trial:
            await asyncio.sleep(_TRIAL_S)
            now = await running(connection)
        return True

    async def _until_down(self, connection: Connection) -> None:
        """The keypad restarts; the session finds out with the next request."""
        while connection.down is None:
            await asyncio.sleep(_TRIAL_S)
            await running(connection)

    async def _begin(self, connection: Connection) -> None:
        application = self._application
        arguments = [len(application.manifest), application.identity, application.room_bytes]
        while True:
            match await self._ask(connection, messages.OP_UPDATE_BEGIN, arguments):
                case [True, *_]:
                    return
                case [False, *_]:
                    pass  # it removes a few files at a time
                case _:
                    raise ProtocolViolation("whether the keypad is ready is neither true nor false")

    async def _send(self, connection: Connection, number: int, data: bytes, before: int) -> None:
        held, right = await self._check(connection, number)
        for _ in range(_ATTEMPTS):
            if right:
                return
            offset = held if held < len(data) else 0
            await self._write(connection, number, data, offset, before)
            held, right = await self._check(connection, number)
            if not right:
                held = 0  # whatever it was, it was not the beginning of this
        if not right:
            raise UpdateRefused(
                f"file {number} does not come out right on the keypad; its flash may be worn out"
            )

    async def _write(
        self, connection: Connection, number: int, data: bytes, offset: int, before: int
    ) -> None:
        size = min(connection.mtu_bytes - _AROUND_BYTES, _PIECE_BYTES_MAX)
        while True:  # once for an empty file too
            piece = data[offset : offset + size]
            await self._ask(connection, messages.OP_UPDATE_WRITE, [number, offset, piece])
            offset += len(piece)
            self._tell({"state": "sending", "sent": before + offset, "of": self._total})
            if offset == len(data):
                return

    async def _check(self, connection: Connection, number: int) -> tuple[int, bool]:
        match await self._ask(connection, messages.OP_UPDATE_CHECK, [number]):
            case [int(held), bool(right), *_]:
                return held, right
            case _:
                raise ProtocolViolation("what the keypad holds of a file is not told as the protocol says")

    async def _ask(self, connection: Connection, op: int, body: object) -> object:
        while True:
            status, answer = await connection.request(op, body)
            if status == messages.OK:
                return answer
            if status != messages.BUSY:
                raise UpdateRefused(self._why(connection.serial, op, status, answer))
            self._tell({"state": "busy"})
            await asyncio.sleep(BUSY_S)

    def _why(self, serial: str, op: int, status: int, answer: object) -> str:
        if status == messages.NO_SPACE:
            return (
                f"version {self._application.version} takes {self._application.room_bytes} bytes of the keypad's "
                f"file system, and {answer if isinstance(answer, int) else 'too few'} are free"
            )
        if status == messages.CONFLICT and op == messages.OP_UPDATE_BEGIN:
            return "the keypad tries a new version right now; wait until that has proven itself"
        return refusal(serial, op, status)
