"""Writing to a keypad what is wanted of it, step by step, until nothing more can be done now.

Every step is planned from the database, its intent is committed before the first byte is sent, and what the keypad
acknowledged is committed before the next step.
"""

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from doorpad_link import messages
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.operations import SlotRecord, SlotResult, SlotWrite
from doorpad.link.statuses import refusal, status_of
from doorpad.store import brands
from doorpad.store.catalogue import ERRORS
from doorpad.store.database import Database
from doorpad.store.device_conditions import UNPAID, lift, stand
from doorpad.store.schema import POOLED, AccessCode, CodeError, Device, Slot
from doorpad.sync import backups, degraded, external, overdue, problems, unsettled
from doorpad.sync.effects import Learned, apply_record, settle
from doorpad.sync.plan import DUPLICATE, Adopt, Clear, Plan, Problem, Write, plan
from doorpad.sync.reading import Reader
from doorpad.sync.timing import REFUSED_BASE, REFUSED_S_MAX, Timing

log = logging.getLogger(__name__)

# Frames of one step: the link keeps the keypad's window filled with them, and the line rests only between steps.
# More would keep a deletion waiting: these take 1.3 s at 115,200 baud.
_WRITES_MAX = 16 * operations.PUTS_MAX


@dataclass
class Refusals:
    """The codes that a keypad refused for a reason of its own, and when each may be tried again."""

    _until: dict[str, tuple[int, float]] = field(default_factory=dict)  # code -> (times, not before)

    def __bool__(self) -> bool:
        return bool(self._until)

    def clear(self) -> None:
        self._until.clear()

    def add(self, code_id: str) -> None:
        times = self._until.get(code_id, (0, 0.0))[0] + 1
        self._until[code_id] = (times, time.monotonic() + min(REFUSED_BASE**times, REFUSED_S_MAX))

    def forget(self, code_id: str) -> None:
        self._until.pop(code_id, None)

    def paused(self) -> frozenset[str]:
        now = time.monotonic()
        return frozenset(code_id for code_id, (_, until) in self._until.items() if until > now)


