"""The keypad's clock as a client of the API sees it: how far off it may be, and that it has none."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hil_world import World, running

WARNING = "device_communication_degraded"
DAY_S = 86_400


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("clock"), timing="poll_s = 0.2") as world:
        yield world


def warnings(world: World) -> list[str]:
    return [it.warning_code for it in world.seam.devices.get(device_id=world.device_id).warnings]


def text(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat()


def test_clock_that_no_hub_can_set_is_warned_of_while_codes_have_windows(world: World) -> None:
    clock = world.own_fields()["clock"]
    assert (clock["set_by"], world.own_fields()["clock_trusted"]) == ("hub", True)
    assert 0 < clock["error_s"] < 2  # half of the way there and back, on a busy machine
    assert clock["drift_ppm_min"] < 0 < clock["drift_ppm_max"]
    now_s = time.time()
    bound = world.create(code="482913", starts_at=text(now_s - 60), ends_at=text(now_s + 3600))
    assert warnings(world) == []
    with world.keypad.bench() as bench:
        mark = world.bridge.mark()
        bench.ask(skew_s=DAY_S)
        assert not bench.opens("0000")  # now the journal has seen tomorrow
        world.bridge.event("lock.access_denied", after=mark)
        bench.ask(power="off")
        bench.ask(power="on")
        mark = world.bridge.mark()
        assert not bench.opens("482913")
        world.bridge.event("lock.access_denied", bound, after=mark)
    assert not world.own_fields()["clock_trusted"]
    assert world.own_fields()["clock"]["error_s"] is None
    assert warnings(world) == [WARNING]
    [warning] = world.seam.devices.get(device_id=world.device_id).warnings
    assert "set the hub's own clock right" in warning.message
    assert "has seen a later time than this hub's" in world.said
    world.seam.access_codes.delete(access_code_id=bound)
    world.bridge.event("access_code.deleted", bound)
    world.create(code="591024")  # the look after which nothing has a window
    assert warnings(world) == []


def test_keypad_with_a_clock_chip_opens_by_the_window_after_a_cold_boot_without_its_hub(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    new_chip = {
        "registers": [0] * 14 + [0x1C, 0x88, 0, 0, 0],  # as after its first power-up
        "at_ms": time.time_ns() // 1_000_000,
        "battery": True,
        "stuck": 0,
        "drift_ppb": 0,
    }
    with running(tmp_path_factory.mktemp("chip"), timing="poll_s = 0.2") as world:
        now_s = time.time()
        world.create(code="482913", starts_at=text(now_s - 60), ends_at=text(now_s + 3600))
        world.bridge.kill()
        with world.keypad.bench() as bench:
            bench.ask(power="off")
            (world.folder / "clock_chip.json").write_text(json.dumps(new_chip))
            settings = json.loads((world.folder / "config.json").read_text())
            (world.folder / "config.json").write_text(json.dumps(settings | {"clock_chip": 1}))
            bench.ask(power="on")
            world.start_bridge()  # the hub sets the clock, and the clock its chip
            assert world.own_fields()["health"] == ["clock_chip"]  # a new one has no time
            world.bridge.kill()
            bench.ask(power="off")
            bench.ask(power="on")
            assert bench.opens("482913")
            world.start_bridge()
            world.bridge.event("lock.unlocked")
            assert (world.own_fields()["clock_trusted"], world.own_fields()["health"]) == (True, [])
            world.bridge.kill()
            bench.ask(power="off")
            chip = json.loads((world.folder / "clock_chip.json").read_text())
            (world.folder / "clock_chip.json").write_text(json.dumps(chip | {"battery": False}))
            bench.ask(power="on")
            assert not bench.opens("482913")
            world.start_bridge()
            assert world.own_fields()["health"] == ["clock_chip"]
