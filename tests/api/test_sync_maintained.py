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


async def test_work_that_fails_and_is_broken_off_while_the_warning_is_taken_off_leaves_none(
    world: World, device_id: str
) -> None:
    is_up, may_fail = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        async with maintained(world.database, device_id, lambda: world.now_ms):
            is_up.set()
            await may_fail.wait()
            raise ConnectionResetError

    task = asyncio.create_task(work())
    await is_up.wait()
    async with world.database.write():  # so that whoever wants to write waits
        may_fail.set()
        for _ in range(10):  # it fails, and waits for its turn
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    async with world.database.write():
        pass  # whoever waited before has had its turn
    assert await warnings(world, device_id) == []
