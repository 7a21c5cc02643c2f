"""Webhooks: real receivers on the loopback, the SDK's own verifier, and a clock that the test moves."""

import asyncio
import contextlib
import json
import re
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_world import World, check_refused
from doorpad.api.events import event_object
from doorpad.api.keys import ApiKeys, add_key, generate_key
from doorpad.api.server import Server
from doorpad.events import delivery
from doorpad.events.delivery import Deliverer
from doorpad.events.log import record
from doorpad.events.posting import Poster
from doorpad.events.signing import new_secret, signed_headers
from doorpad.store import sqlite
from doorpad.store.database import FILE_NAME, Database
from doorpad.store.schema import Delivery, Webhook
from doorpad.store.sqlite import Dialect
from seam import AsyncSeam, SeamWebhook
from sqlalchemy import func, select, text

UNKNOWN = "00000000-0000-4000-8000-000000000000"
WEEK_MS = 7 * 86_400_000


@dataclass
class Receiver:
    """An HTTP server that keeps what it is told. `status`: what it answers; None: nothing, until it is closed."""

    status: int | None = 200
    got: asyncio.Queue[tuple[dict[str, str], bytes]] = field(default_factory=asyncio.Queue)
    server: Server = field(init=False)

    def __post_init__(self) -> None:
        self.server = Server(self)
        self._closing = asyncio.Event()

    @property
    def url(self) -> str:
        return f"{self.server.url}/hook?a=b"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        assert (scope["method"], scope["path"], scope["query_string"]) == ("POST", "/hook", b"a=b")
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status = self.status
        self.got.put_nowait((headers, body))
        if status is None:
            await self._closing.wait()
            status = 500
        location = [(b"location", self.url.encode())] if status // 100 == 3 else []
        await send({"type": "http.response.start", "status": status, "headers": location})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def events(self, count: int) -> list[dict[str, Any]]:
        """The next events that come, in their order."""
        async with asyncio.timeout(60):
            return [json.loads((await self.got.get())[1]) for _ in range(count)]

    async def close(self) -> None:
        self._closing.set()
        await self.server.stop()


@contextlib.asynccontextmanager
async def receiving(status: int | None = 200) -> AsyncIterator[Receiver]:
    receiver = Receiver(status)
    await receiver.server.start()
    yield receiver
    await receiver.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@contextlib.asynccontextmanager
async def delivering(world: World, *, private_allowed: bool = True) -> AsyncIterator[Deliverer]:
    poster = Poster(private_allowed=private_allowed)
    deliverer = Deliverer(world.database, world.feed, poster, event_object, lambda: world.now_ms)
    task = asyncio.create_task(deliverer.run())
    yield deliverer
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await poster.close()


@pytest.fixture
async def deliverer(world: World) -> AsyncIterator[Deliverer]:
    async with delivering(world) as deliverer:
        yield deliverer


async def log(world: World, number: int, device_id: str | None, event_type: str = "device.connected") -> str:
    """Log an event; returns its id."""
    id_ = f"00000000-0000-4000-8000-{number:012}"
    async with world.database.write() as session:
        await record(
            session,
            event_id=id_,
            event_type=event_type,
            device_id=device_id,
            access_code_id=None,
            occurred_at_ms=world.now_ms,
            created_at_ms=world.now_ms,
            payload={},
        )
    return id_


async def outbox(world: World) -> list[tuple[int, int]]:
    """Attempts and time of the next one, of all that waits."""
    async with world.database.read() as session:
        rows = await session.execute(select(Delivery.attempts, Delivery.next_at_ms).order_by(Delivery.seq))
        return [(attempts, next_at_ms) for attempts, next_at_ms in rows]


async def until(world: World, expected: list[tuple[int, int]]) -> None:
    """Wait for the outbox to be so, and look again after each commit."""
    committed = asyncio.Event()

    def tell(_session: object) -> None:
        committed.set()

    world.database.after_commit.append(tell)
    async with asyncio.timeout(60):
        while await outbox(world) != expected:
            await committed.wait()
            committed.clear()
    world.database.after_commit.remove(tell)


