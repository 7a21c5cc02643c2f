"""The fixtures of the API's tests: a running API, and its clients."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from api_world import World
from doorpad.api.keys import ApiKeys, add_key, generate_key
from doorpad.store.database import Database
from seam import AsyncSeam


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the present schema, to be copied: migrating takes longer than most tests."""
    folder = tmp_path_factory.mktemp("migrated") / "data"

    async def migrate() -> None:
        database = await Database.open(folder)
        await database.close()

    with asyncio.Runner() as runner:
        runner.run(migrate())
    return folder


@pytest.fixture
async def world(migrated: Path, tmp_path: Path) -> AsyncIterator[World]:
    shutil.copytree(migrated, tmp_path / "data")
    database = await Database.open(tmp_path / "data")
    key = generate_key()
    add_key(tmp_path / "data", key, "test")
    world = World(database, key, ApiKeys(tmp_path / "data"))
    await world.server.start()
    yield world
    await world.server.stop()
    await database.close()


@pytest.fixture
async def device_id(world: World) -> str:
    return await world.add_device()


@pytest.fixture
async def seam(world: World) -> AsyncIterator[AsyncSeam]:
    async with AsyncSeam(api_key=world.key, endpoint=world.server.url) as client:
        yield client


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {world.key}"}
    async with httpx.AsyncClient(base_url=world.server.url, headers=headers, timeout=30) as client:
        yield client
