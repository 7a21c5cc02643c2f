"""Asks a keypad for one thing, and checks that the reply holds what the protocol says.

Sources: protocol/README.md, "Operations".
"""

import asyncio
from typing import Any
from uuid import UUID

from doorpad_link import messages

from doorpad.link.connection import Connection
from doorpad.link.errors import ProtocolViolation
from doorpad.link.statuses import refusal

BUSY_S = 1.0  # until it is asked again whether somebody is still at the keypad
_NO_CODE = bytes(16)


class Refused(ProtocolViolation):
    """The keypad refused an operation as a whole."""

    def __init__(self, serial: str, op: int, status: int) -> None:
        self.status = status
        super().__init__(refusal(serial, op, status))


def is_of(value: object, *kinds: type | None) -> bool:
    return any(value is None if kind is None else type(value) is kind for kind in kinds)


def checked(value: object, *kinds: tuple[type | None, ...]) -> list[Any]:
    """Return `value` if it is a list of these kinds; more at its end is from a newer keypad and left out."""
    if not isinstance(value, list) or len(value) < len(kinds):
        raise ProtocolViolation("a reply is shorter than the protocol says")
    for item, allowed in zip(value, kinds, strict=False):
        if not is_of(item, *allowed):
            raise ProtocolViolation("a reply holds a field of another type than the protocol says")
    return value[: len(kinds)]


INT = (int,)
BYTES = (bytes,)
INT_N = (int, None)
BYTES_N = (bytes, None)


def code_id(raw: bytes | None) -> str | None:
    if raw is None or raw == _NO_CODE:
        return None
    if len(raw) != 16:
        raise ProtocolViolation("an access-code id has not 16 bytes")
    return str(UUID(bytes=raw))


async def request(connection: Connection, op: int, body: object) -> tuple[int, object]:
    """Ask until the keypad is not BUSY; return (status, body) of its reply.

    It is busy with a change of the table that has to erase flash while somebody types: for a minute at most.
    """
    while True:
        reply = await connection.request(op, body)
        if reply[0] != messages.BUSY:
            return reply
        await asyncio.sleep(BUSY_S)


async def ask(connection: Connection, op: int, body: object) -> object:
    status, answer = await request(connection, op, body)
    if status != messages.OK:
        raise Refused(connection.serial, op, status)
    return answer
