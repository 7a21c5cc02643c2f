"""The warning that a keypad is worked on ends with the work, at whatever moment that is broken off."""

import asyncio
import contextlib

import pytest
from api_world import World
from doorpad.store.schema import Device
from doorpad.sync.maintained import maintained
from sqlalchemy.ext.asyncio import AsyncSession


async def warnings(world: World, device_id: str) -> list[str]:
    async with world.database.read() as session:
        return list((await session.get_one(Device, device_id)).conditions)


@pytest.mark.parametrize("moment", ["while it is put up", "later"])
async def test_work_that_is_broken_off_leaves_no_warning(world: World, device_id: str, moment: str) -> None:
    is_up = asyncio.Event()

    async def work() -> None:
        async with maintained(world.database, device_id, lambda: world.now_ms):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())

    def committed(_: AsyncSession) -> None:
        if not is_up.is_set() and moment == "while it is put up":
            task.cancel()
        is_up.set()

    world.database.after_commit.append(committed)
    await is_up.wait()
    if moment == "later":
        assert await warnings(world, device_id) == ["scheduled_maintenance_window"]
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert await warnings(world, device_id) == []
