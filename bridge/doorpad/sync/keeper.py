"""Keeps one keypad: holds its session, reads what changed, writes what is wanted, for ever.

What is intended is committed before it is sent, and what was learned is committed before anything follows from
it. After any interruption the change feed says what the keypad really holds, so no doubt outlives a session:
a write that was sent and not answered is either found there or was never done.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from doorpad_link import messages

from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.errors import LinkDown, NotAuthenticated, PortGone, PortUnusable
from doorpad.link.names import health_names
from doorpad.link.operations import Capabilities, KeypadState
from doorpad.link.speed import HigherSpeed
from doorpad.link.statistics import KeypadStatistics, LinkStatistics
from doorpad.store.database import Database
from doorpad.store.device_conditions import STOPPED, lift
from doorpad.store.identity import device_id_for
from doorpad.store.schema import Device, LinkState
from doorpad.sync import degraded, flaky, reported
from doorpad.sync.backoff import Backoff
from doorpad.sync.breaker import Breaker
from doorpad.sync.console import Console
from doorpad.sync.converging import Converger
from doorpad.sync.credentials import Credentials
from doorpad.sync.enrolled import enrol
from doorpad.sync.finding import Ports, Search
from doorpad.sync.flaky import Losses
from doorpad.sync.keypad_port import KeypadPort
from doorpad.sync.maintained import ended
from doorpad.sync.passing import pass_time
from doorpad.sync.reading import Reader
from doorpad.sync.refusals import Refusals
from doorpad.sync.repeated import Repeated
from doorpad.sync.strike import Strike
from doorpad.sync.telling import tell_of_device
from doorpad.sync.timekeeping import Timekeeper, known_drift, note_clock
from doorpad.sync.timing import SETTLE_S, Timing

log = logging.getLogger(__name__)

# Between looks at what is wanted, while a keypad is away; and so many times what the last one took, for the more
# codes wait, the longer it takes.
_TOGETHER_S = 0.25
_TOGETHER = 20


def _now_s() -> float:
    """The event loop's own clock, by which it waits too."""
    return asyncio.get_running_loop().time()


OnStatistics = Callable[[str, LinkStatistics, KeypadStatistics], None]


