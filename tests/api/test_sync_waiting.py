"""Codes that wait for a slot: what a plan costs and sees, however many there are. The clock is the test's."""

import random
from typing import Any, cast

from api_world import NOW_MS, NOW_S, World
from doorpad.link.connection import Connection
from doorpad.store.schema import AccessCode, CodeError, Event, Slot
from doorpad.sync import unsettled
from doorpad.sync.breaker import Breaker
from doorpad.sync.converging import Converger
from doorpad.sync.passing import pass_time
from doorpad.sync.reading import Reader
from doorpad.sync.refusals import Refusals
from seam import AsyncSeam
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

CAPACITY, STEP = 100, 224
HOUR_S = 3_600
NO_SPACE = "no_space_for_access_code_on_device"


def code(number: int, device_id: str, **fields: Any) -> AccessCode:
    row = {
        "access_code_id": f"00000000-0000-4000-8000-{number:012}",
        "device_id": device_id,
        "managed": True,
        "code": f"{number:06}",
        "created_at_ms": NOW_MS - 1_000_000 + number,
        "asked_at_ms": NOW_MS,
    }
    return AccessCode(**row | fields)


def hour(number: int) -> dict[str, int]:
    return {"starts_at_s": NOW_S + number * HOUR_S, "ends_at_s": NOW_S + (number + 1) * HOUR_S}


def on_keypad(code: AccessCode, slot: int) -> Slot:
    code.slot, code.announced = slot, "scheduled"
    return Slot(
        device_id=code.device_id,
        slot=slot,
        version=slot,
        flags=3,
        code=code.code,
        from_s=code.starts_at_s,
        until_s=code.ends_at_s,
        op_id="00" * 8,
        access_code_id=code.access_code_id,
        maker=1,
    )


class Steps:
    """Counts what SQLite's virtual machine does for a session: the same on every machine."""

    EACH = 50

    def __init__(self) -> None:
        self.count = 0

    async def of(self, session: AsyncSession) -> None:
        raw: Any = await (await session.connection()).get_raw_connection()
        raw.dbapi_connection.set_progress_handler(self._step, self.EACH)

    def _step(self) -> int:
        self.count += self.EACH
        return 0


async def cost(world: World, device_id: str, first: int, bookings: int) -> tuple[int, int]:
    """SQLite's steps for a plan and for a look at the clock, with slots for the first ones of so many bookings."""
    async with world.database.write() as session:
        codes = [code(first + n, device_id, **hour(n + 2)) for n in range(bookings)]
        random.Random(7).shuffle(codes)
        session.add_all(codes)
        await session.flush()
        session.add_all(
            on_keypad(it, slot) for slot, it in enumerate(sorted(codes, key=_start)[:CAPACITY], 1)
        )
    steps = Steps()
    async with world.database.read() as session:
        await steps.of(session)
        found = await unsettled.read(session, device_id, CAPACITY, NOW_S, STEP, frozenset())
        assert len(found.codes) <= CAPACITY + STEP
    planned, steps.count = steps.count, 0
    async with world.database.write() as session:
        await steps.of(session)
        await pass_time(session, device_id, NOW_MS, world.timing, may_finish=False)
    return planned, steps.count


def _start(code: AccessCode) -> int:
    assert code.starts_at_s is not None
    return code.starts_at_s


async def test_plan_and_clock_cost_the_same_among_one_thousand_and_among_ten_thousand_bookings(
    world: World,
) -> None:
    few = await cost(world, await world.add_device("00112233445566a1"), 0, 1_000)
    many = await cost(world, await world.add_device("00112233445566a2"), 1_000, 10_000)
    assert min(few) > 0
    assert many[0] <= 1.3 * few[0]
    assert many[1] <= 1.3 * few[1]


async def test_guest_who_comes_each_week_with_one_pin_leaves_the_slots_to_others(
    world: World, device_id: str
) -> None:
    weekly = [code(n, device_id, code="4711", **hour(n * 168 - 1)) for n in range(300)]
    other = code(300, device_id, **hour(300 * 168))
    async with world.database.write() as session:
        session.add_all([*weekly, other])
        await session.flush()
        session.add(on_keypad(weekly[0], 1))
    async with world.database.read() as session:
        found = await unsettled.read(session, device_id, CAPACITY, NOW_S, 10, frozenset())
    waiting = {it.access_code_id for it in found.codes} - {weekly[0].access_code_id}
    assert waiting == {other.access_code_id}


async def test_of_the_codes_that_wait_those_that_begin_first_are_seen(world: World, device_id: str) -> None:
    async with world.database.write() as session:
        session.add_all(code(n, device_id, **hour(50 - n)) for n in range(50))
        session.add(code(50, device_id))  # ongoing
    async with world.database.read() as session:
        found = await unsettled.read(session, device_id, CAPACITY, NOW_S + HOUR_S, 3, frozenset())
    assert {int(it.access_code_id[-12:]) for it in found.codes} == {50, 49, 48}


async def test_every_one_of_many_due_codes_without_space_is_told_of_once(
    world: World, device_id: str
) -> None:
    """The table is full: nothing is written, so no keypad is needed to find that out."""
    count = 2 * STEP + 10
    async with world.database.write() as session:
        there = code(0, device_id)
        session.add(there)
        session.add_all(code(n, device_id) for n in range(1, count + 1))
        await session.flush()
        session.add(on_keypad(there, 1))
        there.announced = "set"
    nowhere = cast(Connection, None)
    reader = Reader(world.database, device_id, 1, lambda: world.now_ms, world.timing)
    converger = Converger(
        world.database,
        device_id,
        nowhere,
        reader,
        1,
        Refusals(),
        Breaker(),
        lambda: world.now_ms,
        world.timing,
    )
    for _ in range(2):
        await converger.converge()
        async with world.database.read() as session:
            errors = (await session.scalars(select(CodeError.error_code))).all()
            events = (await session.scalars(select(Event.event_type))).all()
        assert errors == [NO_SPACE] * count
        assert events == ["access_code.failed_to_set_on_device"] * count


async def test_end_of_a_code_that_never_had_space_ends_its_error_too(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    code_id = await world.add_code(device_id, "00000000-0000-4000-8000-000000000001", **hour(0))
    async with world.database.write() as session:
        session.add(
            CodeError(
                access_code_id=code_id, error_code=NO_SPACE, created_at_ms=NOW_MS, message="-", detail={}
            )
        )
    assert [it.error_code for it in (await seam.access_codes.get(access_code_id=code_id)).errors] == [
        NO_SPACE
    ]
    world.now_ms = NOW_MS + HOUR_S * 1_000
    over = await seam.access_codes.get(access_code_id=code_id)
    assert (over.display_status, over.errors) == ("Expired", [])
