"""Spare codes on the real firmware: one that was pulled opens the door for a code that is not there."""

from collections.abc import Iterator
from typing import Any

import pytest
from doorpad.store.database import FILE_NAME
from hil_world import Bench, World, running
from seam import SeamHttpApiError
from spare_codes import HOUR_S, booking, full_pool, pull, unplugged, until

TIMING = "poll_s = 0.2\noffline_s = 1.0\nhandshake_s = 1.0\nclock_s = 0.001"
LEASE_S = 604_800


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("backup"), timing=TIMING) as world:
        yield world


@pytest.fixture
def bench(world: World) -> Iterator[Bench]:
    with world.keypad.bench() as bench:
        yield bench


def delete(world: World, *codes: Any) -> None:
    for code in codes:
        world.seam.access_codes.delete(access_code_id=code.access_code_id)
        world.bridge.event("access_code.deleted", code.access_code_id)


def refused(world: World, original: Any) -> str:
    with pytest.raises(SeamHttpApiError) as error:
        pull(world, original)
    assert (error.value.status_code, error.value.code) == (400, "no_backup_access_code_available")
    return str(error.value)


def test_pulled_code_opens_while_the_primary_is_not_there_and_ends_with_it(
    world: World, bench: Bench
) -> None:
    first = booking(world)
    spare = full_pool(world)
    with unplugged(world, bench):
        primary = booking(world)
        assert (primary.status, primary.is_backup_access_code_available) == ("setting", True)
        backup = pull(world, primary)
        assert spare[backup.access_code_id] == backup.code
        assert (backup.is_backup, backup.status, backup.type) == (True, "set", "time_bound")
        assert (backup.starts_at, backup.ends_at) == (primary.starts_at, primary.ends_at)
        assert bench.opens(backup.code)
        assert not bench.opens(primary.code)
        assert pull(world, primary).access_code_id == backup.access_code_id, "asked for again"
        primary = world.seam.access_codes.get(access_code_id=primary.access_code_id)
        assert primary.pulled_backup_access_code_id == backup.access_code_id
        assert not primary.is_backup_access_code_available
        (told,) = world.events(event_type="access_code.backup_access_code_pulled")
        assert (told.access_code_id, told.backup_access_code_id) == (
            primary.access_code_id,
            backup.access_code_id,
        )
    world.bridge.event("access_code.set_on_device", backup.access_code_id)
    listed = world.seam.access_codes.list(device_id=world.device_id)
    assert {it.access_code_id for it in listed} == {it.access_code_id for it in (first, primary, backup)}, (
        "spare ones are nobody's"
    )
    delete(world, primary)
    world.bridge.event("access_code.deleted", backup.access_code_id)
    assert not bench.opens(backup.code), "who takes the booking back takes both PINs back"
    assert full_pool(world).keys() > spare.keys() - {backup.access_code_id}, "one was made up"
    delete(world, first)


def test_backup_of_a_later_booking_does_not_open_before_it_begins(world: World, bench: Bench) -> None:
    later = booking(world, HOUR_S, 2 * HOUR_S)
    spare = full_pool(world)
    with unplugged(world, bench):
        later = world.seam.access_codes.get(access_code_id=later.access_code_id)
        assert not later.is_backup_access_code_available
        assert "begins only at" in refused(world, later), "the keypad cannot be told of the beginning"
    backup = pull(world, later)
    world.bridge.event("access_code.scheduled_on_device", backup.access_code_id)
    assert spare[backup.access_code_id] == backup.code
    assert not bench.opens(backup.code)
    delete(world, later)
    world.bridge.event("access_code.deleted", backup.access_code_id)


def test_spare_code_that_somebody_knows_is_thrown_away(world: World, bench: Bench) -> None:
    first = booking(world)
    by_id = full_pool(world)
    (entered_id, entered), (asked_id, asked), (taken_id, taken) = by_id.items()
    assert bench.opens(entered)
    bench.ask(unprogram=taken)
    with pytest.raises(SeamHttpApiError) as error:
        world.seam.access_codes.create(device_id=world.device_id, code=asked)
    assert (error.value.status_code, error.value.code) == (409, "duplicate_access_code")
    until(lambda: not by_id.keys() & full_pool(world).keys())
    assert not set(full_pool(world).values()) & set(by_id.values())
    assert not any(bench.opens(pin) for pin in (entered, asked, taken))
    assert world.event_types(taken_id) == world.event_types(asked_id) == []
    assert world.event_types(entered_id) == ["lock.unlocked"]
    delete(world, first)


def test_spare_codes_outlive_their_bridge(world: World, bench: Bench) -> None:
    first = booking(world)
    spare = full_pool(world)
    world.bridge.kill()
    world.start_bridge()
    assert full_pool(world) == spare
    delete(world, first)


def test_hub_that_lost_its_database_finds_its_spare_codes_and_those_that_were_pulled(
    world: World, bench: Bench
) -> None:
    primary = booking(world)
    world.bridge.event("access_code.set_on_device", primary.access_code_id)
    full_pool(world)
    backup = pull(world, primary)
    world.bridge.event("access_code.set_on_device", backup.access_code_id)
    spare = full_pool(world)
    world.bridge.kill()
    for file in world.data.glob(f"{FILE_NAME}*"):
        file.unlink()
    world.start_bridge()
    assert full_pool(world) == spare
    listed = world.seam.access_codes.list(device_id=world.device_id)
    assert {it.access_code_id for it in listed} == {primary.access_code_id, backup.access_code_id}
    assert pull(world, primary).access_code_id in spare, "the pool goes on"
    for code in world.seam.access_codes.list(device_id=world.device_id):
        delete(world, code)


def test_code_that_was_pulled_opens_to_the_end_of_its_lease_where_no_hub_can_tell_the_keypad(
    world: World, bench: Bench
) -> None:
    """The account is unpaid: the hub writes nothing, and still sets the clock, by which time passes at the door."""
    primary = booking(world, until_s=2 * LEASE_S)
    world.bridge.event("access_code.set_on_device", primary.access_code_id)
    full_pool(world)
    unpaid = {"device_id": world.device_id, "is_expired": True}
    world.seam.client.post("/devices/simulate/paid_subscription", json=unpaid)
    backup = pull(world, primary)
    assert bench.opens(backup.code)
    world.clock.move(LEASE_S + 1)
    until(lambda: not bench.opens(backup.code))
    assert bench.opens(primary.code)
    shown = world.seam.access_codes.get(access_code_id=backup.access_code_id)
    assert shown.status == "setting"
    device = world.seam.devices.get(device_id=world.device_id)
    assert "empty_backup_access_code_pool" in {it.error_code for it in device.errors}
    world.seam.client.post("/devices/simulate/paid_subscription", json=unpaid | {"is_expired": False})
    world.bridge.event("access_code.set_on_device", backup.access_code_id)
    assert bench.opens(backup.code)
    assert len(full_pool(world)) == 3
    delete(world, primary)
