"""Many more bookings than slots, on the real firmware: the next ones due hold the slots, as the days go by."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import pytest
from doorpad.store.database import Database
from doorpad.store.schema import AccessCode
from hil_world import World, running
from seam import SeamHttpApiError

HOUR_S = 3_600
FOLLOWING = "poll_s = 0.5\nclock_s = 0.001"  # the keypad is told the time at each look


def booking_id(number: int) -> str:
    return str(UUID(int=0x4000_8000_0000_0000_0000 << 48 | number, version=4))


def book(world: World, device_id: str, count: int, first_s: int) -> None:
    """Bookings of an hour each, one after the other, as the API leaves them; made in no order of their own."""

    async def write() -> None:
        database = await Database.open(world.data)
        async with database.write() as session:
            session.add_all(
                AccessCode(
                    access_code_id=booking_id(number),
                    device_id=device_id,
                    managed=True,
                    name=f"Booking {number}",
                    code=f"{300_000 + number}",
                    starts_at_s=first_s + number * HOUR_S,
                    ends_at_s=first_s + (number + 1) * HOUR_S,
                    created_at_ms=(first_s + number * 7_919 % count) * 1_000,
                    asked_at_ms=first_s * 1_000,
                )
                for number in range(count)
            )
        await database.close()

    asyncio.run(write())


def held(world: World) -> dict[int, str]:
    """Number and status of the bookings that have a slot, as the API shows them. None may have an error."""
    codes = world.seam.client.post("/access_codes/list", json={"device_id": world.device_id})["access_codes"]
    troubled = [code for code in codes if code["errors"] or code["warnings"]]
    assert not troubled, troubled[:3]
    return {
        UUID(code["access_code_id"]).int & 0xFFFF_FFFF: code["status"]
        for code in codes
        if code["doorpad"]["slot"] is not None
    }


@pytest.fixture(scope="module")
def slots(long: bool) -> int:
    return 100 if long else 5


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, slots: int) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("scarce"), "--slots", str(slots), timing=FOLLOWING) as world:
        yield world


def window(world: World, from_min: int, until_min: int) -> dict[str, str]:
    now_s = world.clock.now_s()
    starts_at, ends_at = (
        datetime.fromtimestamp(now_s + minutes * 60, UTC).isoformat() for minutes in (from_min, until_min)
    )
    return {"starts_at": starts_at, "ends_at": ends_at}


def test_one_pin_opens_for_two_bookings_whichever_was_made_first(world: World) -> None:
    book_pin = partial(world.seam.access_codes.create, device_id=world.device_id, code="481516")
    later = book_pin(**window(world, 120, 180)).access_code_id
    world.bridge.event("access_code.scheduled_on_device", later)
    now = book_pin(**window(world, -1, 60)).access_code_id
    world.bridge.event("access_code.set_on_device", now)
    with pytest.raises(SeamHttpApiError) as refused:
        book_pin(**window(world, 59, 61))
    assert (refused.value.status_code, refused.value.code) == (409, "duplicate_access_code")
    assert refused.value.data == {"access_code_id": now}
    with world.keypad.bench() as bench:
        assert bench.opens("481516")
        world.clock.move(3_600)
        world.bridge.event("access_code.removed_from_device", now)
        mark = world.bridge.mark()
        assert not bench.opens("481516")
        world.clock.move(7_200)
        world.bridge.event("access_code.set_on_device", later, after=mark)
        assert bench.opens("481516")
    for code_id in (now, later):
        code = world.seam.access_codes.get(access_code_id=code_id)
        assert (code.errors, code.warnings) == ([], [])
        assert "access_code.failed_to_set_on_device" not in world.event_types(code_id)
        world.seam.access_codes.delete(access_code_id=code_id)
    world.bridge.event("access_code.deleted", later)


def test_code_without_space_says_so_and_gets_the_next_slot_that_is_free(world: World, slots: int) -> None:
    holders = [world.create(code=f"94{number:02}27") for number in range(slots)]
    waits = world.seam.access_codes.create(device_id=world.device_id, code="582934").access_code_id
    failed = world.bridge.event("access_code.failed_to_set_on_device", waits)
    assert failed["error_code"] == "no_space_for_access_code_on_device"
    (error,) = world.seam.access_codes.get(access_code_id=waits).errors
    assert (error.error_code, error.is_access_code_error) == ("no_space_for_access_code_on_device", True)
    later = world.seam.access_codes.create(
        device_id=world.device_id, code="582935", **window(world, 60, 120)
    ).access_code_id
    mark = world.bridge.mark()
    world.seam.access_codes.delete(access_code_id=holders.pop())
    world.bridge.event("access_code.set_on_device", waits, after=mark)
    assert world.seam.access_codes.get(access_code_id=waits).errors == []
    assert world.seam.access_codes.get(access_code_id=later).errors == [], "it is not due"
    with world.keypad.bench() as bench:
        assert bench.opens("582934")
    for code_id in (*holders, waits, later):
        world.seam.access_codes.delete(access_code_id=code_id)
        world.bridge.event("access_code.deleted", code_id)


def test_many_more_bookings_than_slots_pass_by_without_an_error(world: World, slots: int, long: bool) -> None:
    """The last one: it leaves the keypad full and alone."""
    bookings = 10_000 if long else 500
    ahead_s = world.clock.ahead_s
    assert world.bridge.stop() == 0
    first_s = world.clock.now_s() - 60
    book(world, world.device_id, bookings, first_s)
    world.start_bridge()
    world.bridge.event("access_code.set_on_device", booking_id(0))
    world.bridge.event("access_code.scheduled_on_device", booking_id(slots - 1))
    assert held(world) == {number: "set" if number == 0 else "unset" for number in range(slots)}
    passed = 0
    with world.keypad.bench() as bench:
        assert bench.opens("300000")
        for hours in (1, slots - 1, slots):  # one ends; all but one do; and all that were there
            passed += hours
            world.clock.move(ahead_s + passed * HOUR_S)
            world.bridge.event("access_code.set_on_device", booking_id(passed))
            world.bridge.event("access_code.scheduled_on_device", booking_id(passed + slots - 1))
            assert held(world) == {
                number: "set" if number == passed else "unset" for number in range(passed, passed + slots)
            }
            waits = world.seam.access_codes.get(access_code_id=booking_id(passed + slots))
            assert (waits.status, waits.is_scheduled_on_device) == ("unset", False)
            assert [it.mutation_code for it in waits.pending_mutations] == ["deferring_creation"]
            assert bench.opens(f"{300_000 + passed}")
            assert not bench.opens(f"{300_000 + passed - 1}"), "it has ended"
        # With the cable out the keypad goes on alone, with what it holds.
        world.seam.devices.simulate.disconnect(device_id=world.device_id)
        assert not bench.opens(f"{300_000 + passed + 1}"), "it has not begun"
        bench.ask(skew_s=HOUR_S)
        assert bench.opens(f"{300_000 + passed + 1}")
