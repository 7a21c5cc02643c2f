"""The data folder: one owner, a checked file, and a schema that the migrations alone produce."""

import asyncio
import contextlib
import sqlite3
import stat
import warnings
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from doorpad.events.log import EventFeed, record
from doorpad.store import database as database_module
from doorpad.store.database import (
    FILE_NAME,
    Database,
    DatabaseDamaged,
    DataFolderInUse,
    DataFolderUnusable,
)
from doorpad.store.schema import Base, Event, Hub
from sqlalchemy import Connection, create_engine, select, text
from sqlalchemy.ext.asyncio import AsyncSession

DROPPED = {("access_codes", name) for name in ("slow_since_ms", "removed_announced", "one_time")}
SCHEMAS = Path(__file__).parent / "schemas"  # a database of each earlier schema, as SQL


async def test_migrated_database_has_the_tables_of_the_metadata(tmp_path: Path) -> None:
    database = await Database.open(tmp_path)
    await database.close()
    _check_schema(tmp_path / FILE_NAME)


def _check_schema(path: Path) -> None:
    """Tables as the metadata has them, and indexes to the letter: alembic looks at no expression and no WHERE."""
    wanted, found = (create_engine(url) for url in ("sqlite://", f"sqlite:///{path}"))
    Base.metadata.create_all(wanted)
    with wanted.connect() as anew, found.connect() as connection, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*expression-based index")
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
        assert _indexes(connection) == _indexes(anew)


def _indexes(connection: Connection) -> dict[str, str]:
    rows = connection.execute(
        text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    )
    return {name: " ".join(sql.split()) for name, sql in rows}


async def test_reopened_folder_keeps_its_identity_and_is_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    ids = []
    for _ in range(2):
        database = await Database.open(folder)
        hub = await database.hub()
        ids.append((hub.workspace_id, hub.connected_account_id))
        await database.close()
    assert ids[0] == ids[1]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / FILE_NAME).stat().st_mode) == 0o600


