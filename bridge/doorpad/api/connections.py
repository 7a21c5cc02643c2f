"""What one client's connection may cost before it has said who it is: bytes, requests ahead of answers, and time.

The server underneath keeps a head, and requests that came before the last one was answered, for as long and as big
as a client makes them. Here each has a bound, and who goes beyond it is told so and hung up on.
"""

import asyncio
import resource
from typing import Any
from uuid import uuid4

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from doorpad.api import errors
from doorpad.api.errors import ApiError

HEAD_BYTES_MAX = 64 << 10  # request line and headers: a query with the ids of 1,200 codes
HEADERS_MAX = 100
UNHEEDED_BYTES_MAX = 16 << 20  # of a body whose request is answered already: some clients send it whole first
AHEAD_MAX = 32  # requests that came before the one before them was answered
_CONNECTIONS_MAX = 1_000

HEAD_S = 10.0  # for a whole head, from connecting or from its first byte on
BODY_S = 60.0  # for a whole body, from the head on
IDLE_S = 30  # between two requests; the SDKs keep a connection for 5 s, and it is for them to end it first
TAKE_S = 30.0  # within it a client takes a part of its answer ...
_TAKE_BYTES_MIN = 64 << 10  # ... of this size, or all of it
_LEAVE_S = 2.0  # for a client that was refused, to read why


def connections_max() -> int:
    """How many connections there may be at once: of the files that this process may open, half at most."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _CONNECTIONS_MAX if files == resource.RLIM_INFINITY else min(_CONNECTIONS_MAX, files // 2)


class _TooMuch(Exception):
    """Raised out of a callback of the parser, which then takes no more."""


class Connection(HttpToolsProtocol):
    """One connection. Its server calls `look` about once a second. Times are the loop's, in seconds."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._read = 0  # bytes that came last
        self._begun_in = 0  # as many of them came in one with the message's first byte
        self._unkept = 0  # bytes that came after those, since the last one of a body
        self._unheeded = 0  # bytes that came after their request had been answered
        self._in_message = False
        self._in_body = False
        self._answering: RequestResponseCycle | None = (
            None  # of the requests that came, the one whose turn it is
        )
        self._waiting_since: float | None = None  # for the client to send
        self._stuck_since: float | None = None  # with an answer that the client does not take
        self._unsent = 0  # bytes, then
        self._leaving_since: float | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._waiting_since = self.loop.time()
        if len(self.connections) > connections_max():
            self._refuse(errors.unavailable("too many connections are open; close some, or try again"))
            transport.close()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._in_body and self._is_unheeded():
            self._unheeded += len(data)
            if self._unheeded > UNHEEDED_BYTES_MAX:
                self.transport.close()
                return
        self._read = len(data)
        self._unkept += len(data)
        super().data_received(data)
        # Of a request that came whole, as nearly all do, nothing is left to be counted.
        too_large = self._unkept > HEAD_BYTES_MAX or (self._in_message and self._has_many_headers())
        if too_large and not self._refused:
            self._refuse(errors.head_too_large(HEAD_BYTES_MAX, HEADERS_MAX))

    def send_400_response(self, msg: str) -> None:
        """For what the parser did not take."""
        too_large = self._has_many_headers() or self._has_large_head()
        self._refuse(errors.head_too_large(HEAD_BYTES_MAX, HEADERS_MAX) if too_large else errors.no_http())

    # What the parser calls:

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun_in = self._read
        self._unkept = self._unheeded = 0
        self._in_message, self._in_body = True, False
        self._waiting_since = self.loop.time()

    def on_headers_complete(self) -> None:
        if len(self.headers) > HEADERS_MAX or len(self.pipeline) >= AHEAD_MAX or self._has_large_head():
            raise _TooMuch
        super().on_headers_complete()
        self._unkept = 0
        self._in_body = True
        if not self.pipeline:
            self._answering = self.cycle

    def on_body(self, body: bytes) -> None:
        self._unkept = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_message = self._in_body = False
        self._waiting_since = None

    # What answers and transport call:

    def on_response_complete(self) -> None:
        if self.pipeline:
            self._answering = self.pipeline[-1][0]
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck_since, self._unsent = self.loop.time(), self.transport.get_write_buffer_size()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stuck_since = None

    def look(self, now_s: float) -> None:
        """End the connection if its client keeps it waiting for too long."""
        if self.transport.is_closing():
            if self._leaving_since is None:
                self._leaving_since = now_s
            elif now_s - self._leaving_since >= TAKE_S:
                self.transport.abort()  # closing waits for the client to take what it was sent
        elif self._stuck_since is not None:
            if now_s - self._stuck_since >= TAKE_S:
                left = self.transport.get_write_buffer_size()
                if left > self._unsent - _TAKE_BYTES_MIN:
                    self.transport.abort()
                self._stuck_since, self._unsent = now_s, left
        elif self._waiting_since is not None:
            self._look_at_client(now_s - self._waiting_since)
        elif self._is_answered() and self.timeout_keep_alive_task is None:
            self._waiting_since = now_s  # bytes came with which no request begins

    def _look_at_client(self, waited_s: float) -> None:
        if self._refused:
            if waited_s >= _LEAVE_S and self._is_answered():
                self.transport.close()
        elif waited_s >= (BODY_S if self._in_body else HEAD_S):
            if self._in_message and not self._is_unheeded():
                self._refuse(errors.too_slow())
            else:
                self.transport.close()

    def _is_answered(self) -> bool:
        return self._answering is None or self._answering.response_complete

    def _is_unheeded(self) -> bool:
        """Whether what comes is the body of a request that has been answered already."""
        return self._in_body and self.cycle.response_complete

    def _has_many_headers(self) -> bool:
        return self.headers is not None and len(self.headers) > HEADERS_MAX

    def _has_large_head(self) -> bool:
        if (
            self.headers is None or self._begun_in + self._unkept <= HEAD_BYTES_MAX
        ):  # as nearly always: then nothing has to be counted
            return False
        return (
            len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > HEAD_BYTES_MAX
        )

    def _refuse(self, error: ApiError) -> None:
        """Say why to what has just come, after the answers that are due, and take nothing more."""
        self._refused = True
        self._waiting_since = self.loop.time()
        self.pipeline.clear()
        if not self._is_answered():
            assert self._answering is not None
            whole = self._answering is not self.cycle or not self._in_body
            if whole or self._answering.response_started:
                self._answering.keep_alive = False  # nobody can be told: what is told now is that answer
                return
            self._answering.disconnected = True  # its body is what is refused
            self._answering.message_event.set()
        id_ = str(uuid4())
        body = msgspec.json.encode(error.envelope(id_))
        self.transport.write(
            STATUS_LINE[error.status]
            + b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n" % len(body)
            + b"seam-request-id: %s\r\n\r\n" % id_.encode()
            + body
        )
