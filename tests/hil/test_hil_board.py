"""What a keypad notices about itself and around its door, as far as the hub sees it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hil_world import World, running


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("board"), timing="poll_s = 0.5\noffline_s = 1.0") as world:
        yield world


def device(world: World) -> dict[str, object]:
    """Our own fields of the device, which the SDK's objects leave out."""
    answer = world.seam.client.post("/devices/get", json={"device_id": world.device_id})
    fields: dict[str, object] = answer["device"]["doorpad"]
    return fields


def folder(world: World) -> Path:
    """Where the emulated keypad's flash, NVS and files are."""
    [found] = (world.data / "keypads").glob("*/flash.bin")
    return found.parent


def test_keypad_that_lost_a_copy_of_its_identity_is_told_until_its_next_start(world: World) -> None:
    assert device(world)["health"] == []
    copy = folder(world) / "nvs-doorpad" / "identity"
    before = copy.read_bytes()
    with world.keypad.bench() as bench:
        for health in (["identity_restored"], []):
            mark = world.bridge.mark()
            bench.ask(power="off")
            world.bridge.link("offline", world.device_id, after=mark)
            if health:
                copy.unlink()
            bench.ask(power="on")
            world.bridge.link("online", world.device_id, after=mark)
            assert device(world)["health"] == health
            assert copy.read_bytes() == before
