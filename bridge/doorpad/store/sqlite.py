"""SQLite under asyncio: a statement runs where it is asked for; only what may wait for the disk has a thread.

The usual driver hands each statement to a thread of its connection. SQLite needs some 10 µs for a statement
on pages in memory, and the way to a thread and back costs ten times that. What can last is different: taking the
write lock, which another program may hold, and the commit, which waits for the disk. These two go to a thread,
and the event loop serves others meanwhile.
"""

import asyncio
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.base import SQLiteExecutionContext
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, Pool
from sqlalchemy.util import await_only

_BUSY_MS = 5_000  # only a backup tool can hold SQLite's own lock: one process owns the folder
_STATEMENTS_KEPT = 512  # compiled, by connection; the API and the synchronisation have some 200
_CACHE_KIB = 8_192  # of pages, by connection: a group of writers (commits.py) changes up to some 1,500
_CHECKPOINT_PAGES = 4_000  # so long the log may grow; what is written over and over goes into the file once
_IMMEDIATE = "doorpad_immediate"


class _Cursor(sqlite3.Cursor):
    async def _async_soft_close(self) -> None:
        """What SQLAlchemy calls on a result that was not read to its end; there is nothing to wait for."""


class _Execution(SQLiteExecutionContext):
    def create_default_cursor(self) -> DBAPICursor:
        return self._dbapi_connection.cursor(_Cursor)


class Dialect(SQLiteDialect_pysqlite):
    """Python's own driver, under SQLAlchemy's asynchronous engine."""

    driver = "doorpad"
    is_async = True
    supports_statement_cache = True
    execution_ctx_cls = _Execution

    @classmethod
    def get_pool_class(cls, url: URL) -> type[Pool]:
        return AsyncAdaptedQueuePool

    def do_commit(self, dbapi_connection: DBAPIConnection) -> None:
        await_only(asyncio.to_thread(dbapi_connection.commit))


registry.register("sqlite.doorpad", __name__, Dialect.__name__)


def open_engine(path: Path) -> tuple[AsyncEngine, AsyncEngine]:
    """Engines on one pool of connections to the file: for reading, and for writing.

    A transaction of the second begins with BEGIN IMMEDIATE: a deferred one that has read and then writes fails
    at once with "database is locked" if another wrote meanwhile, and no busy time-out helps there.
    """
    # Parameters hold PINs: they may appear neither in an exception's message nor in a log.
    engine = create_async_engine(
        f"sqlite+{Dialect.driver}:///{path}",
        hide_parameters=True,
        connect_args={"check_same_thread": False, "cached_statements": _STATEMENTS_KEPT},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
        _configure(connection)

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get(_IMMEDIATE):
            await_only(asyncio.to_thread(connection.exec_driver_sql, "BEGIN IMMEDIATE"))
        else:
            connection.exec_driver_sql("BEGIN")

    return engine, engine.execution_options(**{_IMMEDIATE: True})


def open_connection(path: Path) -> sqlite3.Connection:
    """A connection without an engine, set up as theirs are, on a file that an engine has opened before."""
    connection = sqlite3.connect(path, check_same_thread=False, cached_statements=_STATEMENTS_KEPT)
    _configure(connection)
    return connection


def _configure(connection: sqlite3.Connection) -> None:
    connection.isolation_level = None  # Python's driver would otherwise begin when it sees fit
    for pragma in (
        f"busy_timeout={_BUSY_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "temp_store=MEMORY",  # what a savepoint keeps of each page would go through a file
        f"cache_size=-{_CACHE_KIB}",
        f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
    ):
        connection.execute(f"PRAGMA {pragma}")
