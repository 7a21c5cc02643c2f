"""What an API client may give at most is what the wire takes: beyond it the API refuses, and nothing is sent."""

import asyncio
from typing import Any
from uuid import UUID

import cbor2
import pytest
from doorpad.api import pins, times
from doorpad.api.errors import ApiError
from doorpad.link import operations
from doorpad.link.slot_writes import SlotWrite
from doorpad.store.schema import Device
from doorpad_link import cbor, messages
from grammar import follows

DEVICE = Device(device_id="device", profile="generic", pin_min=4, pin_max=12)


class Wire:
    """In place of a session: keeps the bodies that would be sealed."""

    serial = "0123456789abcdef"
    mtu_bytes = 1024

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def request(self, op: int, body: Any) -> tuple[int, object]:
        self.sent.append(cbor2.loads(cbor.encode([op, body])))
        return messages.OK, [[4096, messages.OK, 1]]


def send(pin: str, starts: str | None, ends: str | None) -> list[Any]:
    """What goes out for a code that a client asks for; the checks are those of the API."""
    wire = Wire()
    pins.check_pin(DEVICE, pin)
    starts_s = None if starts is None else times.starts_at_s(starts)
    ends_s = None if ends is None else times.ends_at_s(ends)
    times.check_window(starts_s, ends_s, 0)
    write = SlotWrite(4096, 2**32 - 1, pin, starts_s, ends_s, str(UUID(int=2**128 - 1)), b"\xff" * 8)
    asyncio.run(operations.put(wire, [write]))  # type: ignore[arg-type]
    return wire.sent


@pytest.mark.parametrize(
    ("pin", "starts", "ends"),
    [
        ("0000", None, None),
        ("999999999999", None, None),
        ("1234", "2000-01-01T00:00:00Z", "2099-12-31T23:59:59Z"),
        ("1234", "1999-12-31T23:59:59.000001Z", "2100-01-01T00:59:59+01:00"),
        ("1234", "2038-01-19T03:14:07Z", "2038-01-19T03:14:08Z"),
    ],
)
def test_most_that_a_client_may_ask_for_follows_the_grammar(pin, starts, ends):
    [body] = send(pin, starts, ends)
    assert follows("put-request", body)


@pytest.mark.parametrize(
    ("pin", "starts", "ends"),
    [
        ("123", None, None),
        ("1234567890123", None, None),
        ("", None, None),
        ("12a4", None, None),
        ("\u0661\u0662\u0663\u0664", None, None),
        ("-123", None, None),
        ("1234", "1999-12-31T23:59:59Z", "2099-12-31T23:59:59Z"),
        ("1234", "2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z"),
        ("1234", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
        ("1234", "2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
        ("1234", "2030-01-01T00:00:00Z", None),
    ],
)
def test_anything_beyond_is_refused_before_a_byte_is_made(pin, starts, ends):
    with pytest.raises(ApiError) as caught:
        send(pin, starts, ends)
    assert caught.value.status == 400
