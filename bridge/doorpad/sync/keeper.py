"""Keeps one keypad: holds its session, reads what changed, writes what is wanted, for ever.

What is intended is committed before it is sent, and what was learned is committed before anything follows from
it. After any interruption the change feed says what the keypad really holds, so no doubt outlives a session:
a write that was sent and not answered is either found there or was never done.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from doorpad_link import messages
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.events.log import record
from doorpad.keyring import LinkKey
from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.errors import LinkDown, NoSession, PortGone, PortUnusable
from doorpad.link.operations import Capabilities, KeypadState, SlotRecord, SlotResult, SlotWrite
from doorpad.store.database import Database
from doorpad.store.identity import device_id_for, effect_event_id
from doorpad.store.schema import AccessCode, Device, LinkState, Slot
from doorpad.sync import journal, problems
from doorpad.sync.effects import Learned, apply_record, forget_table, settle
from doorpad.sync.plan import DUPLICATE, Adopt, Clear, Plan, Problem, Write, next_due_s, plan
from doorpad.sync.timing import EOF_PAUSE_S, REFUSED_BASE, REFUSED_S_MAX, Timing

log = logging.getLogger(__name__)

_SLOT_MAX = 4096
_SETTLE_S = 1.0  # how often time is let pass for the codes of a keypad that is away
_FLAGS_MANAGED = messages.MANAGED | messages.ENABLED


@dataclass(frozen=True)
class KeypadPort:
    """A keypad as the configuration names it. `serial`: 16 hex digits."""

    serial: str
    name: str
    port: str
    baud: int
    simulated: bool
    key: LinkKey = field(repr=False)


class Keeper:
    """`run()` until cancelled; `wake()` when what its keypad shall hold has changed.

    Args:
        now_ms: Unix milliseconds.
        on_link: called with device id and new state when the keypad comes or goes.
    """

    def __init__(
        self,
        database: Database,
        keypad: KeypadPort,
        timing: Timing,
        now_ms: Callable[[], int],
        on_link: Callable[[str, LinkState], None],
    ) -> None:
        self.device_id = device_id_for(keypad.serial)
        self._database = database
        self._keypad = keypad
        self._timing = timing
        self._now_ms = now_ms
        self._on_link = on_link
        self._woken = asyncio.Event()
        self._answered_at = time.monotonic()  # when the keypad last proved to be there
        self._clock_set_at = 0.0
        self._refusals: dict[str, tuple[int, float]] = {}  # code -> (how often, not again before)
        self._settled_at = 0.0
        self._due_s: float = 0  # when time alone next changes what is wanted

    def wake(self) -> None:
        self._refusals.clear()
        self._woken.set()

    async def enrol(self) -> None:
        """Write the keypad's row, or bring its name up to date; before the API starts."""
        async with self._database.write() as session:
            device = await session.get(Device, self.device_id)
            if device is None:
                now_ms = self._now_ms()
                session.add(
                    Device(
                        device_id=self.device_id,
                        serial=self._keypad.serial,
                        name=self._keypad.name,
                        simulated=self._keypad.simulated,
                        created_at_ms=now_ms,
                        link_changed_at_ms=now_ms,
                    )
                )
                return
            device.name = self._keypad.name
            device.simulated = self._keypad.simulated
            if device.link_state == "online":
                device.link_state = "resuming"  # no outage was seen; none is told unless it lasts

    async def run(self) -> None:
        """Keep the keypad in step, for ever. Raises only what is a bug or a broken disk."""
        while True:
            try:
                async with asyncio.timeout(self._timing.handshake_s):
                    connection, opened = await Connection.open(
                        self._keypad.port, self._keypad.baud, self._keypad.key, self._keypad.serial
                    )
            except TimeoutError:
                await self._is_down(NoSession(f"port {self._keypad.port}: the keypad does not answer"))
                continue
            except LinkDown as reason:
                await self._is_down(reason)
                await self._pause(self._timing.port_s if not reason.port_there else EOF_PAUSE_S)
                continue
            try:
                await self._serve(connection, operations.capabilities(opened.capabilities), opened.boot_id)
            except LinkDown as reason:
                await self._is_down(reason)
            finally:
                connection.close()

    async def _is_down(self, reason: LinkDown) -> None:
        silent_s = time.monotonic() - self._answered_at
        if isinstance(reason, PortGone):
            await self._declare("disconnected", reason)
        elif silent_s >= self._timing.offline_s or isinstance(reason, PortUnusable):
            await self._declare("offline", reason)
        if self._woken.is_set() or time.monotonic() - self._settled_at >= _SETTLE_S:
            self._woken.clear()
            await self._settle_all(may_finish=False)

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until what is wanted changes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    async def _declare(self, state: LinkState, reason: LinkDown | None) -> None:
        async with self._database.write() as session:
            device = await session.get_one(Device, self.device_id)
            if device.link_state == state:
                return
            before, now_ms = device.link_state, self._now_ms()
            device.link_state = state
            device.link_changed_at_ms = now_ms
            event_type = None
            if state == "online":
                if before != "resuming":
                    event_type = "device.connected"
            elif before not in ("disconnected", "offline"):
                event_type = "device.disconnected"
            if event_type is not None:
                await record(
                    session,
                    event_id=effect_event_id(self.device_id, event_type, now_ms),
                    event_type=event_type,
                    device_id=self.device_id,
                    access_code_id=None,
                    occurred_at_ms=now_ms,
                    created_at_ms=now_ms,
                    # The API's events know no device_offline: both are told as this one.
                    payload={"error_code": "device_disconnected"} if state != "online" else {},
                )
        self._on_link(self.device_id, state)
        log.info("keypad %s is %s%s", self._keypad.serial, state, f": {reason}" if reason else "")

    async def _serve(self, connection: Connection, found: Capabilities, boot_id: bytes) -> None:
        self._answered_at = time.monotonic()
        async with self._database.write() as session:
            device = await session.get_one(Device, self.device_id)
            device.capacity = found.capacity
            device.pin_min = found.pin_length_min
            device.pin_max = found.pin_length_max
            device.firmware = found.firmware
            device.boot_id = boot_id.hex()
        self._clock_set_at = 0.0
        state = await self._look(connection)
        await self._read_journal(connection, state, found)
        await self._read_table(connection, state, found, whole=True)
        await self._declare("online", None)
        await self._converge(connection, found)
        while True:
            woken = await self._wait(connection)
            state = await self._look(connection)
            await self._read_journal(connection, state, found)
            changed = await self._read_table(connection, state, found)
            if woken or changed or self._refusals or self._now_ms() >= self._due_s * 1000:
                await self._converge(connection, found)

    async def _wait(self, connection: Connection) -> bool:
        """Until a hint, a wake, the next poll, what is due, or the end of the session. True: woken."""
        seconds = min(self._timing.poll_s, max(self._due_s - self._now_ms() / 1000, 0))
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
        self._answered_at = time.monotonic()
        clock_age_s = time.monotonic() - self._clock_set_at
        if state.time_s is None or not self._clock_set_at or clock_age_s >= self._timing.clock_s:
            if not await operations.set_time(connection):
                log.warning(
                    "keypad %s has seen a later time than this hub's and keeps it; set the hub's clock right",
                    self._keypad.serial,
                )
            self._clock_set_at = time.monotonic()
            state = await operations.state(connection)
            async with self._database.write() as session:
                device = await session.get_one(Device, self.device_id)
                device.clock_trusted = state.time_s is not None
        return state

    async def _read_journal(self, connection: Connection, state: KeypadState, found: Capabilities) -> None:
        async with self._database.write() as session:
            device = await session.get_one(Device, self.device_id)
            if device.table_epoch != state.table_epoch:
                await forget_table(session, device, Learned(self._now_ms(), found.maker))
                device.table_epoch = state.table_epoch
                device.generation = 0
            cursor = device.journal_cursor if device.journal_epoch == state.journal_epoch else 0
        while cursor < state.journal_head:
            page = await operations.events(connection, cursor)
            async with self._database.write() as session:
                device = await session.get_one(Device, self.device_id)
                await journal.apply_page(session, device, page, state, self._now_ms())
                cursor = device.journal_cursor
            if not page.entries:
                return

    async def _read_table(
        self, connection: Connection, state: KeypadState, found: Capabilities, *, whole: bool = False
    ) -> bool:
        """Read what changed since the last time; return whether anything did.

        With `whole`, end every doubt about what was sent in earlier sessions.
        """
        async with self._database.read() as session:
            since = (await session.get_one(Device, self.device_id)).generation
        if since < state.generation:
            generation = None
            first: int | None = 1
            while first is not None:
                page = await operations.changed_since(connection, since, first)
                if generation is None:
                    generation = page.generation
                async with self._database.write() as session:
                    device = await session.get_one(Device, self.device_id)
                    for item in page.slots:
                        await apply_record(session, device, item, Learned(self._now_ms(), found.maker))
                    first = page.following
                    if first is None:
                        device.generation = generation
        if whole:
            await self._settle_all(may_finish=True)
        return since < state.generation

    async def _settle_all(self, *, may_finish: bool) -> None:
        """Let time pass for all codes. `may_finish`: the mirror is fresh, so that what it lacks is not there."""
        self._settled_at = time.monotonic()
        async with self._database.write() as session:
            codes, slots = await self._rows(session)
            for code in codes:
                slot = slots.get(code.slot) if code.slot is not None else None
                if may_finish and slot is None:
                    code.slot = None
                await settle(session, code, slot, self._now_ms())

    async def _rows(self, session: AsyncSession) -> tuple[Sequence[AccessCode], dict[int, Slot]]:
        codes = await session.scalars(
            select(AccessCode).where(AccessCode.device_id == self.device_id, AccessCode.state != "deleted")
        )
        slots = await session.scalars(select(Slot).where(Slot.device_id == self.device_id))
        return codes.all(), {slot.slot: slot for slot in slots}

    async def _converge(self, connection: Connection, found: Capabilities) -> None:
        """Write until the keypad holds what is wanted, or nothing more can be done now."""
        progress = True
        while progress:
            async with self._database.write() as session:
                codes, slots = await self._rows(session)
                by_id = {code.access_code_id: code for code in codes}
                for code in codes:
                    slot = slots.get(code.slot) if code.slot is not None else None
                    await settle(session, code, slot, self._now_ms())
                todo = plan(
                    [code for code in codes if code.state != "deleted"],
                    slots,
                    capacity=found.capacity,
                    slot_max=_SLOT_MAX,
                    now_s=self._now_ms() // 1000,
                    held=self._held(),
                )
                await problems.reconcile(session, by_id, todo.problems, self._now_ms())
                writes = self._next_writes(todo, by_id)
                self._due_s = next_due_s(codes, self._now_ms() / 1000)
            progress = bool(todo.actions) and await self._carry_out(connection, found, todo, writes)

    def _held(self) -> frozenset[str]:
        now = time.monotonic()
        return frozenset(code_id for code_id, (_, until) in self._refusals.items() if until > now)

    def _next_writes(self, todo: Plan, codes: dict[str, AccessCode]) -> list[Write]:
        # The intended slot is committed with the plan, before the first byte is sent.
        if any(not isinstance(action, Write) for action in todo.actions):
            return []  # clear and adopt first: they may make room
        writes = [action for action in todo.actions if isinstance(action, Write)][: operations.PUTS_MAX]
        for write in writes:
            codes[write.access_code_id].slot = write.slot
        return writes

    async def _carry_out(
        self, connection: Connection, found: Capabilities, todo: Plan, writes: list[Write]
    ) -> bool:
        """Do the first part of a plan; return whether the keypad accepted any of it."""
        clears = [action for action in todo.actions if isinstance(action, Clear)]
        adopts = [action for action in todo.actions if isinstance(action, Adopt)]
        if clears:
            results = await self._clear(connection, found, clears[: operations.DELETES_MAX])
        elif adopts:
            results = await self._adopt(connection, found, adopts[0])
        else:
            results = await self._write(connection, found, writes)
        self._answered_at = time.monotonic()
        if all(result.done for result in results):
            return True
        # The keypad is not as it was last read.
        await self._read_table(connection, await operations.state(connection), found)
        return any(result.done for result in results)

    async def _clear(
        self, connection: Connection, found: Capabilities, clears: list[Clear]
    ) -> list[SlotResult]:
        results = await operations.delete(
            connection, [(clear.slot, clear.if_version, secrets.token_bytes(8)) for clear in clears]
        )
        cleared = [
            SlotRecord(result.slot, result.version, 0, None, None, None, None, None, found.maker)
            for result in results
            if result.done or result.status == messages.NOT_FOUND
        ]
        await self._learned(found, cleared)
        return results

    async def _adopt(self, connection: Connection, found: Capabilities, adopt: Adopt) -> list[SlotResult]:
        op_id = secrets.token_bytes(8)
        result = await operations.adopt(connection, adopt.slot, adopt.if_version, op_id, adopt.access_code_id)
        if result.done:
            async with self._database.read() as session:
                mirror = await session.get_one(Slot, (self.device_id, adopt.slot))
            adopted = SlotRecord(
                adopt.slot,
                result.version,
                mirror.flags | messages.MANAGED,
                mirror.code,
                mirror.from_s,
                mirror.until_s,
                op_id.hex(),
                adopt.access_code_id,
                found.maker,
            )
            await self._learned(found, [adopted])
        return [result]

    async def _write(
        self, connection: Connection, found: Capabilities, writes: list[Write]
    ) -> list[SlotResult]:
        slot_writes = [
            SlotWrite(
                write.slot,
                write.if_version,
                write.code,
                write.from_s,
                write.until_s,
                write.access_code_id,
                secrets.token_bytes(8),
            )
            for write in writes
        ]
        results = await operations.put(connection, slot_writes)
        written = []
        refused = []
        for write, result in zip(slot_writes, results, strict=True):
            if result.done:
                self._refusals.pop(write.access_code_id, None)
                flags = _FLAGS_MANAGED | (messages.TIME_BOUND if write.from_s is not None else 0)
                written.append(
                    SlotRecord(
                        write.slot,
                        result.version,
                        flags,
                        write.code,
                        write.from_s,
                        write.until_s,
                        write.op_id.hex(),
                        write.access_code_id,
                        found.maker,
                    )
                )
            else:
                refused.append((write, result))
        await self._learned(found, written)
        if refused:
            await self._refused(refused)
        return results

    async def _learned(self, found: Capabilities, records: list[SlotRecord]) -> None:
        """Commit what the keypad acknowledged, and everything that follows from it."""
        async with self._database.write() as session:
            device = await session.get_one(Device, self.device_id)
            for item in records:
                await apply_record(session, device, item, Learned(self._now_ms(), found.maker))
                if item.version == device.generation + 1:
                    device.generation = item.version

    async def _refused(self, refused: list[tuple[SlotWrite, SlotResult]]) -> None:
        now_ms = self._now_ms()
        async with self._database.write() as session:
            for write, result in refused:
                code = await session.get_one(AccessCode, write.access_code_id)
                if write.if_version == 0:
                    code.slot = None
                await self._hold(session, code, result, now_ms)

    async def _hold(self, session: AsyncSession, code: AccessCode, result: SlotResult, now_ms: int) -> None:
        if result.status in (messages.CONFLICT, messages.NO_SPACE) or (
            result.status == messages.DUPLICATE and result.version
        ):
            return  # another slot changed meanwhile: the next plan sees it, and says what is wrong
        times = self._refusals.get(code.access_code_id, (0, 0.0))[0] + 1
        pause_s = min(REFUSED_BASE**times, REFUSED_S_MAX)
        self._refusals[code.access_code_id] = (times, time.monotonic() + pause_s)
        # A duplicate in no slot is the master PIN: no code has it, so nobody can be named.
        error_code = DUPLICATE if result.status == messages.DUPLICATE else problems.FAILED_TO_SET
        problem = Problem(error_code, {"refused": True})
        await problems.raise_problem(session, code, problem, now_ms)
        log.warning(
            "keypad %s refused access code %s: %s",
            self._keypad.serial,
            code.access_code_id,
            messages.STATUS_NAMES.get(result.status, result.status),
        )
