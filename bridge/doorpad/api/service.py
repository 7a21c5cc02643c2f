"""What a request works with, and the table row that ties a path to its function."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import bindparam
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api.errors import not_found
from doorpad.events.log import EventFeed
from doorpad.store.database import Database
from doorpad.store.schema import Device
from doorpad.store.statements import Query

P = TypeVar("P", bound=msgspec.Struct)
Verb = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Reply = Mapping[str, object]

# Old SDKs POST everything; today's use the first of each pair. Both are served.
READ: tuple[Verb, ...] = ("GET", "POST")
CREATE: tuple[Verb, ...] = ("POST",)
CHANGE: tuple[Verb, ...] = ("PATCH", "POST")
REPLACE: tuple[Verb, ...] = ("PATCH", "POST", "PUT")
REMOVE: tuple[Verb, ...] = ("DELETE", "POST")


class Changes(Protocol):
    """Whoever brings keypads in step with the database."""

    def wake(self, device_id: str) -> None:
        """What the device shall hold has changed. Returns at once; called after the commit."""

    def try_again(self, device_id: str) -> None:
        """As `wake`, and write now what the device did not take before."""

    def move_strike(
        self, device_id: str, attempt_id: str, asked_at_ms: int, *, opens: bool
    ) -> "asyncio.Task[None]":
        """Open or close a door for an attempt that stands in the database; done when that is decided."""

    def keeps(self, device_id: str) -> bool:
        """Whether the hub is to serve this device, by its configuration."""


class Bench(Protocol):
    """The hands on emulated keypads. Each raises `BenchUnavailable` for a keypad that is not emulated."""

    async def press_keys(self, device_id: str, keys: str) -> None:
        """Press the keys (0 to 9, * and #) one after the other."""

    async def set_cable(self, device_id: str, connected: bool) -> None:
        """Plug the keypad's cable in, or pull it out."""

    async def program_code(self, device_id: str, code: str) -> None:
        """Press the keys of local programming that add `code` at the keypad."""


@dataclass(frozen=True, slots=True)
class Service:
    """Everything a path's function may use."""

    database: Database
    changes: Changes
    bench: Bench
    feed: EventFeed
    now_ms: Callable[[], int]
    private_webhooks: bool = False  # whether a webhook may be at an address that is not public


@dataclass(frozen=True, slots=True)
class Operation(Generic[P]):
    """One path: the verbs it answers to, its parameters, and the function that gives the reply's keys.

    `replies`: those keys and their types; `ok` comes on top.
    """

    path: str
    verbs: tuple[Verb, ...]
    params: type[P]
    run: Callable[[Service, P], Awaitable[Reply]]
    summary: str
    replies: Mapping[str, Any]
    # Verbs whose repetition within a minute does nothing more: its function notes what it did, and asks whether that
    # is done (repeats.py). Not for what sets a value: the same value, set again, may have been another meanwhile.
    once: tuple[Verb, ...] = ()
    # Of a reply made at a time, the time at which the clock alone will change it. None: it is made each time.
    lasts_until_ms: Callable[[Reply, int], int] | None = None


AnyOperation = Operation[Any]

_DEVICE = Query(Device, Device.device_id == bindparam("device_id"))


async def device_or_404(session: AsyncSession, device_id: UUID, *, managed: bool = True) -> Device:
    """The device, which is managed unless told otherwise. Raises ApiError 404 device_not_found."""
    device = await session.get(Device, str(device_id))
    if device is None or device.managed != managed:
        raise not_found("device", device_id)
    return device


def seen_device_or_404(session: AsyncSession, device_id: UUID) -> Device:
    """A managed device to look at and not to change. Raises ApiError 404 device_not_found."""
    device = _DEVICE.first(session, device_id=str(device_id))
    if device is None or not device.managed:
        raise not_found("device", device_id)
    return device
