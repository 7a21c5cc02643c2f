"""Two hubs at one keypad: each change that the other made is told with the name of its key."""

import asyncio
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from doorpad import keyring
from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.slot_writes import SlotWrite
from doorpad_link import identity, messages
from doorpad_link.handshake import key_id
from hil_world import Bench, World, running

OTHER = keyring.LinkKey(b"otherhub", secrets.token_bytes(32))
OTHER_NAME = f"host:{key_id(OTHER.psk).hex()}"
PIN, OTHER_PIN, THIRD_PIN = "482913", "736450", "591024"


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("makers"), timing="poll_s = 0.2") as world:
        yield world


@dataclass(frozen=True)
class Disabled(SlotWrite):
    """As a hub writes a code that it does not want to open for now."""

    @property
    def flags(self) -> int:
        return messages.MANAGED


def enrol_other(world: World) -> None:
    """Give the keypad the other hub's key, as commissioning it for two hubs does."""
    copies = [world.folder / "identity.bin", world.folder / "nvs-doorpad" / "identity"]
    known = identity.unpack(copies[0].read_bytes())
    assert known is not None
    known.hosts.append((OTHER.host_id, OTHER.psk))
    for copy in copies:
        copy.write_bytes(identity.pack(known))


async def work_as_other(world: World) -> None:
    """Make a code that opens three times, change the PIN of the first hub's code, and change a setting."""
    connection, opened = await Connection.open(str(world.keypad.link), 115_200, OTHER, world.keypad.serial)
    assert operations.capabilities(opened.capabilities).maker == 2
    [ours] = (await operations.changed_since(connection, 0, 1)).slots
    assert ours.code == PIN and ours.access_code_id is not None
    changed = SlotWrite(
        ours.slot, ours.version, OTHER_PIN, None, None, ours.access_code_id, secrets.token_bytes(8)
    )
    made = SlotWrite(9, 0, THIRD_PIN, None, None, "0f" * 16, secrets.token_bytes(8), uses_left=3)
    assert all(result.done for result in await operations.put(connection, [changed, made]))
    status, [version, _] = await connection.request(messages.OP_CONFIG, None)  # type: ignore[misc]
    status, _ = await connection.request(messages.OP_CONFIG, [version, [["quiet", 1]]])
    assert status == messages.OK
    connection.close()


def check_counted(world: World, code_id: str) -> None:
    """The other hub's code: each use is seen, and being taken over neither adds one nor costs one."""

    def left_after_use(bench: Bench, place: Callable[[str], dict[str, Any]]) -> int:
        mark = world.bridge.mark()
        assert bench.opens(THIRD_PIN)
        opened = world.bridge.event(
            "lock.unlocked", code_id, after=mark
        )  # the table is read before it is told
        assert opened["access_code_is_managed"] == (place == world.place)
        left: int = place(code_id)["uses_left"]
        return left

    assert world.unmanaged_place(code_id)["uses_left"] == 3
    with world.keypad.bench() as bench:
        assert left_after_use(bench, world.unmanaged_place) == 2
        assert world.unmanaged_place(code_id)["maker"] == OTHER_NAME
        world.seam.access_codes.unmanaged.convert_to_managed(access_code_id=code_id, force=True)
        world.bridge.event("access_code.unmanaged.converted_to_managed", code_id)
        assert left_after_use(bench, world.place) == 1
        assert left_after_use(bench, world.place) == 0
        assert not bench.opens(THIRD_PIN)
    world.bridge.event("access_code.removed_from_device", code_id)
    assert "access_code.modified_external_to_seam" not in world.event_types(code_id)


def test_changes_by_another_hub_are_told_with_the_name_of_its_key(world: World) -> None:
    code_id = world.create(code=PIN)
    assert world.place(code_id)["maker"] == "hub"
    assert world.bridge.stop() == 0
    with world.keypad.bench() as bench:
        bench.ask(power="off")
        enrol_other(world)
        bench.ask(power="on")
    asyncio.run(work_as_other(world))
    world.start_bridge()
    modified = world.bridge.event("access_code.modified_external_to_seam", code_id)
    assert modified["doorpad"] == {"maker": OTHER_NAME}
    made = world.bridge.event("access_code.unmanaged.created")
    assert made["doorpad"] == {"maker": OTHER_NAME}
    assert world.unmanaged_place(made["access_code_id"])["maker"] == OTHER_NAME
    changed = world.bridge.event("doorpad.settings_changed")
    assert changed["maker"] == OTHER_NAME
    world.create(code="864213")  # whatever waited to be written was written with it, or before
    [error] = world.seam.access_codes.get(access_code_id=code_id).errors
    assert error.error_code == "code_modified_external_to_seam"
    assert f"by another hub, whose key is {key_id(OTHER.psk).hex()}" in error.message
    assert world.place(code_id)["maker"] == "hub"
    ours = key_id(keyring.load(world.data / "keys", world.keypad.serial).psk).hex()
    assert world.own_fields()["hosts"] == [
        {"maker": "hub", "key_id": ours},
        {"maker": OTHER_NAME, "key_id": key_id(OTHER.psk).hex()},
    ]
    check_counted(world, made["access_code_id"])
    for secret in (OTHER.psk.hex(), PIN, OTHER_PIN, THIRD_PIN):
        assert secret not in world.said


def test_code_that_another_hub_has_disabled_opens_no_door_by_being_taken_over(world: World) -> None:
    async def write_as_other() -> None:
        connection, _ = await Connection.open(
            str(world.keypad.link), 115_200, OTHER, world.keypad.serial, timeout_s=60.0
        )
        shut = Disabled(9, 0, THIRD_PIN, None, None, "0f" * 16, secrets.token_bytes(8))
        (result,) = await operations.put(connection, [shut])
        assert result.done
        connection.close()

    assert world.bridge.stop() == 0
    with world.keypad.bench() as bench:
        bench.ask(power="off")
        enrol_other(world)
        bench.ask(power="on")
        asyncio.run(write_as_other())
        world.start_bridge()
        code_id = world.bridge.event("access_code.unmanaged.created")["access_code_id"]
        assert world.unmanaged_place(code_id)["enabled"] is False
        for force in (False, True):
            mark = world.bridge.mark()
            world.seam.access_codes.unmanaged.convert_to_managed(access_code_id=code_id, force=force)
            world.bridge.event("access_code.unmanaged.failed_to_convert_to_managed", code_id, after=mark)
        world.create(code="864213")  # whatever waited to be written was written with it, or before
        assert world.unmanaged_place(code_id) == {
            "slot": 9,
            "generation": 1,
            "maker": OTHER_NAME,
            "enabled": False,
            "uses_left": None,
        }
        assert not bench.opens(THIRD_PIN)
        assert bench.opens("864213")
