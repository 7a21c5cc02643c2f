"""Clients that are no SDK: what one connection may cost, and that each ends in a clear answer.

The clock that ends connections is the test's: it looks after them as of a later time.
"""

import asyncio
import json
import resource
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import pytest
from api_world import World
from doorpad.api import connections
from doorpad.api.connections import (
    AHEAD_MAX,
    BODY_S,
    HEAD_BYTES_MAX,
    HEAD_S,
    HEADERS_MAX,
    IDLE_S,
    TAKE_S,
    UNHEEDED_BYTES_MAX,
    Connection,
    connections_max,
)

HOST = b"Host: hub\r\n"
HEALTH = b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n"
PATIENCE_S = 60


class Client:
    """A TCP connection that says what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, world: World) -> "Client":
        return cls(*await asyncio.open_connection(world.server.host, world.server.port))

    def say(self, said: bytes) -> None:
        self._writer.write(said)

    async def say_all(self, parts: Iterable[bytes]) -> int:
        """Send until that is no longer possible; returns the bytes that went out."""
        sent = 0
        try:
            for part in parts:
                self._writer.write(part)
                await self._writer.drain()
                sent += len(part)
        except ConnectionError:
            pass
        return sent

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON of the next answer."""
        async with asyncio.timeout(PATIENCE_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")[:-2]
            headers = dict(line.split(": ", 1) for line in lines)
            body = await self._reader.readexactly(int(headers["content-length"]))
        return int(first.split()[1]), headers, json.loads(body)

    async def rest(self) -> bytes:
        """What comes until the hub closes."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self._reader.read()
            except ConnectionError:
                return b""

    def take_nothing(self) -> None:
        self._writer.transport.pause_reading()

    async def go_ahead(self) -> None:
        """The word that the hub waits for the body."""
        async with asyncio.timeout(PATIENCE_S):
            assert await self._reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"

    def close(self) -> None:
        self._writer.transport.abort()


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    client = await Client.to(world)
    yield client
    client.close()


async def check_refused(client: Client, status: int, type_: str) -> None:
    """One answer outside of any request, in the envelope."""
    found, headers, body = await client.answer()
    assert (found, body["error"]["type"], body["ok"]) == (status, type_, False)
    assert headers["content-type"] == "application/json"
    assert headers["connection"] == "close"
    assert headers["seam-request-id"] == body["error"]["request_id"]


def later(world: World, seconds: float) -> None:
    """Let the server look after its connections as it will so much later."""
    world.server.look(asyncio.get_running_loop().time() + seconds)


ENDLESS = 64 << 20  # bytes: far more than may be taken


def endless(unit: bytes) -> Iterable[bytes]:
    return (unit for _ in range(ENDLESS // len(unit) + 1))


POST = b"POST /devices/list HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "unit"),
    [
        (b"GET /", b"x" * 65_536),
        (b"GET /devices/list?a=", b"&b=" * 20_000),
        (b"GET / HTTP/1.1\r\n" + HOST + b"a: ", b"x" * 65_536),
        (b"GET / HTTP/1.1\r\n" + HOST, b"x" * 65_536),
        (b"GET / HTTP/1.1\r\n", b"a: b\r\n" * 10_000),
        (b"", b"\r\n" * 30_000),
        (CHUNKED[:-2] + b"authorization: Bearer KEY\r\n\r\n0\r\n", b"a: b\r\n" * 10_000),
    ],
    ids=["path", "query", "value", "name", "headers", "blank lines", "trailers"],
)
async def test_head_without_an_end_is_refused_and_not_kept(
    world: World, client: Client, head: bytes, unit: bytes
) -> None:
    client.say(head.replace(b"KEY", world.key.encode()))
    sending = asyncio.create_task(client.say_all(endless(unit)))
    await check_refused(client, 431, "request_header_fields_too_large")
    client.close()
    await sending


@pytest.mark.parametrize("size", [HEAD_BYTES_MAX - 200, HEAD_BYTES_MAX + 1])
@pytest.mark.parametrize("step", [1_000, 1 << 20])
async def test_query_may_be_as_long_as_a_head_however_it_comes(
    world: World, client: Client, size: int, step: int
) -> None:
    said = b"GET /devices/list?search=&x=" + b"y" * size + b" HTTP/1.1\r\n" + HOST
    said += f"authorization: Bearer {world.key}\r\n\r\n".encode()
    await client.say_all(said[at : at + step] for at in range(0, len(said), step))
    if size < HEAD_BYTES_MAX:
        assert (await client.answer())[0] == 200
    else:
        await check_refused(client, 431, "request_header_fields_too_large")


@pytest.mark.parametrize("count", [HEADERS_MAX - 1, HEADERS_MAX])
async def test_headers_are_counted(client: Client, count: int) -> None:
    client.say(HEALTH[:-2] + b"a:\r\n" * count + b"\r\n")
    if count < HEADERS_MAX:
        assert (await client.answer())[0] == 200
    else:
        await check_refused(client, 431, "request_header_fields_too_large")


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 99,  # a handshake of TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /health HTTP/9.9\r\n" + HOST + b"\r\n",
        b"GET /health HTTP/1.1\nHost: hub\n\n",
        b"GET /health HTTP/1.1\r\nHost : hub\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: \x00\r\n\r\n",
        "GET /hé HTTP/1.1\r\n\r\n".encode(),
        b"CONNECT hub:80 HTTP/1.1\r\n" + HOST + b"\r\n",
        POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{} ",
        POST + b"content-length: -2\r\n\r\n{}",
        POST + b"content-length: 99999999999999999999999\r\n\r\n{}",
        POST + b"transfer-encoding: gzip\r\n\r\n{}",
        CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        b"G" * 100_000,
    ],
    ids=lambda said: repr(said[:40]) if said[:4] != b"POST" else repr(said[len(POST) :][:40]),
)
async def test_what_is_not_http_is_told_so(client: Client, said: bytes) -> None:
    client.say(said)
    await check_refused(client, 400, "invalid_input")


async def test_requests_ahead_of_their_answers_are_answered_in_their_order(client: Client) -> None:
    client.say(HEALTH * (AHEAD_MAX // 2) + HEALTH.replace(b"health", b"none"))
    assert [(await client.answer())[0] for _ in range(AHEAD_MAX // 2 + 1)] == [200] * (AHEAD_MAX // 2) + [401]


async def test_requests_without_number_ahead_of_their_answers_end_the_connection(client: Client) -> None:
    sent = await client.say_all(endless(HEALTH * 2_000))
    assert sent < ENDLESS
    assert (await client.rest()).count(b"HTTP/1.1 200 OK") <= 2


async def test_garbage_after_a_request_does_not_cost_its_answer(
    world: World, client: Client, device_id: str
) -> None:
    body = json.dumps({"device_id": device_id, "code": "482913"}).encode()
    client.say(
        b"POST /access_codes/create HTTP/1.1\r\n%sauthorization: Bearer %s\r\ncontent-length: %d\r\n\r\n"
        % (HOST, world.key.encode(), len(body))
        + body
        + b"\x00" * 9
    )
    status, headers, reply = await client.answer()
    assert (status, reply["access_code"]["code"], headers["connection"]) == (200, "482913", "close")
    assert await client.rest() == b""


async def test_body_that_goes_on_after_the_answer_is_cut_off(client: Client) -> None:
    client.say(POST + b"content-length: %d\r\n\r\n" % ENDLESS)
    assert (await client.answer())[0] == 401
    assert UNHEEDED_BYTES_MAX < await client.say_all(endless(b"x" * 65_536)) < ENDLESS


@pytest.mark.parametrize(
    ("said", "limit_s", "status"),
    [
        (b"", HEAD_S, None),
        (b"\r\n", HEAD_S, None),
        (b"GET /heal", HEAD_S, 408),
        (HEALTH[:-2], HEAD_S, 408),
    ],
    ids=["nothing", "blank line", "half a line", "no end"],
)
async def test_client_that_does_not_finish_its_head_is_hung_up_on(
    world: World, client: Client, said: bytes, limit_s: float, status: int | None
) -> None:
    client.say(said)
    other = await Client.to(world)
    other.say(HEALTH)
    await other.answer()  # what was said before has come, too
    later(world, limit_s - 1)
    later(world, limit_s + 1)
    if status is not None:
        await check_refused(client, status, "request_timeout")
        later(world, limit_s + 5)
    assert await client.rest() == b""
    other.close()


async def test_bytes_that_begin_no_request_do_not_keep_a_connection(world: World, client: Client) -> None:
    client.say(HEALTH)
    await client.answer()
    (connection,) = world.server.connections
    client.say(b"\r\n")
    async with asyncio.timeout(PATIENCE_S):
        while connection.timeout_keep_alive_task is not None:  # the server's own end of an idle connection
            await asyncio.sleep(0)
    later(world, 0)
    later(world, HEAD_S + 1)
    assert await client.rest() == b""


async def test_body_that_comes_slowly_has_its_time_and_no_more(world: World, client: Client) -> None:
    key = f"authorization: Bearer {world.key}\r\n".encode()
    client.say(POST + key + b"expect: 100-continue\r\ncontent-length: 30\r\n\r\n")
    await client.go_ahead()
    client.say(b"{")
    later(world, BODY_S - 1)
    later(world, BODY_S + 1)
    await check_refused(client, 408, "request_timeout")


async def test_connection_is_kept_for_longer_than_the_sdks_keep_theirs(world: World, client: Client) -> None:
    """Both ends giving up at the same time would cost a POST, which nobody sends again."""
    theirs = httpx.Limits().keepalive_expiry
    assert theirs is not None and 2 * theirs < IDLE_S
    client.say(HEALTH)
    await client.answer()
    later(world, IDLE_S - 1)
    client.say(HEALTH)
    assert (await client.answer())[0] == 200


async def test_client_that_takes_no_answer_is_hung_up_on(
    world: World, client: Client, device_id: str
) -> None:
    """The answer stays in the hub's memory until it is taken."""
    client.take_nothing()
    for number in range(200):
        id_ = f"00000000-0000-4000-8000-{number:012}"
        await world.add_code(device_id, id_, code=f"{5000 + number}", name="x" * 255)
    asked = (
        f"GET /access_codes/list?device_id={device_id} HTTP/1.1\r\nauthorization: Bearer {world.key}\r\n\r\n"
    )
    client.say(asked.encode() * AHEAD_MAX)
    stuck: list[Connection] = []
    async with asyncio.timeout(PATIENCE_S):
        while not stuck:
            await asyncio.sleep(0)
            stuck = [it for it in world.server.connections if it.transport.get_write_buffer_size() > 0]
    later(world, TAKE_S - 1)
    assert list(world.server.connections) == stuck
    later(world, TAKE_S + 1)
    later(world, 2 * TAKE_S + 2)
    async with asyncio.timeout(PATIENCE_S):
        while world.server.connections:
            await asyncio.sleep(0)


async def test_more_connections_than_there_may_be_are_told_so(
    world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await http.get("/health")).status_code == 200
    monkeypatch.setattr(connections, "_CONNECTIONS_MAX", 3)
    two = [await Client.to(world) for _ in range(2)]
    for client in two:
        client.say(HEALTH)
        assert (await client.answer())[0] == 200
    third = await Client.to(world)
    await check_refused(third, 503, "service_unavailable")
    two[0].close()
    async with asyncio.timeout(PATIENCE_S):
        while len(world.server.connections) > 2:
            await asyncio.sleep(0)
    fourth = await Client.to(world)
    fourth.say(HEALTH)
    assert (await fourth.answer())[0] == 200
    assert (await http.get("/health")).status_code == 200
    for client in (two[1], third, fourth):
        client.close()


def test_connections_leave_half_of_the_files_to_the_rest_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    for files, connections_at_once in [(256, 128), (1 << 20, 1_000), (resource.RLIM_INFINITY, 1_000)]:
        monkeypatch.setattr(resource, "getrlimit", lambda _, files=files: (files, files))
        assert connections_max() == connections_at_once
