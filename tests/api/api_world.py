"""A real server on a free port of the loopback, over a real database; the keypad's side is the test's."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from doorpad.api.app import create_app
from doorpad.api.keys import ApiKeys
from doorpad.api.server import Server
from doorpad.errors import BenchUnavailable
from doorpad.events.log import EventFeed
from doorpad.link.operations import SLOT_MAX, SlotRecord
from doorpad.store.database import Database
from doorpad.store.identity import device_id_for
from doorpad.store.schema import AccessCode, Device, Slot
from doorpad.sync import unsettled
from doorpad.sync.effects import Learned, apply_record
from doorpad.sync.passing import pass_time
from doorpad.sync.plan import Plan, plan
from doorpad.sync.strike import Strike
from doorpad.sync.timing import Timing
from doorpad_link.messages import ENABLED, FROM_KEYPAD, MANAGED

NOW_MS = 1_800_000_000_000  # 2027-01-15T08:00:00Z
NOW_S = NOW_MS // 1_000
HUB, KEYPAD, OTHER_HOST = 1, 0, 2  # makers of slots, as a keypad numbers them


@dataclass
class Wakes:
    """Notes which keypads the API wanted brought in step. All are in the configuration but those in `retired`.

    No keypad has a session.
    """

    database: Database
    now_ms: Callable[[], int]
    device_ids: list[str] = field(default_factory=list)
    retired: set[str] = field(default_factory=set)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    tried: list[str] = field(default_factory=list)

    def wake(self, device_id: str) -> None:
        self.device_ids.append(device_id)
        self.woken.set()

    def try_again(self, device_id: str) -> None:
        self.tried.append(device_id)
        self.wake(device_id)

    def move_strike(
        self, device_id: str, attempt_id: str, asked_at_ms: int, *, opens: bool
    ) -> "asyncio.Task[None]":
        strike = Strike(self.database, device_id, self.now_ms)
        return asyncio.create_task(strike.move(attempt_id, asked_at_ms, opens=opens))

    def keeps(self, device_id: str) -> bool:
        return device_id not in self.retired


@dataclass
class Hands:
    """A bench that notes what it was told, and then does what the test put in `then`."""

    available: bool = True
    done: list[tuple[str, str, object]] = field(default_factory=list)
    then: Callable[[], Awaitable[None]] | None = None

    async def press_keys(self, device_id: str, keys: str) -> None:
        await self._do("keys", device_id, keys)

    async def set_cable(self, device_id: str, connected: bool) -> None:
        await self._do("cable", device_id, connected)

    async def program_code(self, device_id: str, code: str) -> None:
        await self._do("program", device_id, code)

    async def _do(self, what: str, device_id: str, value: object) -> None:
        if not self.available:
            raise BenchUnavailable(device_id)
        self.done.append((what, device_id, value))
        if self.then is not None:
            await self.then()


class World:
    """The API and everything around it."""

    def __init__(self, database: Database, key: str, keys: ApiKeys, *, private_webhooks: bool = True) -> None:
        self.database = database
        self.key = key
        self.keys = keys
        self.now_ms = NOW_MS
        self.timing = Timing()
        self.wakes = Wakes(database, lambda: self.now_ms)
        self.hands = Hands()
        self.feed = EventFeed(database)
        self.server = Server(
            create_app(
                database=database,
                keys=keys,
                changes=self.wakes,
                bench=self.hands,
                now_ms=lambda: self.now_ms,
                feed=self.feed,
                private_webhooks=private_webhooks,
            )
        )

    async def add_device(self, serial: str = "00112233445566aa", **fields: Any) -> str:
        row = {
            "device_id": device_id_for(serial),
            "serial": serial,
            "name": f"Keypad {serial[-4:]}",
            "simulated": True,
            "created_at_ms": NOW_MS - 60_000,
            "link_state": "online",
            "link_changed_at_ms": NOW_MS - 50_000,
            "capacity": 30,
            "maker": HUB,
        }
        async with self.database.write() as session:
            session.add(Device(**row | fields))
        return device_id_for(serial)

    async def add_code(self, device_id: str, access_code_id: str, **fields: Any) -> str:
        row = {
            "access_code_id": access_code_id,
            "device_id": device_id,
            "managed": True,
            "code": "4711",
            "created_at_ms": NOW_MS,
            "asked_at_ms": NOW_MS,
        }
        async with self.database.write() as session:
            session.add(AccessCode(**row | fields))
        return access_code_id

    async def put_on_keypad(self, access_code_id: str, slot: int) -> None:
        """What the synchronisation does once the keypad has acknowledged the code, or told of one made there."""
        async with self.database.write() as session:
            code = await session.get_one(AccessCode, access_code_id)
            code.slot = slot
            session.add(
                Slot(
                    device_id=code.device_id,
                    slot=slot,
                    version=slot + 100,
                    flags=MANAGED | ENABLED if code.managed else ENABLED | FROM_KEYPAD,
                    code=code.code,
                    from_s=code.starts_at_s,
                    until_s=code.ends_at_s,
                    op_id="00" * 8,
                    access_code_id=access_code_id if code.managed else None,
                    maker=HUB if code.managed else KEYPAD,
                )
            )

    async def planned(self, device_id: str) -> Plan:
        """What the synchronisation would do at the keypad now."""
        async with self.database.write() as session:
            device = await session.get_one(Device, device_id)
            now_s, capacity = self.now_ms // 1_000, device.capacity or 0
            found = await unsettled.read(session, device_id, capacity, now_s, 16, frozenset())
            return plan(
                found.codes,
                found.held,
                orphans=found.orphans,
                used=found.used,
                capacity=capacity,
                slot_max=SLOT_MAX,
                now_s=now_s,
                ahead_s=int(self.timing.set_ahead_s),
            )

    async def pass_time(self, device_id: str, until_ms: int) -> None:
        """Move the clock, and do what the synchronisation does then while the keypad is away."""
        self.now_ms = until_ms
        async with self.database.write() as session:
            await pass_time(session, device_id, until_ms, self.timing, may_finish=False)

    async def keypad_shows(
        self, device_id: str, slot: int, *, maker: int, made_anew: bool = False, **fields: Any
    ) -> None:
        """What the synchronisation does when it reads a changed slot; without `code` the slot is empty.

        Args:
            maker: who changed it: `HUB`, or another hand.
            made_anew: the journal says that the slot was empty before.
            fields: of the record; `op_id`, if it is not that of a new change.
        """
        async with self.database.write() as session:
            device = await session.get_one(Device, device_id)
            device.table_epoch = "ab"
            device.generation += 200
            op_id, flags = (f"{device.generation:016x}", 3) if "code" in fields else (None, 0)
            row: dict[str, Any] = {"op_id": op_id, "flags": flags, "access_code_id": None}
            row |= {"code": None, "from_s": None, "until_s": None} | fields
            record = SlotRecord(slot=slot, version=device.generation, maker=maker, **row)
            happened_ms = {(slot, record.version): self.now_ms} if made_anew else {}
            await apply_record(session, device, record, Learned(self.now_ms, HUB, happened_ms))

    async def code(self, access_code_id: str) -> AccessCode | None:
        async with self.database.read() as session:
            return await session.get(AccessCode, access_code_id)

    async def change(self, access_code_id: str, **fields: Any) -> None:
        async with self.database.write() as session:
            code = await session.get_one(AccessCode, access_code_id)
            for name, value in fields.items():
                setattr(code, name, value)


def check_refused(response: httpx.Response, status: int, type_: str, *fields: str) -> Mapping[str, Any]:
    """The contract of every refusal: the envelope, exactly, with the findings of these fields.

    Returns:
        The error, for what a test wants to know beyond.
    """
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/json")
    body = response.json()
    assert body.keys() == {"error", "ok"}
    assert body["ok"] is False
    error = body["error"]
    expected = {"type", "message", "data", "request_id"}
    if type_ == "invalid_input":
        expected.add("validation_errors")
        findings = error["validation_errors"]
        assert findings.keys() == {"_errors", *fields}
        assert findings["_errors"] if not fields else all(findings[name]["_errors"] for name in fields)
        assert all(name in error["message"] for name in fields)
    assert error.keys() == expected
    assert error["type"] == type_
    assert error["message"]
    assert error["request_id"] == response.headers["seam-request-id"]
    return error
