"""The HTTP server, run in the caller's event loop on a socket that is bound before it starts."""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, ClassVar

import uvicorn

from doorpad.api.connections import IDLE_S, Connection
from doorpad.api.gate import Receive, Scope, Send
from doorpad.errors import DoorpadError, NextStep

_FINISH_S = 5  # for requests under way when the server stops
_DATE_S = 1  # how old the date in an answer may be


Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class PortInUse(DoorpadError):
    """Another program listens there."""

    next_step: ClassVar[NextStep] = NextStep.CHANGE_REQUEST

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        super().__init__(f"port {port} of {host} is in use; stop the other program or choose another port")


class _Uvicorn(uvicorn.Server):
    """Uvicorn without its signal handlers: a library may not take Ctrl-C from the program."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self.stopping = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def main_loop(self) -> None:
        """Until it shall stop. Uvicorn's own looks ten times a second whether it shall."""
        while not self.stopping.is_set():
            await self.on_tick(0)
            self.look(asyncio.get_running_loop().time())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DATE_S):
                    await self.stopping.wait()

    @property
    def connections(self) -> list[Connection]:
        return [it for it in self.server_state.connections if isinstance(it, Connection)]

    def look(self, now_s: float) -> None:
        """End the connections whose clients keep them waiting."""
        for connection in self.connections:
            connection.look(now_s)


class Server:
    """One listening API. `start()` once, `stop()` once."""

    def __init__(self, app: Application, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """
        Args:
            port: 0 takes a free one; `url` tells which.
        Raises:
            PortInUse: another program listens there.
        """
        self._socket = _bind(host, port)
        self.host, self.port = self._socket.getsockname()[:2]
        # It prints queries, and a query can hold a PIN. `access_log=False` alone only unhooks its handlers,
        # and a program that sets up logging afterwards would hook them in again.
        logging.getLogger("uvicorn.access").disabled = True
        asgi: Any = app  # uvicorn names each message's fields
        self._uvicorn = _Uvicorn(
            uvicorn.Config(
                asgi,
                http=Connection,
                timeout_keep_alive=IDLE_S,
                access_log=False,
                log_config=None,
                lifespan="off",
                ws="none",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_FINISH_S,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The `endpoint` for an SDK."""
        return f"http://{self.host}:{self.port}"

    async def start(self) -> None:
        """Returns when requests are answered."""
        self._serving = asyncio.create_task(self._uvicorn.serve([self._socket]), name="doorpad-api")
        await self._uvicorn.listening.wait()

    def look(self, now_s: float) -> None:
        """Look after the connections at this time of the loop; once a second it does so by itself."""
        self._uvicorn.look(now_s)

    @property
    def connections(self) -> list[Connection]:
        """Those that are open."""
        return self._uvicorn.connections

    async def stop(self) -> None:
        """Finish the requests under way, for at most 5 s, and close the socket."""
        self._uvicorn.stopping.set()
        if self._serving is not None:
            await self._serving
        self._socket.close()


def _bind(host: str, port: int) -> socket.socket:
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it each answer waits 40 ms.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        # Listening here already: two sockets may be bound to one port, but only one may listen.
        bound.listen(128)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(host, port) from None
        raise
    return bound
