"""A load generator for the benchmarks of the API: raw sockets, keep-alive, a process of its own.

    python benchmarks/api_load.py < work.json

Reads one JSON object: `port`, `clients`, `requests` (a list of `[verb, path, headers, body]`, sent in turn by all
clients together), and `seconds` or, without it, each request once. Each client sends its next request when the
answer to the last one is whole. Prints one JSON object: `answers`, `seconds`, `latencies_ms` (each, in order of
arrival), `not_ok` (statuses other than 200, with their number) and `busy` (the share of a core that this process
used: near 1.0 it was the limit and not the server).

An HTTP library takes longer over a request than the servers that are measured; this only looks for the end of the
head, `content-length` and the status.
"""

import asyncio
import itertools
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import uvloop

_ROOM_BYTES = 1 << 18
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Load:
    """What all clients share: the requests that are left, and what came of those that were sent."""

    def __init__(self, requests: Iterator[bytes], until: float | None) -> None:
        self._requests = requests
        self._until = until
        self.latencies_ms: list[float] = []
        self.not_ok: Counter[int] = Counter()

    def next(self) -> bytes | None:
        """The request that is to be sent now; None when it is over."""
        if self._until is not None and time.perf_counter() >= self._until:
            return None
        return next(self._requests, None)

    def answered(self, status: int, sent_at: float) -> None:
        self.latencies_ms.append((time.perf_counter() - sent_at) * 1_000)
        if status != 200:
            self.not_ok[status] += 1


class Client(asyncio.BufferedProtocol):
    """One connection. `done` is set when there is nothing left to send.

    The kernel writes into one buffer that stays: to gather an answer of a megabyte from its pieces took longer than
    the servers take to send it.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = bytearray(_ROOM_BYTES)
        self._got = 0  # bytes of the answer that are in the buffer
        self._whole: int | None = None  # bytes of the answer, once its head is there
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the server closed a connection"))

    def get_buffer(self, sizehint: int) -> memoryview:
        if len(self._buffer) - self._got < _ROOM_BYTES // 2:
            self._buffer = self._buffer[: self._got] + bytearray(2 * len(self._buffer))
        return memoryview(self._buffer)[self._got :]

    def buffer_updated(self, nbytes: int) -> None:
        self._got += nbytes
        if self._whole is None:
            head = self._buffer.find(b"\r\n\r\n", 0, self._got)
            if head < 0:
                return
            length = _LENGTH.search(self._buffer, 0, head)
            if length is None:
                raise ValueError(f"an answer without a length: {bytes(self._buffer[:200])!r}")
            self._whole = head + 4 + int(length[1])
        if self._got >= self._whole:
            self._load.answered(int(self._buffer[9:12]), self._sent_at)
            self._got = 0
            self._whole = None
            self._send()

    def _send(self) -> None:
        request = self._load.next()
        if request is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


def encoded(request: tuple[str, str, dict[str, str], str]) -> bytes:
    verb, path, headers, body = request
    lines = [f"{verb} {path} HTTP/1.1", "host: 127.0.0.1", *(f"{name}: {it}" for name, it in headers.items())]
    if body:
        lines.append(f"content-length: {len(body.encode())}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


async def run(port: int, clients: int, requests: list[bytes], seconds: float | None) -> dict[str, object]:
    began, used = time.perf_counter(), time.process_time()
    until = None if seconds is None else began + seconds
    load = Load(iter(requests) if seconds is None else itertools.cycle(requests), until)
    loop = asyncio.get_running_loop()
    connected = [
        await loop.create_connection(lambda: Client(load), "127.0.0.1", port) for _ in range(clients)
    ]
    await asyncio.gather(*(client.done for _, client in connected))
    took = time.perf_counter() - began
    return {
        "answers": len(load.latencies_ms),
        "seconds": took,
        "latencies_ms": load.latencies_ms,
        "not_ok": load.not_ok,
        "busy": (time.process_time() - used) / took,
    }


def main() -> None:
    work = json.load(sys.stdin)
    requests = [encoded(it) for it in work["requests"]]
    measured = uvloop.run(run(work["port"], work["clients"], requests, work.get("seconds")))
    # Buffered, whatever PYTHONUNBUFFERED says: without a buffer, a long write that a signal cuts short is lost.
    with open(sys.stdout.fileno(), "wb", closefd=False) as output:
        output.write(json.dumps(measured).encode())


if __name__ == "__main__":
    main()
