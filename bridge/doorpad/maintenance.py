"""The maintenance socket of a running bridge: how `doorpad update` reaches the keypads that the bridge holds.

A UNIX socket `<data>/maintenance`, for its owner alone: whoever may open it owns the keys and the database too. One
JSON object a line asks:

    {"update": serial, "application": folder, "by": user of the system}

Lines answer: {"state": ...} as `Updater` tells them, and at last {"done": version} or {"error": text}. The work
ends with the connection; another update goes on where it ended.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, ClassVar

from doorpad import application, os_user
from doorpad.errors import DoorpadError, NextStep
from doorpad.link.connection import Connection
from doorpad.link.update import Updater

log = logging.getLogger(__name__)

Message = dict[str, Any]
# Of a keypad, by its serial; KeyError for one of no configuration. An open session, as soon as there is one, ...
SessionWith = Callable[[str], Awaitable[Connection]]
# ... and what clients are told of it while it is worked on.
Maintained = Callable[[str], AbstractAsyncContextManager[None]]
# A switch to other firmware, of a keypad by its serial, and who asked for it: as `Updater` notes it.
Noted = Callable[[str, str], AbstractAsyncContextManager[None]]

_PATH_BYTES_MAX = 100  # of a UNIX socket's name: 104 on macOS, 108 on Linux, with the final zero


class MaintenanceFailed(DoorpadError):
    """The bridge could not do what was asked, or there is none; the message says which."""

    next_step: ClassVar[NextStep] = NextStep.PERSON


def _socket_path(data: Path) -> Path:
    path = (data / "maintenance").absolute()
    if len(str(path).encode()) > _PATH_BYTES_MAX:
        raise MaintenanceFailed(f"{path} is too long for a socket: shorten `data` in the configuration")
    return path


@contextlib.asynccontextmanager
async def served(
    data: Path, session_with: SessionWith, maintained: Maintained, noted: Noted
) -> AsyncIterator[None]:
    """Serve the socket for as long as the block lasts. A data folder too deep for one is told, and no error."""
    try:
        path = _socket_path(data)
    except MaintenanceFailed as error:
        log.warning("no maintenance: %s", error)
        yield
        return
    updating: set[str] = set()
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def tell(message: Message) -> None:
            if not writer.is_closing():  # uvloop takes a write to one that has just gone for an error
                writer.write(json.dumps(message).encode() + b"\n")

        line = await reader.readline()
        async with asyncio.TaskGroup() as together:
            work = together.create_task(_do(line, session_with, maintained, noted, updating, tell))
            gone = together.create_task(_end_of(reader))
            work.add_done_callback(lambda _: gone.cancel())
            gone.add_done_callback(lambda _: work.cancel())
        with contextlib.suppress(ConnectionError):
            await writer.drain()

    async def serve_until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await serve(reader, writer)
        except asyncio.CancelledError:
            pass  # the bridge ends; nobody awaits this task
        finally:
            serving.discard(task)
            writer.close()

    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(serve_until_closed, path)
    path.chmod(0o600)
    try:
        yield
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving)
        path.unlink(missing_ok=True)


async def _end_of(reader: asyncio.StreamReader) -> None:
    """Return when whoever asked has gone, in whatever way."""
    with contextlib.suppress(ConnectionError):
        await reader.read()


async def _do(
    line: bytes,
    session_with: SessionWith,
    maintained: Maintained,
    noted: Noted,
    updating: set[str],
    tell: Callable[[Message], None],
) -> None:
    try:
        match json.loads(line or b"null"):
            case {"update": str(serial), "application": str(folder), "by": str(user)}:
                if serial in updating:
                    raise MaintenanceFailed(f"keypad {serial} is being updated already")
                updating.add(serial)
                try:
                    new = await asyncio.to_thread(application.load, Path(folder))
                    async with maintained(serial):
                        await Updater(
                            lambda: session_with(serial), new, tell, lambda: noted(serial, user)
                        ).run()
                finally:
                    updating.discard(serial)
                tell({"done": new.version})
            case _:
                raise MaintenanceFailed("no such request")
    except KeyError:
        tell({"error": "the bridge's configuration names no such keypad; restart it if that has changed"})
    except (DoorpadError, ValueError) as error:
        tell({"error": str(error)})


async def update(data: Path, serial: str, folder: Path, told: Callable[[Message], None]) -> str:
    """Have the running bridge of a data folder update a keypad; return the version that has proven itself.

    `folder`: absolute, for the bridge reads it.

    Raises:
        MaintenanceFailed: no bridge runs, or it says why the keypad was not updated.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(_socket_path(data))
    except OSError as error:
        raise MaintenanceFailed(f"no bridge runs on {data}: start it, and ask again") from error
    try:
        request = {"update": serial, "application": str(folder), "by": os_user.name()}
        writer.write(json.dumps(request).encode() + b"\n")
        while line := await reader.readline():
            match json.loads(line):
                case {"done": str(version)}:
                    return version
                case {"error": str(text)}:
                    raise MaintenanceFailed(text)
                case message:
                    told(message)
    finally:
        writer.close()
    raise MaintenanceFailed("the bridge ended meanwhile: ask again, and the update goes on where it was")
