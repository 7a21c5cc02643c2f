"""Writing to a keypad what is wanted of it, step by step, until nothing more can be done now.

Every step is planned from the database, its intent is committed before the first byte is sent, and what the keypad
acknowledged is committed before the next step.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from doorpad_link import messages
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.operations import SlotRecord
from doorpad.link.slot_writes import SlotResult, SlotWrite, op_ids
from doorpad.link.statuses import refusal, status_of
from doorpad.store import brands
from doorpad.store.catalogue import ERRORS
from doorpad.store.database import Database
from doorpad.store.device_conditions import UNPAID, lift, stand
from doorpad.store.schema import POOLED, AccessCode, CodeError, Device, Slot
from doorpad.sync import (
    backups,
    degraded,
    external,
    offline_codes,
    overdue,
    problems,
    unsettled,
    writes_stopped,
)
from doorpad.sync.breaker import Breaker, Outcome
from doorpad.sync.effects import Learned, apply_record, settle
from doorpad.sync.plan import DUPLICATE, Action, Adopt, Clear, Problem, Write, plan
from doorpad.sync.reading import Reader
from doorpad.sync.refusals import Refusals
from doorpad.sync.step import WRITES_MAX, next_step
from doorpad.sync.timing import Timing

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Converger:
    """Writes to one keypad within one session."""

    database: Database
    device_id: str
    connection: Connection
    reader: Reader
    capacity: int
    refusals: Refusals
    breaker: Breaker
    now_ms: Callable[[], int]
    timing: Timing

    async def converge(self) -> float:
        """Write until the keypad holds what is wanted or refuses; return when time alone changes what is wanted.

        Raises:
            LinkDown: the session was lost; what was in flight is in doubt until the next one.
        """
        goes_on = False
        while True:
            async with self.database.write() as session:
                now_ms = self.now_ms()
                device = await session.get_one(Device, self.device_id)
                await backups.fill(session, device, now_ms, self.timing)
                lapse_s = await offline_codes.lapse(session, device, now_ms)
                stopped, quiet_s = await external.review(session, self.device_id, now_ms, self.timing)
                paused = self.refusals.paused(_now_s()) | stopped
                found = await unsettled.read(
                    session, self.device_id, self.capacity, now_ms // 1000, WRITES_MAX, paused
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
                actions = todo.actions if may_write else []
                allowed = self.breaker.allowed(_now_s(), is_wanted=bool(actions))
                is_proven = goes_on and not self.breaker.is_in_doubt
                step = next_step(actions, allowed, self.breaker.turn, is_proven=is_proven)
                for action in step:
                    if isinstance(action, Write):
                        by_id[action.access_code_id].slot = action.slot
            goes_on = bool(step) and await self._carry_out(step)
            if not goes_on and not (told and found.more):
                return min(found.next_due_s, lapse_s, edge_s, quiet_s, gone_s, whole_s)

    async def _carry_out(self, step: Sequence[Action]) -> bool:
        """Do one step; return whether there may be more to do now."""
        clears = [action for action in step if isinstance(action, Clear)]
        adopts = [action for action in step if isinstance(action, Adopt)]
        writes = [action for action in step if isinstance(action, Write)]
        if clears:
            op, results = messages.OP_DEL, await self._clear(clears)
        elif adopts:
            op, results = messages.OP_ADOPT, [await self._adopt(adopts[0])]
        else:
            op, results = messages.OP_PUT, await self._write(writes)
        if all(result.done for result in results):
            return True
        for result in results:
            if not result.done:
                log.warning("%s", refusal(self.connection.serial, op, result.status, result.slot))
        # The keypad is not as it was last read. What was done there says its journal.
        await self.reader.changes(self.connection, await operations.state(self.connection))
        if any(result.done for result in results):
            return True
        # What was not cleared or taken over is set aside by now, and must not keep those back that wait behind it.
        return not writes and not self.breaker.is_open and not all(_is_moved(result) for result in results)

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
        await self._judge_keypad(results)
        for result in results:
            if result.done:
                self.refusals.forget(result.slot)
            else:
                self._set_aside(result.slot, result)
        return results

    async def _adopt(self, adopt: Adopt) -> SlotResult:
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
        await self._judge_keypad([result])
        if result.done:
            self.refusals.forget(adopt.access_code_id)
        else:
            self._set_aside(adopt.access_code_id, result)
        return result

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
                write.managed,
            )
            for write, op_id in zip(
                sorted(writes, key=lambda write: write.slot), op_ids(len(writes)), strict=True
            )
        ]
        results = await operations.put(self.connection, sent)
        pairs = list(zip(sent, results, strict=True))
        await self._learned([self._record(write, result) for write, result in pairs if result.done])
        await self._judge_keypad(results)
        for write, result in pairs:
            if result.done:
                self.refusals.forget(write.access_code_id)
        await self._refused([(write, result) for write, result in pairs if not result.done])
        return results

    async def _judge_keypad(self, results: Sequence[SlotResult]) -> None:
        """Let the breaker see how a step went, and tell when that has stopped all writing, or lets it go on."""
        was_open = self.breaker.is_open
        self.breaker.wrote([_outcome(result) for result in results], _now_s())
        if self.breaker.is_open == was_open:
            return
        # From now on it is the breaker who says when to try; or all may be written, whatever was refused before.
        self.refusals.clear()
        async with self.database.write() as session:
            device = await session.get_one(Device, self.device_id)
            await writes_stopped.note(session, device, self.now_ms(), is_stopped=self.breaker.is_open)
            await degraded.judge(session, device, self.now_ms(), self.timing)
        log.warning(
            "keypad %s: %s",
            self.connection.serial,
            "it takes no changes; one at a time is tried, now and then"
            if self.breaker.is_open
            else "it takes changes again",
        )

    def _set_aside(self, what: str | int, result: SlotResult) -> None:
        """Wait with what was refused, unless a look at the keypad explains it, or nothing is written anyway."""
        if not _is_moved(result) and not (self.breaker.is_open and status_of(result.status).is_keypads_fault):
            self.refusals.add(what, _now_s())

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
        self._set_aside(code.access_code_id, result)
        # A duplicate in no slot is the master PIN: no code has it, so nobody can be named.
        error_code = DUPLICATE if result.status == messages.DUPLICATE else problems.FAILED_TO_SET
        standing = await session.get(CodeError, (code.access_code_id, error_code))
        times = 1 + (standing.detail.get("times", 0) if standing is not None else 0)
        problem = Problem(error_code, {"refused": True, "times": times})
        status = status_of(result.status)
        hint = f"The keypad says {status.name}: {status.means}. Next: {status.what_to_do}."
        await problems.raise_problem(session, code, problem, self.now_ms(), hint=hint)
        log.warning("device %s refused access code %s: %s", self.device_id, code.access_code_id, status.name)


def _now_s() -> float:
    """The event loop's own clock."""
    return asyncio.get_running_loop().time()


def _is_moved(result: SlotResult) -> bool:
    """Whether another hand was at the slot: the change is planned anew."""
    return result.status in (messages.CONFLICT, messages.NOT_FOUND)


def _outcome(result: SlotResult) -> Outcome:
    if result.done:
        return Outcome.DONE
    return Outcome.FAILED if status_of(result.status).is_keypads_fault else Outcome.NOT_TRIED


def _tell_if_full(device: Device, is_full: bool, now_ms: int) -> None:
    """Note since when it is. Some makers' accounts have room for so many users: there it is an error, too."""
    if is_full != (device.full_since_ms is not None):
        device.full_since_ms = now_ms if is_full else None
    error_code = brands.of(device).full_error
    if error_code is None:
        return
    if is_full:
        stand(device, error_code, ERRORS[error_code].message, now_ms)
    else:
        lift(device, error_code)
