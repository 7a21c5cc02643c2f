"""The hub's database: one SQLite file in a data folder that one process owns.

Writers take turns and share commits (`commits.py`); readers see the last commit (WAL) and never wait.
"""

import asyncio
import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from doorpad.errors import DoorpadError, NextStep
from doorpad.store.audit import audit
from doorpad.store.commits import Commits, close
from doorpad.store.schema import Hub
from doorpad.store.sqlite import open_connection, open_engine
from doorpad.store.statements import use

FILE_NAME = "doorpad.sqlite3"
MIGRATIONS = Path(__file__).parent / "migrations"

_LOCK_WAIT_S = 3.0  # a predecessor that was just killed may still be releasing the lock
_LOCK_STEP_S = 0.05


class DataFolderUnusable(DoorpadError):
    """The data folder cannot be made, read or written."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"data folder {path}: {reason}")


class DataFolderInUse(DoorpadError):
    """Another process owns the data folder."""

    next_step: ClassVar[NextStep] = NextStep.WAIT

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"data folder {path} is in use by another doorpad; stop that one or choose another folder"
        )


class DatabaseDamaged(DoorpadError):
    """The database file does not pass SQLite's own check."""

    def __init__(self, path: Path, finding: str) -> None:
        self.path, self.finding = path, finding
        super().__init__(f"database {path} is damaged ({finding}); put back a copy of it or move it away")


class Database:
    """An open data folder. `open()` makes one; `close()` gives the folder back."""

    def __init__(
        self,
        data_dir: Path,
        lock_fd: int,
        engine: AsyncEngine,
        commits: Commits,
        looking: sqlite3.Connection,
    ) -> None:
        self.data_dir = data_dir
        self._lock_fd = lock_fd
        self._engine = engine
        self._commits = commits
        self._looking = looking  # for statements that go past a session that reads
        self._hub: Hub | None = None

    @classmethod
    async def open(cls, data_dir: Path) -> "Database":
        """Take the folder, check the database and bring it to the present schema.

        The folder is made (mode 0700) if it is missing.

        Raises:
            DataFolderUnusable: missing rights, or not a folder.
            DataFolderInUse: another process still owned it after 3 s.
            DatabaseDamaged: the file is not a database, or fails `PRAGMA quick_check`.
        """
        path = data_dir / FILE_NAME
        async with contextlib.AsyncExitStack() as undo:
            try:
                lock_fd = _open_lock_file(data_dir)
                undo.callback(os.close, lock_fd)
                await _lock(lock_fd, data_dir)
                # Made here, because SQLite would make it readable for all; its WAL takes over the mode.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            except OSError as error:
                raise DataFolderUnusable(data_dir, error.strerror or type(error).__name__) from error
            engine, writing = open_engine(path)
            undo.push_async_callback(engine.dispose)
            await _check(engine, path)
            async with engine.begin() as connection:
                await connection.run_sync(_migrate)
            database = cls(data_dir, lock_fd, engine, Commits(writing, audit), open_connection(path))
            await database._create_hub()
            undo.pop_all()
        return database

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session on one consistent view of the last commit."""
        session = AsyncSession(self._engine, expire_on_commit=False)
        use(session, self._looking)
        try:
            yield session
        finally:
            await close(session)

    def write(self) -> contextlib.AbstractAsyncContextManager[AsyncSession]:
        """A session whose work is on disk after a clean exit, and in the audit log; see `Commits.write`."""
        return self._commits.write()

    @property
    def after_commit(self) -> list[Callable[[AsyncSession], None]]:
        """Called with the session of each writer that changed a row after its commit, in the order of writers."""
        return self._commits.after_commit

    async def hub(self) -> Hub:
        """The identity of this installation; it never changes."""
        if self._hub is None:
            async with self.read() as session:
                self._hub = await session.get_one(Hub, 1)
        return self._hub

    async def close(self) -> None:
        """Close the database, then give the folder to the next process."""
        await self._commits.close()
        self._looking.close()
        await self._engine.dispose()
        os.close(self._lock_fd)

    async def _create_hub(self) -> None:
        async with self.write() as session:
            if await session.get(Hub, 1) is None:
                session.add(
                    Hub(
                        id=1,
                        workspace_id=str(uuid4()),
                        connected_account_id=str(uuid4()),
                        created_at_ms=time.time_ns() // 1_000_000,
                    )
                )


def _open_lock_file(data_dir: Path) -> int:
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)


async def _lock(fd: int, data_dir: Path) -> None:
    deadline_s = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline_s:
                raise DataFolderInUse(data_dir) from None
            await asyncio.sleep(_LOCK_STEP_S)
        else:
            return


async def _check(engine: AsyncEngine, path: Path) -> None:
    try:
        async with engine.connect() as connection:
            finding = await connection.run_sync(_quick_check)
    except DatabaseError as error:
        raise DatabaseDamaged(path, str(error.orig)) from error
    if finding != "ok":
        raise DatabaseDamaged(path, str(finding))


def _quick_check(connection: Connection) -> str:
    return str(connection.scalar(text("PRAGMA quick_check(1)")))


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
