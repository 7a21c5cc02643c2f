"""A database that does not tell what the keypad holds is found out by the digest, and put right."""

import sqlite3
from collections.abc import Iterator

import pytest
from hil_world import World, running


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("digest")) as world:
        yield world


def slots_of(world: World) -> list[tuple[int, int, str]]:
    with sqlite3.connect(world.data / "doorpad.sqlite3") as database:
        rows = database.execute("SELECT slot, version, code FROM slots ORDER BY slot")
        return [(slot, version, code) for slot, version, code in rows]


def spoil(world: World, statement: str) -> None:
    world.bridge.kill()
    with sqlite3.connect(world.data / "doorpad.sqlite3") as database:
        assert database.execute(statement).rowcount == 1
    world.start_bridge()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM slots WHERE slot = 2",
        "UPDATE slots SET code = '000000', version = version + 1000 WHERE slot = 1",
        "INSERT INTO slots SELECT device_id, 40, 999, flags, '987654', from_s, until_s, op_id, NULL, maker"
        " FROM slots WHERE slot = 1",
    ],
    ids=["a slot is missing", "a slot is another", "a slot is too much"],
)
def test_wrong_database_is_put_right_and_the_keypad_is_left_alone(world: World, statement: str) -> None:
    pins = ["481516", "234211", "777123"]
    if not slots_of(world):
        for pin in pins:
            code_id = world.create(code=pin)
            world.place(code_id)
    before = slots_of(world)
    assert [code for _, _, code in before] == pins
    with world.keypad.bench() as bench:
        spoil(world, statement)
        assert slots_of(world) == before
        assert all(bench.opens(pin) for pin in pins)
    assert {code.status for code in world.seam.access_codes.list(device_id=world.device_id)} == {"set"}
    assert world.seam.access_codes.unmanaged.list(device_id=world.device_id) == []
