"""A refusal of a keypad in words: which keypad, operation, slot and status, and what to do; never a PIN."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from doorpad.errors import NextStep
from doorpad.link import operations
from doorpad.link.asking import Refused
from doorpad.link.slot_writes import SlotWrite
from doorpad.link.statuses import STATUSES, refusal, status_of
from doorpad_link import messages

SERIAL = "0123456789abcdef"
PIN = "86420975"


class Refusing:
    """In place of a session: the keypad refuses whatever it is asked."""

    serial = SERIAL
    mtu_bytes = 1024
    round_trip_ms = 0

    def __init__(self, status: int) -> None:
        self._status = status

    async def request(self, op: int, body: object) -> tuple[int, object]:
        return self._status, None


PUT = SlotWrite(7, 0, PIN, None, None, str(UUID(int=7)), bytes(8))
REQUESTS: dict[str, Any] = {
    "STATE": operations.state,
    "PUT": lambda session: operations.put(session, [PUT]),
    "DEL": lambda session: operations.delete(session, [(7, 1, bytes(8))]),
    "TIME": lambda session: operations.set_time(session, 1_800_000_000_000),
    "EVENTS": lambda session: operations.events(session, 0),
    "STATISTICS": operations.statistics,
}


@pytest.mark.parametrize("operation", REQUESTS)
async def test_operation_that_is_refused_as_a_whole_says_all_of_it_and_no_pin(operation):
    with pytest.raises(Refused) as caught:
        await REQUESTS[operation](Refusing(messages.INVALID))
    message = str(caught.value)
    for part in (SERIAL, operation, "INVALID", STATUSES[messages.INVALID].what_to_do):
        assert part in message
    assert PIN not in message


@pytest.mark.parametrize("status", [messages.FLASH, messages.INTERNAL])
async def test_fault_of_the_keypad_amid_a_list_is_one_of_each_slot_in_it(status):
    session: Any = Refusing(status)
    deletes = [(slot, 1, bytes(8)) for slot in (3, 7)]
    results = [*await operations.put(session, [PUT]), *await operations.delete(session, deletes)]
    assert [(it.slot, it.status, it.done) for it in results] == [(slot, status, False) for slot in (7, 3, 7)]


@pytest.mark.parametrize("number", [number for number in STATUSES if number > messages.ALREADY])
def test_refusal_of_a_slot_names_it_and_what_to_do(number):
    message = refusal(SERIAL, messages.OP_PUT, number, 7)
    status = STATUSES[number]
    for part in (SERIAL, "PUT", "slot 7", status.name, status.means, status.what_to_do):
        assert part in message


def test_status_of_a_newer_keypad_is_a_refusal_that_asks_for_a_newer_hub():
    assert status_of(99).next_step is NextStep.PERSON
    assert "status 99" in refusal(SERIAL, 77, 99) and "operation 77" in refusal(SERIAL, 77, 99)


def test_pin_stands_in_no_text_of_a_write():
    assert PIN not in repr(PUT) and PIN not in str(SimpleNamespace(write=PUT))
