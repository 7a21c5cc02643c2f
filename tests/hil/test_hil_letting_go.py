"""A code that the hub lets go: it opens on, under its id, and is nobody's until somebody takes it again."""

from pathlib import Path

from doorpad.store.database import FILE_NAME
from hil_world import World, running


def let_go(world: World, access_code_id: str) -> None:
    asked = {"access_code_id": access_code_id, "is_managed": False, "sync": True}
    attempt = world.seam.client.patch("/access_codes/update", json=asked)["action_attempt"]
    assert attempt["status"] == "success"
    assert attempt["result"]["access_code"]["is_managed"] is False


def test_code_that_is_let_go_opens_on_as_an_unmanaged_one_also_for_a_hub_that_lost_its_database(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as world, world.keypad.bench() as bench:
        unmanaged = world.seam.access_codes.unmanaged
        id_ = world.create(code="482913", name="Ann")
        let_go(world, id_)
        with_id = [it.code for it in unmanaged.list(device_id=world.device_id) if it.access_code_id == id_]
        assert with_id == ["482913"]
        assert [it.access_code_id for it in world.seam.access_codes.list(device_id=world.device_id)] == []
        assert world.event_types(id_)[-2:] == ["access_code.deleted", "access_code.unmanaged.created"]
        assert bench.opens("482913")

        world.bridge.kill()
        for file in world.data.glob(f"{FILE_NAME}*"):
            file.unlink()
        world.start_bridge()
        unmanaged = world.seam.access_codes.unmanaged
        assert unmanaged.get(access_code_id=id_).code == "482913"
        assert bench.opens("482913")

        unmanaged.convert_to_managed(access_code_id=id_)
        world.bridge.event("access_code.unmanaged.converted_to_managed", id_)
        assert world.seam.access_codes.get(access_code_id=id_).status == "set"
        world.seam.access_codes.delete(access_code_id=id_)
        world.bridge.event("access_code.deleted", id_)
        assert not bench.opens("482913")
