"""Codes whose PIN a brand's lock makes up itself end if nobody opens with them within a day."""

from pathlib import Path

from condition_row import Door
from hil_world import running

DAY_S = 86_400


def test_one_that_is_not_used_within_a_day_opens_no_more(tmp_path: Path) -> None:
    with running(tmp_path, "--profile", "igloohome") as world:
        door = Door(world, world.keypad)
        used, unused, ordinary = (
            door.set_code(is_offline_access_code=offline) for offline in (True, True, False)
        )
        pins = {id_: door.of_code(id_)["code"] for id_ in (used, unused, ordinary)}
        with door.bench() as bench:
            assert bench.opens(pins[used])
            world.bridge.event("lock.unlocked", used)
            assert door.of_code(unused)["status"] == "set"
            world.clock.move(DAY_S + 1)
            door.wake()
            world.bridge.event("access_code.removed_from_device", unused)
            assert door.of_code(unused)["status"] == "unset"
            assert not bench.opens(pins[unused])
            for id_ in (used, ordinary):
                assert door.of_code(id_)["status"] == "set"
                assert bench.opens(pins[id_])


def test_one_that_was_used_while_the_hub_was_away_stays(tmp_path: Path) -> None:
    with running(tmp_path, "--profile", "igloohome") as world:
        door = Door(world, world.keypad)
        id_ = door.set_code(is_offline_access_code=True)
        pin = door.of_code(id_)["code"]
        with door.bench() as bench:
            with door.unplugged():
                assert bench.opens(pin)
                world.clock.move(DAY_S + 1)
            world.bridge.event("lock.unlocked", id_)
            assert door.of_code(id_)["status"] == "set"
            assert door.of_code(id_)["warnings"] == []
            assert bench.opens(pin)
