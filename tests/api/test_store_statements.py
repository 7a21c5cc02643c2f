"""Statements that go past the ORM: they give and take what it does, in the same transaction, and see one commit."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from doorpad.api import code_lookup, code_objects, pins
from doorpad.store.database import FILE_NAME, Database
from doorpad.store.schema import AccessCode, Base, Device, Event, Webhook
from doorpad.store.statements import NewRow, Query, change, one_view, seen
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

ID = "00000000-0000-4000-8000-000000000001"
WEBHOOKS = Query(Webhook)
NEW_WEBHOOK = NewRow(Webhook)

ROWS: list[Base] = [
    Device(
        device_id=ID,
        serial="00112233445566aa",
        name="Tür",
        managed=False,
        simulated=True,
        custom_metadata={"floor": "3", "old": True},
        code_lengths=[4, 6],
        created_at_ms=2**53,
        link_changed_at_ms=1,
        conditions={},
    ),
    AccessCode(
        access_code_id=ID, device_id=ID, managed=True, code="0471", name=None, created_at_ms=5, asked_at_ms=5
    ),
    Event(event_id=ID, event_type="lock.unlocked", occurred_at_ms=1, created_at_ms=2, payload={"a": [None]}),
    Webhook(webhook_id=ID, url="http://x", secret="s", event_types=["*"], created_at_ms=0),
]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path)
    yield opened
    await opened.close()


def values(row: Base) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def webhook(name: str) -> dict[str, Any]:
    return {"webhook_id": name, "url": "", "secret": "", "event_types": [], "created_at_ms": 0}


async def names(database: Database) -> set[str]:
    async with database.read() as session:
        return {it.webhook_id for it in WEBHOOKS.all(session)}


async def write_rows(database: Database) -> None:
    async with database.write() as session:
        for row in ROWS:
            session.add(type(row)(**{name: value for name, value in row.__dict__.items() if name[0] != "_"}))
            await session.flush()


@pytest.mark.parametrize("model", [type(row) for row in ROWS])
async def test_rows_are_those_that_the_orm_reads(database: Database, model: type[Base]) -> None:
    await write_rows(database)
    async with database.read() as session:
        expected = [values(row) for row in await session.scalars(select(model))]
        assert [values(row) for row in Query(model).all(session)] == expected
        assert [values(row) for row in seen(session, model, select(model))] == expected
        assert len(expected) == 1


async def test_row_that_a_statement_wrote_is_read_by_the_orm(database: Database) -> None:
    async with database.write() as session:
        await session.execute(select(1))
        NEW_WEBHOOK.add(session, webhook("a") | {"event_types": ["lock.unlocked"]})
        row = await session.get_one(Webhook, "a")
        assert (row.event_types, row.disabled_at_ms) == (["lock.unlocked"], None)


async def test_row_that_is_there_already_is_left_as_it_is(database: Database) -> None:
    once = NewRow(Event, once=Event.event_id, gives=Event.seq)
    row = {"event_id": ID, "event_type": "a", "occurred_at_ms": 1, "created_at_ms": 1, "payload": {}}
    async with database.write() as session:
        assert once.add(session, row) == 1
        assert once.add(session, row | {"event_type": "b"}) is None
        assert [it.event_type for it in Query(Event).all(session)] == ["a"]


async def test_changed_row_is_written_and_shown(database: Database) -> None:
    await write_rows(database)
    by_id = Query(AccessCode, AccessCode.access_code_id == bindparam("id"))
    async with database.write() as session:
        code = by_id.first(session, id=ID)
        assert code is not None
        change(session, code, name="Ann", uses_left=3)
        change(session, code)
        assert (code.name, code.uses_left, code.code) == ("Ann", 3, "0471")
    async with database.read() as session:
        written = await session.get_one(AccessCode, ID)
        assert (written.name, written.uses_left, written.code) == ("Ann", 3, "0471")


async def test_row_that_is_looked_at_cannot_be_set(database: Database) -> None:
    await write_rows(database)
    async with database.read() as session:
        (code,) = Query(AccessCode).all(session)
        with pytest.raises(AttributeError):
            code.name = "Ann"
        assert code.name is None


async def test_statements_of_a_writer_that_fails_are_taken_back_with_the_rest(database: Database) -> None:
    async with database.write() as session:
        NEW_WEBHOOK.add(session, webhook("kept"))

    async def fail(session: AsyncSession, *, by_orm: bool) -> None:
        NEW_WEBHOOK.add(session, webhook("statement"))
        if by_orm:
            session.add(Webhook(**webhook("orm")))
            await session.flush()
        raise LookupError

    for by_orm in (False, True):
        with pytest.raises(LookupError):
            async with database.write() as session:
                await fail(session, by_orm=by_orm)
    assert await names(database) == {"kept"}


async def test_statement_and_orm_of_a_writer_are_on_disk_together(database: Database, tmp_path: Path) -> None:
    async with database.write() as session:
        session.add(Webhook(**webhook("orm")))
        NEW_WEBHOOK.add(session, webhook("statement"))
    on_disk = sqlite3.connect(tmp_path / FILE_NAME).execute("SELECT webhook_id FROM webhooks")
    assert {name for (name,) in on_disk} == {"orm", "statement"}


@pytest.mark.parametrize(
    "query",
    [
        pins._HOLDERS,
        code_lookup._BY_ID,
        code_lookup._BY_PIN,
        code_objects._SLOTS,
        code_objects._ERRORS,
        code_objects._DEVICES,
    ],
)
async def test_query_of_a_request_reads_no_table_from_end_to_end(
    database: Database, tmp_path: Path, query: Query[Any]
) -> None:
    """What a table costs is not known to a test, but how SQLite goes about it is."""
    sql = query._statement._sql
    on_disk = sqlite3.connect(tmp_path / FILE_NAME)
    steps = on_disk.execute(f"EXPLAIN QUERY PLAN {sql}", ["[]"] * sql.count("?")).fetchall()
    tables = [step for *_, step in steps if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]
    assert steps and tables == []


async def test_one_view_does_not_see_what_another_commits_meanwhile(
    database: Database, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    async with database.read() as session:
        with one_view(session):
            before = len(WEBHOOKS.all(session))
            other.execute("INSERT INTO webhooks VALUES ('a', '', '', '[]', 0, NULL)")
            assert len(WEBHOOKS.all(session)) == before == 0
        assert len(WEBHOOKS.all(session)) == 1


async def test_writer_that_changes_nothing_is_told_to_nobody(database: Database) -> None:
    told: list[object] = []
    database.after_commit.append(told.append)
    async with database.write() as session:
        await session.scalars(select(Webhook))
    assert told == []
    async with database.write() as session:
        NEW_WEBHOOK.add(session, webhook("a"))
    assert len(told) == 1