class Keeper:
    """`run()` until cancelled; `wake()` when what its keypad shall hold has changed.

    Args:
        ports: those of this hub.
        now_ms: Unix milliseconds.
        on_link: called with device id and new state when the keypad comes or goes.
        on_statistics: called with device id and what hub and keypad have counted, now and then.
        on_in_step: called with device id and whether the keypad holds all that is wanted of it.
    """

    def __init__(
        self,
        database: Database,
        keypad: KeypadPort,
        ports: Ports,
        timing: Timing,
        now_ms: Callable[[], int],
        on_link: Callable[[str, LinkState], None],
        on_statistics: OnStatistics,
        on_in_step: Callable[[str, bool], Awaitable[None]],
    ) -> None:
        self.device_id = device_id_for(keypad.serial)
        self._database = database
        self._keypad = keypad
        self._timing = timing
        self._now_ms = now_ms
        self._on_link = on_link
        self._on_statistics = on_statistics
        self._on_in_step = on_in_step
        self._woken = asyncio.Event()
        self._answered_at = _now_s()  # when the keypad last proved to be there
        self._timekeeper = Timekeeper(keypad.serial, timing)
        self._health: int | None = None  # as the database has it, None until it was told in this run
        self._refusals = Refusals()
        self._breaker = Breaker()
        self._backoff = Backoff()
        self._search = Search(ports, keypad, timing.handshake_s)
        self._higher_speed = HigherSpeed(keypad.max_baud)
        self._console = Console(keypad.consoles, keypad.serial)
        self._credentials = Credentials(keypad.serial)
        self._settled_at = 0.0
        self._settle_took_s = 0.0
        self._counted: LinkStatistics | None = None  # in the sessions before the present one
        self._repeated = Repeated()
        self._in_step = False  # the present session has brought its keypad in step
        self._losses = Losses(timing.flaky_s, _now_s())
        self._declared: tuple[LinkState, str | None] | None = None  # in this run, state and why
        self._is_flaky = True  # until it has been looked at
        self._connection: Connection | None = None  # of the present session, once it has
        self._connected = asyncio.Event()
        self.strike = Strike(database, self.device_id, now_ms)

    def wake(self) -> None:
        self._refusals.clear()
        self._woken.set()

    def try_again(self) -> None:
        """As `wake()`; and if nothing is written because the keypad takes nothing, try one write at once."""
        self._breaker.try_now()
        self.wake()

    async def session(self) -> Connection:
        """Return the session that the keypad is kept by, for requests beside the keeper's own; wait for one."""
        while True:
            await self._connected.wait()
            if self._connection is not None and self._connection.down is None:
                return self._connection
            self._connected.clear()

    async def enrol(self) -> None:
        """Write the keypad's row, or bring its name up to date; before the API starts."""
        async with self._database.write() as session:
            device = await enrol(session, self._keypad, self._now_ms())
            ended(device)  # what an earlier run was doing
            self._timekeeper.known = known_drift(device)
            self._breaker = Breaker(is_open=device.writes_stopped_ms is not None)
            if device.link_state == "online":
                device.link_state = "resuming"  # no outage was seen; none is told unless it lasts

    async def run(self) -> None:
        """Keep the keypad in step, for ever. Raises only what is a bug or a broken disk."""
        while True:
            began = _now_s()
            try:
                connection, opened = await self._search.open_session()
            except LinkDown as reason:
                await self._await_next(reason, began + self._backoff.next_s())
                continue
            self._in_step = False
            await self._on_in_step(self.device_id, False)
            try:
                await self._raise_speed(connection)
                await self._serve(connection, operations.capabilities(opened.capabilities), opened.boot_id)
            except LinkDown as reason:
                lost = reason
                self._losses.add(_now_s())
                await self._review_connection()
                if reason.port_there:
                    self._higher_speed.lost(_now_s())
            finally:
                self._counted = connection.statistics.after(self._counted)
                self.strike.gone()
                connection.close()
                self._connection = None
                self._connected.clear()
            # One that did its work may be had again at once.
            await self._await_next(lost, 0 if self._in_step else began + self._backoff.next_s())

    async def _raise_speed(self, connection: Connection) -> None:
        if not await self._higher_speed.ask(connection, _now_s()):
            log.warning(
                "keypad %s: the line stays at %d baud; keypad, adapter or cable do not follow to %d",
                self._keypad.serial,
                connection.baud,
                self._higher_speed.baud,
            )

    async def _await_next(self, reason: LinkDown, due: float) -> None:
        """Tell why there is no session, and wait until the next attempt is due or what is wanted changes."""
        if isinstance(reason, NotAuthenticated) and self._credentials.failed():
            await self._tell_mismatch(reason)
            await self._declare("offline", reason)
        if reason.console_text and self._console.keep(reason.console_text):
            log.warning(
                "keypad %s: %s. All of what it said: %s", self._keypad.serial, reason, self._console.path
            )
        if not reason.port_there:
            # To look whether a port is there costs nothing, and a plug is put in at any time.
            self._backoff.reset()
            due = _now_s() + self._timing.port_s
        while True:
            woken = self._woken.is_set()
            if woken:
                # Wishes that come one after the other are looked at together: each look reads the database.
                apart_s = min(max(_TOGETHER_S, _TOGETHER * self._settle_took_s), SETTLE_S)
                await asyncio.sleep(max(self._settled_at + apart_s - _now_s(), 0))
            self._woken.clear()
            await self._is_down(reason, woken)
            left_s = due - _now_s()
            if left_s <= 0 or woken:
                return
            await self._pause(min(left_s, SETTLE_S))

    async def _is_down(self, reason: LinkDown, woken: bool) -> None:
        silent_s = _now_s() - self._answered_at
        if isinstance(reason, PortGone):
            await self._declare("disconnected", reason)
        elif silent_s >= self._timing.offline_s or isinstance(reason, PortUnusable):
            await self._declare("offline", reason)
        if woken or _now_s() - self._settled_at >= SETTLE_S:
            await self._settle_all(may_finish=False)

    async def _tell_mismatch(self, reason: NotAuthenticated) -> None:
        async with self._database.write() as session:
            device = await session.get_one(Device, self.device_id)
            is_new = self._credentials.tell(device, reason, self._now_ms())
        if is_new:
            log.error("keypad %s has no session: %s. %s", self._keypad.serial, reason, reason.what_to_do)

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until what is wanted changes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    async def _declare(self, state: LinkState, reason: LinkDown | None) -> None:
        why = str(reason) if reason else None
        if self._declared == (state, why):  # as it is four times a second while a port is gone
            return
        if await self._write_declared(state, why):
            self._on_link(self.device_id, state)
            log.info("keypad %s is %s%s", self._keypad.serial, state, f": {why}" if why else "")
        self._declared = state, why

    async def _write_declared(self, state: LinkState, why: str | None) -> bool:
        """Write the state, with its event; return whether it was another one."""
        async with self._database.write() as session:
            device = await session.get_one(Device, self.device_id)
            device.link_reason = why
            if device.link_state == state:
                return False
            before, now_ms = device.link_state, self._now_ms()
            device.link_state = state
            device.link_changed_at_ms = now_ms
            event_type = None
            if state == "online":
                if before != "resuming":
                    event_type = "connected"
            elif before not in ("disconnected", "offline"):
                event_type = "disconnected"
            if event_type is not None:
                event_type = f"device.{'' if device.managed else 'unmanaged.'}{event_type}"
                code = (
                    "hub_disconnected" if "hub_disconnected" in device.conditions else "device_disconnected"
                )
                # The API's events know no device_offline: it is told as a disconnection too.
                payload: dict[str, object] = {"error_code": code} if state != "online" else {}
                await tell_of_device(session, self.device_id, event_type, now_ms, payload)
        return True

    async def _serve(self, connection: Connection, found: Capabilities, boot_id: bytes) -> None:
        self._answered_at = _now_s()
        async with self._database.write() as session:
            device = await session.get_one(Device, self.device_id)
            device.capacity = found.capacity
            device.pin_min = found.pin_length_min
            device.pin_max = found.pin_length_max
            device.firmware = found.firmware
            if device.boot_id != boot_id.hex():
                # It may have been commissioned anew.
                device.boot_id, device.hosts, device.input_names = boot_id.hex(), {}, None
                self._breaker.try_now()  # a restart is the first thing that may help
            device.maker = found.maker
            lift(device, STOPPED)
            if self._credentials.proven(device):
                log.warning("keypad %s: the keys fit again", self._keypad.serial)
        reader = Reader(self._database, self.device_id, found.maker, self._now_ms, self._timing)
        converger = Converger(
            self._database,
            self.device_id,
            connection,
            reader,
            found.capacity,
            self._refusals,
            self._breaker,
            self._now_ms,
            self._timing,
        )
        state = await self._look(connection)
        if state.health & messages.HEALTH_CRASHED:
            await self._read_crashes(connection)
        await reader.changes(connection, state)
        await self.strike.settle()
        if pages := await reader.verify(connection, state):
            log.warning("keypad %s: %d pages of its table were read again", self._keypad.serial, pages)
        await self._settle_all(may_finish=True)
        await self._declare("online", None)
        due_s = await converger.converge()
        self._in_step = True
        await self._on_in_step(self.device_id, True)
        self._connection = connection
        self._connected.set()
        self._backoff.reset()
        counted_at: float | None = None
        while True:
            if counted_at is None or _now_s() - counted_at >= self._timing.statistics_s:
                counted_at = _now_s()
                keypad = await operations.statistics(connection)
                hub = connection.statistics.after(self._counted)
                self._on_statistics(self.device_id, hub, keypad)
            percent = self._repeated.judge(connection.statistics.after(self._counted))
            if percent is not None:
                async with self._database.write() as session:
                    device = await session.get_one(Device, self.device_id)
                    await degraded.note_line(session, device, percent, self._now_ms(), self._timing)
            woken = await self._wait(connection, due_s)
            if self._is_flaky:
                await self._review_connection()
            state = await self._look(connection)
            changed = await reader.changes(connection, state)
            await self.strike.settle()
            is_due = self._now_ms() >= due_s * 1000 or _now_s() >= self._breaker.due_s
            if woken or changed or self._refusals or is_due:
                due_s = await converger.converge()

    async def _wait(self, connection: Connection, due_s: float) -> bool:
        """Until a hint, a wake, the next poll, what is due, or the end of the session. True: woken."""
        due_in_s = max(due_s - self._now_ms() / 1000, 0)
        try_in_s = max(self._breaker.due_s - _now_s(), 0)
        seconds = min(self._timing.poll_s, due_in_s, try_in_s, self.strike.decided_s)
        waits = [
            asyncio.ensure_future(self._woken.wait()),
            asyncio.ensure_future(connection.hinted.wait()),
        ]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        woken = self._woken.is_set()
        self._woken.clear()
        connection.hinted.clear()
        if connection.down is not None:
            raise connection.down
        return woken

    async def _look(self, connection: Connection) -> KeypadState:
        state = await operations.state(connection)
        self.strike.saw(connection, state)
        self._answered_at = _now_s()
        if self._timekeeper.is_due(state):
            kept = await self._timekeeper.keep(connection, state.boot_id)
            state = await operations.state(connection)  # the journal may have moved
            async with self._database.write() as session:
                device = await session.get_one(Device, self.device_id)
                if device.clock_trusted != kept.trusted:
                    self._woken.set()  # there is something to be said of it, or to be taken back
                note_clock(device, kept, self._now_ms())
                await degraded.judge(session, device, self._now_ms(), self._timing)
        if state.health != self._health:
            await self._tell_health(state.health)
        return state

    async def _tell_health(self, health: int) -> None:
        if health:
            names = ", ".join(health_names(health))
            log.warning("keypad %s reports about itself: %s", self._keypad.serial, names)
        async with self._database.write() as session:
            device = await session.get_one(Device, self.device_id)
            device.health = health
            reported.judge(device, self._now_ms())
        self._health = health

    async def _read_crashes(self, connection: Connection) -> None:
        found = [asdict(crash) for crash in await operations.crashes(connection)]
        async with self._database.write() as session:
            device = await session.get_one(Device, self.device_id)
            is_new = found != device.crashes
            device.crashes = found
        if found and is_new:
            said = found[0]["text"].strip().splitlines()[-1:]
            log.error("keypad %s: its program crashed: %s", self._keypad.serial, *said or ["it says nothing"])

    async def _review_connection(self) -> None:
        async with self._database.write() as session:
            device = await session.get_one(Device, self.device_id)
            self._is_flaky = await flaky.review(session, device, self._losses, _now_s(), self._now_ms())

    async def _settle_all(self, *, may_finish: bool) -> None:
        """Let time pass for all codes. `may_finish`: the mirror is fresh, so that what it lacks is not there."""
        self._settled_at = _now_s()
        async with self._database.write() as session:
            began = _now_s()
            await pass_time(session, self.device_id, self._now_ms(), self._timing, may_finish=may_finish)
            self._settle_took_s = _now_s() - began