async def test_events_of_our_own_are_told_to_who_asks_for_them_by_name_and_to_nobody_else(
    world: World, seam: AsyncSeam
) -> None:
    await seam.webhooks.create(url="https://all.example/", event_types=["*"])
    named = await seam.webhooks.create(url="https://own.example/", event_types=["doorpad.journal_gap"])
    common, own = await log(world, 1, None), await log(world, 2, None, "doorpad.journal_gap")
    async with world.database.read() as session:
        waiting = [tuple(row) for row in await session.execute(select(Delivery.webhook_id, Delivery.seq))]
    assert len(waiting) == 2 and [seq for id_, seq in waiting if id_ == named.webhook_id] == [2]
    since = "2000-01-01T00:00:00Z"
    assert [it.event_id for it in await seam.events.list(since=since)] == [common]
    for asked in ({"event_type": "doorpad.journal_gap"}, {"event_types": ["doorpad.journal_gap"]}):
        assert [it.event_id for it in await seam.events.list(since=since, **asked)] == [own]
    assert [it.event_id for it in await seam.events.list(since=since, event_ids=[own])] == [own]
    assert (await seam.events.get(event_id=own)).event_type == "doorpad.journal_gap"


async def test_event_is_delivered_as_the_api_shows_it_and_the_sdk_verifies_it(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, deliverer: Deliverer, receiver: Receiver
) -> None:
    webhook = await seam.webhooks.create(url=receiver.url)
    device_id = await world.add_device()
    await seam.access_codes.create(device_id=device_id, code="482913")
    async with asyncio.timeout(60):
        headers, body = await receiver.got.get()
    shown = (await http.post("/events/list", json={"since": "2027-01-01T00:00:00Z"})).json()["events"]
    assert [json.loads(body)] == shown
    assert b"482913" not in body
    # The verifier wants a timestamp of these minutes, and the clock of this world is elsewhere.
    fresh = signed_headers(webhook.secret, shown[0]["event_id"], int(time.time()), body)
    assert SeamWebhook(webhook.secret).verify(body.decode(), fresh).event_type == "access_code.created"
    assert headers["webhook-timestamp"] == headers["svix-timestamp"] == str(world.now_ms // 1000)
    assert headers["webhook-id"] == headers["svix-id"] == shown[0]["event_id"]
    again = signed_headers(webhook.secret, shown[0]["event_id"], world.now_ms // 1000, body)
    assert headers["webhook-signature"] == headers["svix-signature"] == again["webhook-signature"]
    assert headers["content-type"] == "application/json"
    await until(world, [])


@pytest.mark.parametrize("spoilt", ["body", "old", "secret"])
def test_verifier_of_the_sdk_refuses_what_was_spoilt(spoilt: str) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the scheme's own documentation
    body = '{"event_id": "1", "event_type": "device.connected"}'
    signed_s = int(time.time()) - (360 if spoilt == "old" else 0)
    headers = signed_headers(secret, "1", signed_s, body.encode())
    if spoilt == "body":
        body = body.replace("connected", "removed")
    if spoilt == "secret":
        secret = "whsec_" + "A" * 32
    with pytest.raises(Exception, match=r"(?i)signature|timestamp"):
        SeamWebhook(secret).verify(body, headers)


def test_signature_is_the_one_of_the_schemes_documentation() -> None:
    # The example of the Standard Webhooks specification.
    headers = signed_headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_failed_delivery_is_retried_by_the_schedule_with_the_same_id(
    world: World, seam: AsyncSeam, deliverer: Deliverer, receiver: Receiver, device_id: str
) -> None:
    receiver.status = 503
    await seam.webhooks.create(url=receiver.url)
    event_id = await log(world, 1, device_id)
    at_ms = world.now_ms
    # As upstream: now, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h.
    for attempt, wait_s in enumerate((5, 300, 1_800, 7_200, 18_000, 36_000, 36_000), 1):
        async with asyncio.timeout(60):
            headers, _ = await receiver.got.get()
        assert headers["webhook-id"] == event_id
        assert headers["webhook-timestamp"] == str(at_ms // 1000)
        await until(world, [(attempt, at_ms + wait_s * 1000)])
        world.now_ms = at_ms + wait_s * 1000 - 1
        deliverer.wake()
        at_ms += wait_s * 1000
        await until(world, [(attempt, at_ms)])
        assert receiver.got.empty()
        world.now_ms = at_ms
        receiver.status = 200 if attempt == 7 else 503
        deliverer.wake()
    assert [it["event_id"] for it in await receiver.events(1)] == [event_id]
    await until(world, [])


async def test_event_that_nobody_took_for_a_week_is_dropped(
    world: World, seam: AsyncSeam, deliverer: Deliverer, receiver: Receiver, device_id: str
) -> None:
    receiver.status = 500
    await seam.webhooks.create(url=receiver.url)
    await log(world, 1, device_id)
    await receiver.events(1)
    await until(world, [(1, world.now_ms + 5_000)])
    world.now_ms += WEEK_MS
    deliverer.wake()
    await until(world, [])
    assert receiver.got.empty()


async def test_order_is_kept_within_a_device_and_others_do_not_wait(
    world: World, seam: AsyncSeam, deliverer: Deliverer, receiver: Receiver
) -> None:
    first, second = await world.add_device("00112233445566aa"), await world.add_device("00112233445566bb")
    receiver.status = 500
    await seam.webhooks.create(url=receiver.url)
    failing = await log(world, 1, first)
    assert [it["event_id"] for it in await receiver.events(1)] == [failing]
    await until(world, [(1, world.now_ms + 5_000)])
    behind = await log(world, 2, first)
    receiver.status = 200
    other = await log(world, 3, second)
    # The second device does not wait for the first; and its success shows that the receiver is well again.
    assert [it["event_id"] for it in await receiver.events(3)] == [other, failing, behind]
    await until(world, [])


async def test_dead_receiver_blocks_nobody_else(
    world: World, seam: AsyncSeam, deliverer: Deliverer, receiver: Receiver
) -> None:
    doors = [await world.add_device(f"00112233445566{number:02x}") for number in range(12)]
    async with receiving(status=None) as dead:
        await seam.webhooks.create(url=dead.url)
        await seam.webhooks.create(url="http://127.0.0.1:1/hook?a=b")  # nobody listens there
        await seam.webhooks.create(url=receiver.url)
        logged = {await log(world, number, door) for number, door in enumerate(doors)}
        assert {it["event_id"] for it in await receiver.events(12)} == logged
        await dead.events(4)  # no more than these are under way to one receiver
        assert dead.got.empty()


async def test_outbox_that_a_dead_receiver_fills_is_not_read_from_end_to_end(world: World) -> None:
    """What it costs is not known to a test, but how SQLite goes about it is."""
    async with world.database.read() as session:
        plan = await session.execute(text(f"EXPLAIN QUERY PLAN {delivery._HEADS.compile(dialect=Dialect())}"))
        steps = [step for *_, step in plan]
    assert "SEARCH d USING COVERING INDEX ix_deliveries_webhook_id_device_id_seq" in "\n".join(steps)
    assert not [step for step in steps if re.match("SCAN (d|deliveries|events)\\b", step)]


async def test_lock_of_another_program_holds_deliveries_up_and_no_longer_than_it_lasts(
    migrated: Path, tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_MS", 1)
    monkeypatch.setattr(delivery, "_AGAIN_S", 0.0)
    shutil.copytree(migrated, tmp_path / "locked")
    database = await Database.open(tmp_path / "locked")
    key = generate_key()
    add_key(tmp_path / "locked", key, "test")
    world = World(database, key, ApiKeys(tmp_path / "locked"))
    other = sqlite3.connect(tmp_path / "locked" / FILE_NAME, isolation_level=None)
    async with database.write() as session:
        session.add(
            Webhook(
                webhook_id=UNKNOWN,
                url=receiver.url,
                secret=new_secret(),
                event_types=["*"],
                created_at_ms=0,
            )
        )
    logged = [await log(world, number, None) for number in range(2)]
    other.execute("BEGIN IMMEDIATE")
    async with delivering(world):
        # Sent twice at least, for that it arrived could not be written down; then both, in their order.
        assert [it["event_id"] for it in await receiver.events(2)] == [logged[0]] * 2
        other.execute("ROLLBACK")
        await until(world, [])
    told = [json.loads(receiver.got.get_nowait()[1])["event_id"] for _ in range(receiver.got.qsize())]
    assert list(dict.fromkeys(told))[-1] == logged[1]
    other.close()
    await database.close()


async def test_outbox_outlives_the_process(
    world: World, seam: AsyncSeam, receiver: Receiver, device_id: str
) -> None:
    await seam.webhooks.create(url=receiver.url)
    logged = [await log(world, number, device_id) for number in range(3)]
    async with delivering(world):
        assert [it["event_id"] for it in await receiver.events(3)] == logged
        await until(world, [])
    async with delivering(world):
        new = await log(world, 9, device_id)
        assert [it["event_id"] for it in await receiver.events(1)] == [new]


async def test_redirect_is_not_followed_and_gone_ends_the_webhook(
    world: World, seam: AsyncSeam, deliverer: Deliverer, receiver: Receiver, device_id: str
) -> None:
    receiver.status = 302
    webhook = await seam.webhooks.create(url=receiver.url)
    await log(world, 1, device_id)
    await receiver.events(1)
    await until(world, [(1, world.now_ms + 5_000)])
    assert receiver.got.empty()
    receiver.status = 410
    world.now_ms += 5_000
    deliverer.wake()
    await receiver.events(1)
    await until(world, [])
    await log(world, 2, device_id)
    assert await outbox(world) == []
    receiver.status = 200
    await seam.webhooks.update(webhook_id=webhook.webhook_id, event_types=["*"])
    back = await log(world, 3, device_id)
    assert [it["event_id"] for it in await receiver.events(1)] == [back]


async def test_webhook_gets_the_types_that_it_asked_for(
    world: World, seam: AsyncSeam, deliverer: Deliverer, receiver: Receiver, device_id: str
) -> None:
    webhook = await seam.webhooks.create(
        url=receiver.url, event_types=["device.connected", "device.connected"]
    )
    assert webhook.event_types == ["device.connected"]
    await log(world, 1, device_id, "device.disconnected")
    connected = await log(world, 2, device_id)
    assert [it["event_id"] for it in await receiver.events(1)] == [connected]
    await seam.webhooks.update(webhook_id=webhook.webhook_id, event_types=["device.disconnected"])
    await log(world, 3, device_id)
    disconnected = await log(world, 4, device_id, "device.disconnected")
    assert [it["event_id"] for it in await receiver.events(1)] == [disconnected]
    await until(world, [])


async def test_webhook_is_shown_listed_without_its_secret_and_deleted(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, receiver: Receiver, device_id: str
) -> None:
    made = await seam.webhooks.create(url=receiver.url)
    assert made.secret.startswith("whsec_")
    assert (made.url, made.event_types) == (receiver.url, ["*"])
    assert await seam.webhooks.get(webhook_id=made.webhook_id) == made
    (listed,) = (await http.get("/webhooks/list")).json()["webhooks"]
    assert listed == {"webhook_id": made.webhook_id, "url": made.url, "event_types": ["*"]}
    await log(world, 1, device_id)
    assert len(await outbox(world)) == 1
    await seam.webhooks.delete(webhook_id=made.webhook_id)
    await seam.webhooks.delete(webhook_id=made.webhook_id)  # sent again, as after a lost answer
    assert await outbox(world) == []
    assert await seam.webhooks.list() == []
    check_refused(await http.get(f"/webhooks/get?webhook_id={made.webhook_id}"), 404, "webhook_not_found")
    for path, body in [("update", {"event_types": ["*"]}), ("delete", {})]:
        response = await http.post(f"/webhooks/{path}", json={"webhook_id": UNKNOWN, **body})
        check_refused(response, 404, "webhook_not_found")


@pytest.mark.parametrize(
    ("body", "type_", "fields"),
    [
        ({}, "invalid_input", ("url",)),
        ({"url": "ftp://example.com/"}, "invalid_input", ("url",)),
        ({"url": "example.com"}, "invalid_input", ("url",)),
        ({"url": "http://"}, "invalid_input", ("url",)),
        ({"url": "http://[::1"}, "invalid_input", ("url",)),
        ({"url": "https://example.com:port/"}, "invalid_input", ("url",)),
        ({"url": "https://example.com:0/"}, "invalid_input", ("url",)),
        ({"url": "https://exa mple.com/"}, "invalid_input", ("url",)),
        ({"url": "https://example..com/"}, "invalid_input", ("url",)),
        ({"url": "https://-example.com/"}, "invalid_input", ("url",)),
        ({"url": f"https://{'x' * 64}.com/"}, "invalid_input", ("url",)),
        ({"url": "https://user:pass@example.com/"}, "invalid_input", ("url",)),
        ({"url": "https://example.com/\r\nx: y"}, "invalid_input", ("url",)),
        ({"url": "https://example.com/" + "x" * 2_000}, "invalid_input", ("url",)),
        ({"url": "https://example.com/", "event_types": []}, "invalid_input", ("event_types",)),
        ({"url": "https://example.com/", "event_types": ["door.opened"]}, "invalid_event_types", ()),
    ],
    ids=lambda value: repr(value)[:50],
)
async def test_webhook_that_cannot_be_is_refused(
    http: httpx.AsyncClient, body: dict[str, object], type_: str, fields: tuple[str, ...]
) -> None:
    check_refused(await http.post("/webhooks/create", json=body), 400, type_, *fields)
    assert (await http.get("/webhooks/list")).json()["webhooks"] == []


async def test_hundredth_webhook_is_the_last(world: World, http: httpx.AsyncClient) -> None:
    async with world.database.write() as session:
        for number in range(99):
            id_ = f"00000000-0000-4000-8000-{number:012}"
            session.add(Webhook(webhook_id=id_, url="-", secret="-", event_types=["*"], created_at_ms=0))
    asked = {"url": "https://example.org/"}
    last = (await http.post("/webhooks/create", json=asked)).json()["webhook"]
    check_refused(await http.post("/webhooks/create", json=asked), 400, "too_many_webhooks")
    await http.delete(f"/webhooks/delete?webhook_id={last['webhook_id']}")
    assert (await http.post("/webhooks/create", json=asked)).status_code == 200


async def test_private_addresses_are_for_owners_who_allow_them(
    world: World, tmp_path: Path, receiver: Receiver, device_id: str
) -> None:
    strict = World(world.database, world.key, ApiKeys(tmp_path / "data"), private_webhooks=False)
    await strict.server.start()
    headers = {"authorization": f"Bearer {world.key}"}
    async with httpx.AsyncClient(base_url=strict.server.url, headers=headers) as http:
        for host in ("127.0.0.1", "10.0.0.8", "169.254.169.254", "[::1]", "[fd00::1]", "192.168.1.2"):
            response = await http.post("/webhooks/create", json={"url": f"http://{host}:8080/hook"})
            check_refused(response, 400, "invalid_input", "url")
        # Of a name it is not known before it is looked up: then nothing is sent.
        url = receiver.url.replace("127.0.0.1", "localhost")
        assert (await http.post("/webhooks/create", json={"url": url})).status_code == 200
    async with delivering(world, private_allowed=False):
        await log(world, 1, device_id)
        await until(world, [(1, world.now_ms + 5_000)])
    assert receiver.got.empty()
    world.now_ms += 5_000
    async with delivering(world):
        await receiver.events(1)
    await strict.server.stop()


async def test_event_without_a_webhook_leaves_nothing_behind(world: World, device_id: str) -> None:
    await log(world, 1, device_id)
    async with world.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(Delivery)) == 0