@dataclass(frozen=True)
class Converger:
    """Writes to one keypad within one session."""

    database: Database
    device_id: str
    connection: Connection
    reader: Reader
    capacity: int
    refusals: Refusals
    now_ms: Callable[[], int]
    timing: Timing

    async def converge(self) -> float:
        """Write until the keypad holds what is wanted or refuses; return when time alone changes what is wanted.

        Raises:
            LinkDown: the session was lost; what was in flight is in doubt until the next one.
        """
        while True:
            async with self.database.write() as session:
                now_ms = self.now_ms()
                device = await session.get_one(Device, self.device_id)
                await backups.fill(session, device, now_ms, self.timing)
                stopped, quiet_s = await external.review(session, self.device_id, now_ms, self.timing)
                paused = self.refusals.paused() | stopped
                found = await unsettled.read(
                    session, self.device_id, self.capacity, now_ms // 1000, _WRITES_MAX, paused
                )
                for code in found.codes:
                    await settle(session, code, found.held.get(code.access_code_id), now_ms)
                edge_s = min(
                    await overdue.judge(session, found.codes, found.held, now_ms, self.timing),
                    await overdue.judge_waiting(session, self.device_id, now_ms, self.timing),
                )
                gone_s = await overdue.retire(session, self.device_id, now_ms, self.timing)
                _tell_if_full(device, len(found.used) >= self.capacity, now_ms)
                whole_s = min(
                    await degraded.judge(session, device, now_ms, self.timing),
                    await backups.review(session, device, now_ms, self.timing),
                )
                todo = plan(
                    [code for code in found.codes if code.state != "deleted"],
                    found.held,
                    orphans=found.orphans,
                    used=found.used,
                    capacity=self.capacity,
                    slot_max=operations.SLOT_MAX,
                    now_s=now_ms // 1000,
                    ahead_s=int(self.timing.set_ahead_s),
                    paused=paused,
                )
                by_id = {code.access_code_id: code for code in found.codes}
                told = await problems.reconcile(session, by_id, todo.problems, now_ms)
                may_write = UNPAID not in device.conditions
                writes = _first_writes(todo) if may_write else []
                for write in writes:
                    by_id[write.access_code_id].slot = write.slot
            done = may_write and bool(todo.actions) and await self._carry_out(todo, writes)
            if not done and not (told and found.more):
                return min(found.next_due_s, edge_s, quiet_s, gone_s, whole_s)

    async def _carry_out(self, todo: Plan, writes: list[Write]) -> bool:
        """Do the first part of a plan; return whether the keypad accepted any of it."""
        clears = [action for action in todo.actions if isinstance(action, Clear)]
        adopts = [action for action in todo.actions if isinstance(action, Adopt)]
        op = messages.OP_DEL if clears else messages.OP_ADOPT if adopts else messages.OP_PUT
        if clears:
            results = await self._clear(clears[: operations.DELETES_MAX])
        elif adopts:
            results = await self._adopt(adopts[0])
        else:
            results = await self._write(writes)
        if all(result.done for result in results):
            return True
        for result in results:
            if not result.done:
                log.warning("%s", refusal(self.connection.serial, op, result.status, result.slot))
        # The keypad is not as it was last read. What was done there says its journal.
        await self.reader.changes(self.connection, await operations.state(self.connection))
        return any(result.done for result in results)

    async def _clear(self, clears: list[Clear]) -> list[SlotResult]:
        results = await operations.delete(
            self.connection, [(clear.slot, clear.if_version, secrets.token_bytes(8)) for clear in clears]
        )
        await self._learned(
            [
                SlotRecord(result.slot, result.version, 0, None, None, None, None, None, self.reader.maker)
                for result in results
                if result.done
            ]
        )
        return results

    async def _adopt(self, adopt: Adopt) -> list[SlotResult]:
        op_id = secrets.token_bytes(8)
        result = await operations.adopt(
            self.connection, adopt.slot, adopt.if_version, op_id, adopt.access_code_id
        )
        if result.done:
            async with self.database.read() as session:
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
                self.reader.maker,
            )
            await self._learned([adopted])
            self.refusals.forget(adopt.access_code_id)
        elif result.status not in (messages.CONFLICT, messages.NOT_FOUND):
            self.refusals.add(adopt.access_code_id)  # others may wait behind it
        return [result]

    async def _write(self, writes: list[Write]) -> list[SlotResult]:
        sent = [
            SlotWrite(
                write.slot,
                write.if_version,
                write.code,
                write.from_s,
                write.until_s,
                write.access_code_id,
                op_id,
                write.uses_left,
                write.duress,
            )
            for write, op_id in zip(
                sorted(writes, key=lambda write: write.slot), operations.op_ids(len(writes)), strict=True
            )
        ]
        results = await operations.put(self.connection, sent)
        pairs = list(zip(sent, results, strict=True))
        for write, result in pairs:
            if result.done:
                self.refusals.forget(write.access_code_id)
        await self._learned([self._record(write, result) for write, result in pairs if result.done])
        await self._refused([(write, result) for write, result in pairs if not result.done])
        return results

    def _record(self, write: SlotWrite, result: SlotResult) -> SlotRecord:
        return SlotRecord(
            write.slot,
            result.version,
            write.flags,
            write.code,
            write.from_s,
            write.until_s,
            write.op_id.hex(),
            write.access_code_id,
            self.reader.maker,
        )

    async def _learned(self, records: list[SlotRecord]) -> None:
        """Commit what the keypad acknowledged, and everything that follows from it."""
        async with self.database.write() as session:
            device = await session.get_one(Device, self.device_id)
            for item in records:
                await apply_record(session, device, item, Learned(self.now_ms(), self.reader.maker))
                if item.version == device.generation + 1:
                    device.generation = item.version

    async def _refused(self, refused: Sequence[tuple[SlotWrite, SlotResult]]) -> None:
        if not refused:
            return
        async with self.database.write() as session:
            for write, result in refused:
                code = await session.get_one(AccessCode, write.access_code_id)
                if write.if_version == 0:
                    code.slot = None
                await self._note_refusal(session, code, result)

    async def _note_refusal(self, session: AsyncSession, code: AccessCode, result: SlotResult) -> None:
        if result.status in (messages.CONFLICT, messages.NO_SPACE) or (
            result.status == messages.DUPLICATE and result.version
        ):
            return  # another slot changed meanwhile: the next plan sees it, and says what is wrong
        if code.backup == POOLED and result.status == messages.DUPLICATE:
            backups.throw_away(code, self.now_ms())
            return
        self.refusals.add(code.access_code_id)
        # A duplicate in no slot is the master PIN: no code has it, so nobody can be named.
        error_code = DUPLICATE if result.status == messages.DUPLICATE else problems.FAILED_TO_SET
        standing = await session.get(CodeError, (code.access_code_id, error_code))
        times = 1 + (standing.detail.get("times", 0) if standing is not None else 0)
        problem = Problem(error_code, {"refused": True, "times": times})
        status = status_of(result.status)
        hint = f"The keypad says {status.name}: {status.means}. Next: {status.what_to_do}."
        await problems.raise_problem(session, code, problem, self.now_ms(), hint=hint)
        log.warning("device %s refused access code %s: %s", self.device_id, code.access_code_id, status.name)


def _first_writes(todo: Plan) -> list[Write]:
    if any(not isinstance(action, Write) for action in todo.actions):
        return []  # clear and adopt first: they may make room
    return [action for action in todo.actions if isinstance(action, Write)][:_WRITES_MAX]


def _tell_if_full(device: Device, is_full: bool, now_ms: int) -> None:
    """Some makers' accounts have room for so many users: then a full keypad is told of as that."""
    error_code = brands.of(device).full_error
    if error_code is None:
        return
    if is_full:
        stand(device, error_code, ERRORS[error_code].message, now_ms)
    else:
        lift(device, error_code)
