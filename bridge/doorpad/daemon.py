"""The bridge: database, keypads and API in one event loop."""

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any

from doorpad import keyring, maintenance
from doorpad.api.app import create_app
from doorpad.api.events import event_object
from doorpad.api.keys import ApiKeys, add_key, generate_key
from doorpad.api.server import Server
from doorpad.api.vocabulary import in_vocabulary
from doorpad.config import Config
from doorpad.emulator.bench import BenchClient
from doorpad.emulator.keypad import BenchError
from doorpad.errors import BenchUnavailable
from doorpad.events.delivery import Deliverer
from doorpad.events.log import EventFeed
from doorpad.events.posting import Poster
from doorpad.link.statistics import KeypadStatistics, LinkStatistics
from doorpad.link.update import UpdateRefused
from doorpad.store.audit import audited, of_user
from doorpad.store.database import Database
from doorpad.store.identity import device_id_for
from doorpad.store.retention import ACTION_ATTEMPTS, AUDIT_LOG, EVENTS, forget_old
from doorpad.store.schema import Event, LinkState
from doorpad.store.schema import Hub as HubRow
from doorpad.sync.hub import Hub
from doorpad.sync.lines import Lines

Tell = Callable[[dict[str, Any]], None]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Benches:
    """The hands on the emulated keypads of a configuration (api.service.Bench)."""

    def __init__(self, controls: dict[str, Path]) -> None:
        self._clients = {device_id: BenchClient(path) for device_id, path in controls.items()}

    async def _ask(self, device_id: str, **request: object) -> None:
        client = self._clients.get(device_id)
        if client is None:
            raise BenchUnavailable(device_id)
        try:
            await client.request(**request)
        except BenchError as error:
            raise BenchUnavailable(device_id) from error

    async def press_keys(self, device_id: str, keys: str) -> None:
        await self._ask(device_id, press=keys)

    async def set_cable(self, device_id: str, connected: bool) -> None:
        await self._ask(device_id, cable="in" if connected else "out")

    async def program_code(self, device_id: str, code: str) -> None:
        await self._ask(device_id, program=code)


async def run(config: Config, tell: Tell, stop: asyncio.Event) -> None:
    """Serve until `stop` is set.

    Args:
        tell: called with one JSON object for everything worth telling: `ready` first, then `link`, `event` and
            `statistics`.
    Raises:
        DoorpadError: what a person has to mend first: the data folder, a key, the port.
    """
    async with contextlib.AsyncExitStack() as undo:
        database = await Database.open(config.data)
        undo.push_async_callback(database.close)
        for keypad in config.keypads:
            keyring.load(
                config.keys, keypad.serial
            )  # a key that is missing is told now, not at the first session
        new_key = _first_api_key(config.data)
        feed = EventFeed(database)
        told = _FromReadyOn(tell)
        await undo.enter_async_context(_forward_events(feed, told.tell))

        lines = Lines((device_id_for(keypad.serial) for keypad in config.keypads), _now_ms)

        def on_link(device_id: str, state: LinkState) -> None:
            lines.link(device_id, state)
            told.tell({"type": "link", "device_id": device_id, "state": state})

        def on_statistics(device_id: str, hub: LinkStatistics, keypad: KeypadStatistics) -> None:
            lines.count(device_id, hub, keypad)
            told.tell(
                {"type": "statistics", "device_id": device_id, "hub": asdict(hub), "keypad": asdict(keypad)}
            )

        hub = Hub(
            database,
            config.keypad_ports(),
            config.hub_ports(),
            config.timing,
            _now_ms,
            on_link,
            on_statistics,
        )
        controls = {
            device_id_for(keypad.serial): Path(keypad.control)
            for keypad in config.keypads
            if keypad.control is not None
        }
        app = create_app(
            database=database,
            keys=ApiKeys(config.data),
            changes=hub,
            bench=Benches(controls),
            now_ms=_now_ms,
            feed=feed,
            private_webhooks=config.private_webhooks,
            errors_vocabulary=config.errors_vocabulary,
            lines=lines.shown,
        )
        poster = Poster(private_allowed=config.private_webhooks)
        undo.push_async_callback(poster.close)

        def posted(hub: HubRow, event: Event) -> dict[str, Any]:
            shown: dict[str, Any] = in_vocabulary(
                config.errors_vocabulary, {"event": event_object(hub, event)}
            )["event"]
            return shown

        deliverer = Deliverer(database, feed, poster, posted, _now_ms)
        await undo.enter_async_context(_running(deliverer.run()))
        kept_days = {
            AUDIT_LOG: config.audit_kept_days,
            EVENTS: config.events_kept_days,
            ACTION_ATTEMPTS: config.events_kept_days,
        }
        await undo.enter_async_context(_running(forget_old(database, kept_days, _now_ms)))
        await hub.enrol()
        server = Server(app, host=config.host, port=config.port)
        await server.start()
        undo.push_async_callback(server.stop)
        undo.push_async_callback(hub.stop)
        ready: dict[str, Any] = {
            "type": "ready",
            "endpoint": server.url,
            "keypads": [
                {
                    "device_id": device_id_for(keypad.serial),
                    "serial": keypad.serial,
                    "name": keypad.name,
                    "link": keypad.port,
                }
                for keypad in config.keypads
            ],
        }
        if new_key is not None:
            ready["api_key"] = new_key

        def updated(serial: str, user: str) -> contextlib.AbstractAsyncContextManager[None]:
            actor = of_user("doorpad update", _now_ms(), user)
            return audited(database, actor, device_id_for(serial), ["firmware"], UpdateRefused)

        await undo.enter_async_context(
            maintenance.served(config.data, hub.session_with, hub.maintained, updated)
        )
        # What was loaded stays: the garbage collector need not stop everything for 0.1 s to look at it again.
        gc.collect()
        gc.freeze()
        told.ready(ready)
        hub.start()
        await stop.wait()


class _FromReadyOn:
    """Holds back what there is to tell before `ready`, which whoever starts a hub reads first."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._early: list[dict[str, Any]] | None = []

    def tell(self, message: dict[str, Any]) -> None:
        if self._early is None:
            self._tell(message)
        else:
            self._early.append(message)

    def ready(self, message: dict[str, Any]) -> None:
        early, self._early = self._early or [], None
        for it in (message, *early):
            self._tell(it)


def _first_api_key(data: Path) -> str | None:
    """Make a key for a hub that has none; it can be shown this once."""
    if ApiKeys(data):
        return None
    key = generate_key()
    add_key(data, key, "first")
    return key


@contextlib.asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Work in the background for as long as the block lasts."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def _forward_events(feed: EventFeed, tell: Tell) -> AsyncIterator[None]:
    async def forward() -> None:
        async for event in subscription:
            tell(
                {
                    "type": "event",
                    "event_id": event.event_id,
                    "event_type": event.event_type,
                    "device_id": event.device_id,
                    "access_code_id": event.access_code_id,
                    "occurred_at_ms": event.occurred_at_ms,
                    **event.payload,
                }
            )

    with feed.subscribe() as subscription:
        async with _running(forward()):
            yield