async def test_database_syncs_every_commit_and_enforces_foreign_keys(tmp_path: Path) -> None:
    database = await Database.open(tmp_path)
    async with database.read() as session:
        found = [
            await session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    await database.close()
    assert found == ["wal", 2, 1]


async def test_folder_of_another_process_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = await Database.open(tmp_path)
    monkeypatch.setattr(database_module, "_LOCK_WAIT_S", 0.0)
    with pytest.raises(DataFolderInUse):
        await Database.open(tmp_path)
    await owner.close()
    await (await Database.open(tmp_path)).close()


async def test_folder_is_taken_when_its_owner_lets_go_in_time(tmp_path: Path) -> None:
    owner = await Database.open(tmp_path)
    opening = asyncio.create_task(Database.open(tmp_path))
    await asyncio.sleep(0)  # let it find the lock taken
    await owner.close()
    await (await opening).close()


async def test_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(DataFolderUnusable):
        await Database.open(tmp_path / "data")


@pytest.mark.parametrize("spoil_at", [0, 4_096], ids=["header", "page"])
async def test_spoiled_file_is_refused_and_the_folder_is_free_again(tmp_path: Path, spoil_at: int) -> None:
    await (await Database.open(tmp_path)).close()
    path = tmp_path / FILE_NAME
    content = bytearray(path.read_bytes())
    content[spoil_at : spoil_at + 2_000] = b"\xa5" * 2_000
    path.write_bytes(content)
    for _ in range(2):  # the second would be DataFolderInUse if the first kept the lock
        with pytest.raises(DatabaseDamaged):
            await Database.open(tmp_path)


async def test_failed_write_leaves_nothing_and_tells_nobody(tmp_path: Path) -> None:
    database = await Database.open(tmp_path)
    feed = EventFeed(database)

    async def fail() -> None:
        async with database.write() as session:
            await _record(session, "a")
            raise RuntimeError

    with feed.subscribe() as events:
        with pytest.raises(RuntimeError):
            await fail()
        async with database.write() as session:
            assert await _record(session, "b")
        assert (await anext(events)).event_id == "b"
    async with database.read() as session:
        assert (await session.scalars(select(Event.event_id))).all() == ["b"]
    await database.close()


async def test_event_reported_twice_is_logged_and_told_once(tmp_path: Path) -> None:
    database = await Database.open(tmp_path)
    feed = EventFeed(database)
    with feed.subscribe() as events:
        async with database.write() as session:
            assert await _record(session, "a")
            assert not await _record(session, "a")
        async with database.write() as session:
            assert not await _record(session, "a")
            assert await _record(session, "b")
        assert [(await anext(events)).event_id for _ in range(2)] == ["a", "b"]
    await database.close()


async def test_slow_reader_of_the_feed_loses_the_oldest_and_knows_it(tmp_path: Path) -> None:
    database = await Database.open(tmp_path)
    feed = EventFeed(database)
    with feed.subscribe(size_max=2) as events:
        for id_ in "abc":
            async with database.write() as session:
                await _record(session, id_)
        assert [(await anext(events)).event_id for _ in range(2)] == ["b", "c"]
        assert events.missed == 1
    await database.close()


async def test_writers_take_turns(tmp_path: Path) -> None:
    database = await Database.open(tmp_path)

    async def add(count: int) -> None:
        for _ in range(count):
            async with database.write() as session:
                hub = await session.get_one(Hub, 1)
                hub.created_at_ms += 1

    before = (await database.hub()).created_at_ms
    await asyncio.gather(*(add(5) for _ in range(4)))
    async with database.read() as session:
        assert (await session.get_one(Hub, 1)).created_at_ms == before + 20
    await database.close()


async def _record(session: AsyncSession, id_: str) -> bool:
    return await record(
        session,
        event_id=id_,
        event_type="device.connected",
        device_id=None,
        access_code_id=None,
        occurred_at_ms=1,
        payload={},
    )


@pytest.mark.parametrize("stored", sorted(SCHEMAS.glob("*.sql")), ids=lambda path: path.stem)
async def test_database_of_an_earlier_release_keeps_its_rows_and_gets_the_present_schema(
    tmp_path: Path, stored: Path
) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as earlier:
        earlier.executescript(stored.read_text())
        before = _rows(earlier)
    assert all(before.values()), "a table without a row proves nothing"
    await (await Database.open(tmp_path)).close()
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as now:
        after = _rows(now)
    for table, rows in before.items():
        for old, row in zip(rows, after[table], strict=True):
            assert {name: row.get(name) for name in old if (table, name) not in DROPPED} == {
                name: value for name, value in old.items() if (table, name) not in DROPPED
            }
    assert all(code["asked_at_ms"] == code["created_at_ms"] for code in after["access_codes"])
    _check_schema(tmp_path / FILE_NAME)


async def test_codes_for_one_time_of_an_earlier_release_have_one_use_or_none_left(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as earlier:
        earlier.executescript((SCHEMAS / "0008.sql").read_text())
        earlier.execute("UPDATE access_codes SET one_time = 1, used_at_ms = NULL WHERE managed = 0")
        earlier.commit()
        before = _rows(earlier)["access_codes"]
    await (await Database.open(tmp_path)).close()
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as now:
        left = [row["uses_left"] for row in _rows(now)["access_codes"]]
    wanted = [(0 if row["used_at_ms"] else 1) if row["one_time"] else None for row in before]
    assert left == wanted and set(wanted) == {0, 1, None}


async def test_codes_for_duress_of_an_earlier_release_stay_such(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as earlier:
        earlier.executescript((SCHEMAS / "0008.sql").read_text())
        codes, slots = (_rows(earlier)[table] for table in ("access_codes", "slots"))
        marked = slots[0]
        earlier.execute("UPDATE slots SET flags = flags | 4 WHERE rowid = (SELECT min(rowid) FROM slots)")
        earlier.commit()
    await (await Database.open(tmp_path)).close()
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as now:
        duress = [bool(row["duress"]) for row in _rows(now)["access_codes"]]
    place = (marked["device_id"], marked["slot"])
    assert duress == [(row["device_id"], row["slot"]) == place for row in codes] and any(duress)


def _rows(connection: sqlite3.Connection) -> dict[str, list[dict[str, object]]]:
    """Every row by table, but for the tables of SQLite and of the migrations themselves."""
    connection.row_factory = sqlite3.Row
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    return {
        name: [dict(row) for row in connection.execute(f'SELECT * FROM "{name}" ORDER BY rowid')]
        for (name,) in names
        if not name.startswith(("sqlite_", "alembic_"))
    }
