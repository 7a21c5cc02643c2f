"""Writers that share a commit: each is on disk when it returns, and stands or falls alone."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from doorpad.store import sqlite
from doorpad.store.commits import DatabaseBusy, WriteLost
from doorpad.store.database import FILE_NAME, Database
from doorpad.store.schema import Webhook
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
def on_disk(tmp_path: Path) -> sqlite3.Connection:
    """A connection that knows nothing of the hub's process: it sees what is committed."""
    return sqlite3.connect(tmp_path / FILE_NAME)


@contextlib.contextmanager
def commits_counted() -> Iterator[list[int]]:
    counted: list[int] = []

    def count(_connection: object) -> None:
        counted.append(1)

    event.listen(Engine, "commit", count)
    try:
        yield counted
    finally:
        event.remove(Engine, "commit", count)


def add(session: AsyncSession, name: str) -> None:
    session.add(Webhook(webhook_id=name, url="", secret="", event_types=[], created_at_ms=0))


def names(on_disk: sqlite3.Connection) -> set[str]:
    return {name for (name,) in on_disk.execute("SELECT webhook_id FROM webhooks")}


async def test_writers_that_wait_together_share_commits_and_each_is_on_disk_when_it_returns(
    database: Database, on_disk: sqlite3.Connection
) -> None:
    async def write(name: str) -> None:
        async with database.write() as session:
            add(session, name)
        assert name in names(on_disk)

    with commits_counted() as counted:
        await asyncio.gather(*(write(str(number)) for number in range(50)))
    # The first one finds nobody waiting or takes all along; whoever came during its commit is in the second.
    assert 1 <= len(counted) <= 2
    assert len(names(on_disk)) == 50


async def test_writer_that_fails_takes_back_its_own_work_only(
    database: Database, on_disk: sqlite3.Connection
) -> None:
    told: list[str] = []
    database.after_commit.append(lambda session: told.append(session.info["name"]))

    async def write(number: int) -> None:
        async with database.write() as session:
            session.info["name"] = str(number)
            add(session, str(number))
            await session.flush()
            if number % 3 == 1:
                raise ValueError(number)

    with commits_counted() as counted:
        results = await asyncio.gather(*(write(it) for it in range(9)), return_exceptions=True)
    assert len(counted) <= 2
    assert [str(it) for it in results] == ["None", "1", "None", "None", "4", "None", "None", "7", "None"]
    assert names(on_disk) == set(told) == {"0", "2", "3", "5", "6", "8"}
    assert told == sorted(told)  # in the order in which they wrote


async def test_cancelled_writers_hold_nobody_up(database: Database, on_disk: sqlite3.Connection) -> None:
    inside = asyncio.Event()

    async def write(name: str, *, stays: bool = False) -> None:
        async with database.write() as session:
            add(session, name)
            await session.flush()
            if stays:
                inside.set()
                await asyncio.Event().wait()

    staying = asyncio.create_task(write("in its turn", stays=True))
    await inside.wait()
    waiting = [asyncio.create_task(write(name)) for name in ("waits", "waits and goes", "waits too")]
    # One step, in which each of them comes to wait.
    await asyncio.sleep(0)
    waiting[1].cancel()
    staying.cancel()
    results = await asyncio.gather(staying, *waiting, return_exceptions=True)
    assert [type(it) for it in results] == [
        asyncio.CancelledError,
        type(None),
        asyncio.CancelledError,
        type(None),
    ]
    assert names(on_disk) == {"waits", "waits too"}


async def test_transaction_that_the_database_took_back_is_told_to_all_of_its_writers(
    database: Database, on_disk: sqlite3.Connection
) -> None:
    told: list[AsyncSession] = []
    database.after_commit.append(told.append)

    async def write(name: str, *, ends: bool = False) -> None:
        async with database.write() as session:
            add(session, name)
            await session.flush()
            if ends:  # as SQLite does by itself when the disk is full
                await session.execute(text("ROLLBACK"))

    results = await asyncio.gather(
        write("before"), write("full", ends=True), write("after"), return_exceptions=True
    )
    assert isinstance(results[0], WriteLost)
    assert isinstance(results[1], OperationalError)  # its own savepoint is gone
    assert results[2] is None  # the next transaction is another one
    assert names(on_disk) == {"after"} and len(told) == 1


async def test_lock_of_another_program_is_an_error_for_those_who_wait_and_no_longer_than_it_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_MS", 1)
    database = await Database.open(tmp_path)
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)

    async def write(name: str) -> None:
        async with database.write() as session:
            add(session, name)

    other.execute("BEGIN IMMEDIATE")
    results = await asyncio.gather(write("a"), write("b"), return_exceptions=True)
    assert [type(it) for it in results] == [DatabaseBusy, DatabaseBusy]
    other.execute("ROLLBACK")
    await write("c")
    assert names(other) == {"c"}
    await database.close()
