"""Cables that are pulled or cut inside, and tables that are too small: what the API says, and that it heals."""

from collections.abc import Iterator

import pytest
from hil_world import World, running

FAST = "offline_s = 1.0\npoll_s = 0.2\nhandshake_s = 1.0"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("links"), keypads=2, timing=FAST) as world:
        yield world


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("small"), "--slots", "3", timing=FAST) as world:
        yield world


@pytest.mark.parametrize(
    ("cable", "state", "error_code"),
    [("out", "disconnected", "device_disconnected"), ("silent", "offline", "device_offline")],
)
def test_keypad_that_cannot_be_reached_is_told_and_caught_up_with(
    world: World, cable: str, state: str, error_code: str
) -> None:
    seam, other = world.seam, world.keypads[1]
    held = world.create(code={"out": "482913", "silent": "482914"}[cable])
    mark = world.bridge.mark()
    with world.keypad.bench() as bench:
        bench.ask(cable=cable)
        world.bridge.link(state, world.device_id, after=mark)
        device = seam.devices.get(device_id=world.device_id)
        assert not device.properties.online
        assert [(it.error_code, it.is_device_error) for it in device.errors] == [(error_code, True)]
        code = seam.access_codes.get(access_code_id=held)
        assert code.status == "set"  # the keypad holds it whether we can see it or not
        assert [(it.error_code, it.is_device_error) for it in code.errors] == [(error_code, True)]
        assert seam.devices.get(device_id=other.device_id).properties.online
        world.bridge.event("device.disconnected", after=mark)
        waiting = seam.access_codes.create(
            device_id=world.device_id, code={"out": "591024", "silent": "591025"}[cable]
        )
        assert waiting.status == "setting"
        elsewhere = seam.access_codes.create(device_id=other.device_id, code=waiting.code)
        world.bridge.event("access_code.set_on_device", elsewhere.access_code_id)
        # Set is what the keypad has acknowledged, and nothing else.
        assert seam.access_codes.get(access_code_id=waiting.access_code_id).status == "setting"
        assert world.event_types(waiting.access_code_id) == ["access_code.created"]
        assert not bench.opens(waiting.code)
        mark = world.bridge.mark()
        bench.ask(cable="in")
        world.bridge.link("online", world.device_id, after=mark)
        world.bridge.event("device.connected", after=mark)
        world.bridge.event("access_code.set_on_device", waiting.access_code_id)
        code = seam.access_codes.get(access_code_id=waiting.access_code_id)
        assert (code.status, code.errors) == ("set", [])
        assert bench.opens(waiting.code)
        device = seam.devices.get(device_id=world.device_id)
        assert device.properties.online and device.errors == []


def test_cable_can_be_pulled_and_plugged_through_the_api(world: World) -> None:
    mark = world.bridge.mark()
    world.seam.devices.simulate.disconnect(device_id=world.device_id)
    world.bridge.link("disconnected", world.device_id, after=mark)
    assert not world.seam.devices.get(device_id=world.device_id).properties.online
    world.seam.devices.simulate.connect(device_id=world.device_id)
    world.bridge.link("online", world.device_id, after=mark)
    assert world.seam.devices.get(device_id=world.device_id).properties.online


def test_code_made_at_the_keypad_while_it_was_away_stands_in_the_way_until_it_is_deleted(
    world: World,
) -> None:
    seam = world.seam
    mark = world.bridge.mark()
    with world.keypad.bench() as bench:
        bench.ask(cable="out")
        world.bridge.link("disconnected", world.device_id, after=mark)
        bench.ask(program="5823")
        code = seam.access_codes.create(device_id=world.device_id, code="5823")  # nobody here can know yet
        bench.ask(cable="in")
        failed = world.bridge.event("access_code.failed_to_set_on_device", code.access_code_id)
        assert failed["error_code"] == "duplicate_code_on_device"
        waiting = seam.access_codes.get(access_code_id=code.access_code_id)
        assert waiting.status == "setting"
        (unmanaged,) = seam.access_codes.unmanaged.list(device_id=world.device_id)
        assert unmanaged.code == "5823"
        (error,) = waiting.errors
        assert (error.error_code, error.is_access_code_error) == ("duplicate_code_on_device", True)
        assert bench.opens("5823")
        seam.access_codes.unmanaged.delete(access_code_id=unmanaged.access_code_id)
        world.bridge.event("access_code.set_on_device", code.access_code_id)
        now = seam.access_codes.get(access_code_id=code.access_code_id)
        assert (now.status, now.errors) == ("set", [])
        assert seam.access_codes.unmanaged.list(device_id=world.device_id) == []
        mark = world.bridge.mark()
        assert bench.opens("5823")
        world.bridge.event("lock.unlocked", code.access_code_id, after=mark)  # now ours


def test_code_that_finds_no_slot_is_told_and_takes_the_first_that_frees(small: World) -> None:
    seam = small.seam
    assert seam.devices.get(device_id=small.device_id).properties.max_active_codes_supported == 3
    held = [small.create(code=code) for code in ("482913", "591024", "736450")]
    fourth = seam.access_codes.create(device_id=small.device_id, code="864213")
    failed = small.bridge.event("access_code.failed_to_set_on_device", fourth.access_code_id)
    assert failed["error_code"] == "no_space_for_access_code_on_device"
    waiting = seam.access_codes.get(access_code_id=fourth.access_code_id)
    assert waiting.status == "setting"
    assert [it.error_code for it in waiting.errors] == ["no_space_for_access_code_on_device"]
    assert [seam.access_codes.get(access_code_id=it).status for it in held] == ["set"] * 3
    seam.access_codes.delete(access_code_id=held[1])
    small.bridge.event("access_code.set_on_device", fourth.access_code_id)
    now = seam.access_codes.get(access_code_id=fourth.access_code_id)
    assert (now.status, now.errors) == ("set", [])
    with small.keypad.bench() as bench:
        assert bench.opens("864213")
        assert not bench.opens("591024")
    assert small.event_types(fourth.access_code_id).count("access_code.failed_to_set_on_device") == 1
