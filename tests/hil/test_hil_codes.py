"""The life of access codes, from the official SDK to the flash of the keypad and back to its keys."""

from datetime import UTC, datetime, timedelta

import pytest
from hil_world import World
from seam import SeamHttpApiError

STRIKE_MS = 150


def in_hours(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


@pytest.fixture(scope="module")
def world(shared: World) -> World:
    return shared


def test_device_shows_what_the_keypad_told(world: World) -> None:
    (listed,) = world.seam.devices.list()
    device = world.seam.devices.get(device_id=world.device_id)
    assert listed == device
    assert device.properties.online
    assert device.errors == []
    assert device.properties.supported_code_lengths == [4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert device.properties.max_active_codes_supported == 4096
    assert (device.display_name, device.properties.serial_number) == (world.keypad.name, world.keypad.serial)
    assert device.can_program_online_access_codes and device.can_remotely_unlock


@pytest.mark.parametrize(
    ("code", "window", "before", "after"),
    [
        ("1357", {}, "setting", "set"),
        ("135790246813", {"starts_at": in_hours(-1), "ends_at": in_hours(1)}, "setting", "set"),
        ("24681", {"starts_at": in_hours(1), "ends_at": in_hours(2)}, "unset", "unset"),
    ],
    ids=["ongoing", "within its window", "ahead of its window"],
)
def test_created_code_reaches_the_keypad(
    world: World, code: str, window: dict[str, str], before: str, after: str
) -> None:
    created = world.seam.access_codes.create(device_id=world.device_id, name="Ann", code=code, **window)
    assert created.status == before
    assert created.type == ("time_bound" if window else "ongoing")
    done = "access_code.set_on_device" if after == "set" else "access_code.scheduled_on_device"
    world.bridge.event(done, created.access_code_id)
    code_now = world.seam.access_codes.get(access_code_id=created.access_code_id)
    assert (code_now.status, code_now.is_scheduled_on_device) == (after, after == "unset")
    assert (code_now.name, code_now.code, code_now.errors) == ("Ann", code, [])
    assert code_now in world.seam.access_codes.list(device_id=world.device_id)
    with world.keypad.bench() as bench:
        assert bench.opens(code) == (after == "set")


def test_code_that_is_set_survives_a_power_cut_right_after(world: World) -> None:
    with world.keypad.bench() as bench:
        code_id = world.create(code="975310")
        mark = world.bridge.mark()
        bench.ask(power="off")
        bench.ask(power="on")
        assert bench.opens("975310")  # an ongoing code needs no clock, and thus no hub
        world.bridge.event("lock.unlocked", code_id, after=mark)
        assert world.seam.access_codes.get(access_code_id=code_id).status == "set"
        assert world.event_types(code_id).count("access_code.set_on_device") == 1


def test_updated_code_replaces_the_old_pin_and_window_in_its_slot(world: World) -> None:
    code_id = world.create(code="112358", name="Ann")
    slot = world.place(code_id)["slot"]
    mark = world.bridge.mark()
    world.seam.access_codes.update(access_code_id=code_id, code="813213", name="Bea")
    world.bridge.event("access_code.set_on_device", code_id, after=mark)
    code = world.seam.access_codes.get(access_code_id=code_id)
    assert (code.code, code.name, code.status) == ("813213", "Bea", "set")
    assert world.place(code_id)["slot"] == slot
    with world.keypad.bench() as bench:
        assert not bench.opens("112358")
        assert bench.opens("813213")
        world.seam.access_codes.update(
            access_code_id=code_id, starts_at=in_hours(2), ends_at=in_hours(3), type="time_bound"
        )
        world.bridge.event("access_code.scheduled_on_device", code_id)
        assert not bench.opens("813213")
    assert world.seam.access_codes.get(access_code_id=code_id).is_scheduled_on_device


def test_name_costs_no_write_to_flash_and_pin_with_window_one(world: World) -> None:
    code_id = world.create(code="271828", name="Ann")
    place, generation = world.place(code_id), world.own_fields()["generation"]
    with world.keypad.bench() as bench:
        operations = bench.ask(flash=True)["operations"]
        world.seam.access_codes.update(access_code_id=code_id, name="Zoë")
        code = world.seam.access_codes.get(access_code_id=code_id)
        assert (code.name, code.status) == ("Zoë", "set")
        assert world.place(code_id) == place
        assert bench.ask(flash=True)["operations"] == operations
        mark = world.bridge.mark()
        window = {"starts_at": in_hours(-1), "ends_at": in_hours(1)}
        world.seam.access_codes.update(access_code_id=code_id, code="281827", type="time_bound", **window)
        world.bridge.event("access_code.set_on_device", code_id, after=mark)
        assert bench.ask(flash=True)["operations"] > operations
        # Of all slots: that of the name would be among them, had it been written after all.
        assert world.own_fields()["generation"] == generation + 1
        assert world.place(code_id)["slot"] == place["slot"]
        assert not bench.opens("271828")
        assert bench.opens("281827")


def test_deleted_code_is_gone_from_keypad_and_api(world: World) -> None:
    code_id = world.create(code="314159")
    with world.keypad.bench() as bench:
        assert bench.opens("314159")
        world.seam.access_codes.delete(access_code_id=code_id)
        world.bridge.event("access_code.deleted", code_id)
        assert not bench.opens("314159")
    with pytest.raises(SeamHttpApiError) as caught:
        world.seam.access_codes.get(access_code_id=code_id)
    assert (caught.value.status_code, caught.value.code) == (404, "access_code_not_found")
    listed = world.seam.access_codes.list(device_id=world.device_id)
    assert code_id not in {code.access_code_id for code in listed}


def test_right_pin_drives_the_strike_for_its_time_and_is_told(world: World) -> None:
    code_id = world.create(code="161803")
    with world.keypad.bench() as bench:
        world.seam.locks.simulate.keypad_code_entry(device_id=world.device_id, code="161803")
        on = bench.see("strike", 1)
        off = bench.see("strike", 0, after=bench.outputs.index(on))
        # Whole milliseconds are cut off at both ends; a busy machine may run the pulse's end late, never early.
        assert STRIKE_MS - 1 <= off.ticks_ms - on.ticks_ms < 10 * STRIKE_MS
    world.bridge.event("lock.unlocked", code_id)
    (unlocked,) = world.events(event_type="lock.unlocked", access_code_id=code_id)
    assert (unlocked.device_id, unlocked.method) == (world.device_id, "keycode")


@pytest.mark.parametrize(
    ("window", "code", "reason"),
    [(None, "606060", "unknown_code"), ((1, 2), "577215", "credential_error")],
    ids=["unknown", "before its window"],
)
def test_refused_pin_never_drives_the_strike_and_is_told(
    world: World, window: tuple[float, float] | None, code: str, reason: str
) -> None:
    code_id = None
    if window is not None:
        created = world.seam.access_codes.create(
            device_id=world.device_id, code=code, starts_at=in_hours(window[0]), ends_at=in_hours(window[1])
        )
        code_id = created.access_code_id
        world.bridge.event("access_code.scheduled_on_device", code_id)
    mark = world.bridge.mark()
    with world.keypad.bench() as bench:
        attempt = world.seam.locks.simulate.keypad_code_entry(device_id=world.device_id, code=code)
        assert attempt.status == "success"  # of the simulation: the keys were pressed
        denied = world.bridge.event("lock.access_denied", after=mark)
        bench.see("led_red", 1)
        assert [output for output in bench.outputs if output.name == "strike"] == []
    (event,) = world.events(event_ids=[denied["event_id"]])
    assert (event.event_type, event.device_id) == ("lock.access_denied", world.device_id)
    assert event.reason["reason_code"] == reason
    assert getattr(event, "access_code_id", None) == code_id


def test_second_code_with_a_pin_in_use_is_refused_at_once(world: World) -> None:
    code_id = world.create(code="662607")
    with pytest.raises(SeamHttpApiError) as caught:
        world.seam.access_codes.create(device_id=world.device_id, code="662607")
    assert (caught.value.status_code, caught.value.code) == (409, "duplicate_access_code")
    assert caught.value.data == {"access_code_id": code_id}
