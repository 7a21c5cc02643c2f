"""What fuzzing throws bytes at in the bridge alone: the typed reading of replies, and what a console says."""

import asyncio
from typing import Any

import cbor2
from doorpad.link import operations
from doorpad.link.errors import ProtocolViolation
from doorpad.link.prompt import what_speaks
from doorpad.link.slot_writes import SlotWrite
from doorpad_link import cbor
from doorpad_link.cbor import CborError


class _Answering:
    """In place of an open session: gives one status and body to whatever is asked."""

    round_trip_ms = 10
    mtu_bytes = 1024
    serial = "9f86d081884c7d65"

    def __init__(self, status: int, body: object) -> None:
        self._answer = (status, body)

    async def request(self, op: int, body: object) -> tuple[int, object]:
        return self._answer


_LOOP = asyncio.new_event_loop()  # one for all inputs: a search tries thousands a second
_WRITE = SlotWrite(7, 0, "4711", None, None, "00112233-4455-6677-8899-aabbccddeeff", bytes(8))
_ASKED: list[Any] = [
    lambda link: operations.state(link),
    lambda link: operations.statistics(link),
    lambda link: operations.changed_since(link, 0, 1),
    lambda link: operations.events(link, 0),
    lambda link: operations.put(link, [_WRITE]),
    lambda link: operations.delete(link, [(7, 1, bytes(8))]),
    lambda link: operations.adopt(link, 7, 1, bytes(8), _WRITE.access_code_id),
    lambda link: operations.set_time(link, 1_800_000_000_000),
    lambda link: operations.page_digests(link, 2),
    lambda link: operations.clock(link),
    lambda link: operations.hosts(link),
]


def replies(data: bytes) -> None:
    """The first byte chooses the operation, the second the status; the rest is the body, if it is one."""
    if len(data) < 2:
        return
    try:
        body = cbor.decode(data[2:])
    except CborError:
        return
    try:
        if data[0] % 16 == 15:
            operations.capabilities(body if isinstance(body, list) else [body])
            return
        _LOOP.run_until_complete(_ASKED[data[0] % len(_ASKED)](_Answering(data[1] % 16, body)))
    except ProtocolViolation:
        return


def prompt(data: bytes) -> None:
    said = what_speaks(data)
    assert said is None or len(said) < 200


def cbor_beside_cbor2(data: bytes) -> None:
    """What the link reads, cbor2 reads as the same."""
    try:
        value = cbor.decode(data)
    except CborError:
        return
    assert cbor2.loads(data) == value


# What one reader of CBOR takes, the other is asked about too.
CORPUS_OF = {"cbor_beside_cbor2": "cbor"}

TARGETS = {"prompt": prompt, "replies": replies, "cbor_beside_cbor2": cbor_beside_cbor2}
