"""Writers that wait together share one commit.

A disk makes a few hundred durable commits a second, whatever is in them. While one is under way, those who want
to write next gather; then each does its work in turn, in a savepoint of its own, and one commit makes all of it
durable. None is told that it is done before that, and one that fails takes back its own work only.
"""

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, ClassVar

from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from doorpad.errors import DoorpadError, NextStep
from doorpad.store.statements import use

_MEMBERS_MAX = 256  # of a group: bounds how long its first one waits for the last


class WriteLost(DoorpadError):
    """The database took back the transaction of a whole group: a disk that is full or fails."""

    next_step: ClassVar[NextStep] = NextStep.WAIT

    def __init__(self) -> None:
        super().__init__("the database took back what was written; is the disk full?")


class DatabaseBusy(DoorpadError):
    """Another program, one that makes a copy for example, holds the database's lock."""

    next_step: ClassVar[NextStep] = NextStep.WAIT

    def __init__(self) -> None:
        super().__init__("another program holds the hub's database; ask again when it is done with it")


class _Group:
    """One transaction."""

    def __init__(self, connection: AsyncConnection, raw: sqlite3.Connection) -> None:
        self.connection = connection
        self.raw = raw
        self.written: list[AsyncSession] = []


class _Writer:
    """One who waits for its turn. `done` ends it; `settled`: when its work is on disk, or why it is not."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.turn: asyncio.Future[_Group] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()
        self.settled: asyncio.Future[None] = loop.create_future()
        # Nobody may be left to ask: a writer can fail by itself.
        self.settled.add_done_callback(_look)


def _look(settled: asyncio.Future[None]) -> None:
    if not settled.cancelled():
        settled.exception()


class Commits:
    """The one way to write.

    Args:
        engine: its transactions take the write lock when they begin.
        begun: called with the session of each writer before it writes.
    """

    def __init__(self, engine: AsyncEngine, begun: Callable[[AsyncSession], None]) -> None:
        self._engine = engine
        self._begun = begun
        self._waiting: deque[_Writer] = deque()
        self._work: asyncio.Task[None] | None = None
        # Called with the session of each writer that changed a row, after its commit, in the order of the writers.
        self.after_commit: list[Callable[[AsyncSession], None]] = []

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session whose work is on disk after a clean exit and taken back by an exception. One at a time.

        Raises:
            WriteLost: on exit, if the database took the whole transaction back.
            DatabaseBusy: another program held the database's lock for 5 s; nothing was written.
            OperationalError: the commit failed.
        """
        writer = _Writer()
        self._waiting.append(writer)
        if self._work is None:
            self._work = asyncio.create_task(self._serve(), name="doorpad-commits")
        try:
            group = await writer.turn
            # The writer's own savepoint, for statements that go past the session; the session makes one inside it
            # when it has something to do.
            rows_before = group.raw.total_changes
            with _savepoint(group.raw):
                session = AsyncSession(
                    group.connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
                )
                use(session, group.raw)
                self._begun(session)
                try:
                    yield session
                    if session.in_transaction():
                        await session.commit()
                finally:
                    await close(session)
            if group.raw.total_changes != rows_before:
                group.written.append(session)
        finally:
            writer.done.set_result(None)
        await writer.settled

    async def close(self) -> None:
        """Return when nobody writes any more."""
        while self._work is not None:
            await asyncio.shield(self._work)

    async def _serve(self) -> None:
        try:
            while self._waiting:
                try:
                    await self._serve_group()
                except Exception as error:  # the lock was not to be had: nobody can write now
                    for writer in self._take_all():
                        writer.turn.set_exception(DatabaseBusy() if _is_busy(error) else error)
        finally:
            self._work = None

    async def _serve_group(self) -> None:
        async with self._engine.connect() as connection:
            transaction = await connection.begin()
            raw: Any = await connection.get_raw_connection()
            group = _Group(connection, raw.dbapi_connection)
            members: list[_Writer] = []
            is_open = True
            # Without its transaction a savepoint would be one of its own, and be committed alone.
            while self._waiting and len(members) < _MEMBERS_MAX and is_open:
                writer = self._waiting.popleft()
                if not writer.turn.cancelled():
                    writer.turn.set_result(group)
                    await writer.done
                    members.append(writer)
                    # SQLite ends it by itself when the disk is full, for example.
                    is_open = group.raw.in_transaction
            failed: Exception | None = None
            try:
                if not is_open:
                    raise WriteLost
                await transaction.commit()
            except Exception as error:
                failed = error
            # First: a listener that fails must not leave a writer waiting for ever.
            for writer in members:
                if writer.settled.done():  # it was cancelled meanwhile
                    continue
                if failed is None:
                    writer.settled.set_result(None)
                else:
                    writer.settled.set_exception(failed)
            if failed is None:
                for session in group.written:
                    for tell in self.after_commit:
                        tell(session)

    def _take_all(self) -> list[_Writer]:
        taken = [writer for writer in self._waiting if not writer.turn.cancelled()]
        self._waiting.clear()
        return taken


def _is_busy(error: Exception) -> bool:
    cause = error.orig if isinstance(error, OperationalError) else None
    return isinstance(cause, sqlite3.OperationalError) and cause.sqlite_errorcode == sqlite3.SQLITE_BUSY


async def close(session: AsyncSession) -> None:
    """End a session. One that only statements ran in has nothing to close, and closing takes longer than they do."""
    if session.in_transaction() or session.identity_map:
        # Also where the task is being cancelled: its connection goes back to the pool.
        await asyncio.shield(asyncio.create_task(session.close()))


@contextlib.contextmanager
def _savepoint(raw: sqlite3.Connection) -> Iterator[None]:
    """Keep what is done in the block, or take back all of it if the block raises."""
    raw.execute("SAVEPOINT writer")
    try:
        yield
    except BaseException:
        if raw.in_transaction:
            raw.execute("ROLLBACK TO writer")
            raw.execute("RELEASE writer")
        raise
    if raw.in_transaction:
        raw.execute("RELEASE writer")
