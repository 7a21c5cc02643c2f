"""Opening and closing a door for API clients: once and in time, or not at all.

An attempt is committed before it is sent, and names the moment after which the keypad refuses it. Where its answer
is lost the journal knows: whatever a keypad did for an attempt stands there with the attempt's id, so the first look
at the journal in the next session decides it.
"""

import asyncio
from collections.abc import Callable

from doorpad_link import messages
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.events.log import record
from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.errors import LinkDown
from doorpad.link.operations import JournalRecord, KeypadState
from doorpad.link.statuses import status_of
from doorpad.store.database import Database
from doorpad.store.identity import effect_event_id
from doorpad.store.schema import ActionAttempt, Device

UNLOCK, LOCK = "UNLOCK_DOOR", "LOCK_DOOR"
WITHIN_MS = 3_000  # from the request on; an answer takes some 10 ms, or 1.3 s behind a full line of writes

AWAY = "device_disconnected: the keypad is not connected, and nothing is sent to it later."
_NOT_DONE = "The link to the keypad was lost, and its journal does not have this attempt: it was not done."
_TOO_MANY = "The keypad has had too many attempts within a few seconds, and did not do this one."
_EVENTS = {UNLOCK: "action_attempt.unlock_door", LOCK: "action_attempt.lock_door"}


def _now_s() -> float:
    return asyncio.get_running_loop().time()


class Strike:
    """The strike of one keypad, over all its sessions. `now_ms`: Unix milliseconds."""

    def __init__(self, database: Database, device_id: str, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._device_id = device_id
        self._now_ms = now_ms
        self._seen: tuple[Connection, KeypadState, float] | None = None
        self._moving: set[str] = set()  # attempts that this process is about to send, or has sent
        self._in_doubt = True  # a process before this one may have left some
        self.decided_s = float("inf")  # in so long those still in doubt can be decided by `settle`

    def saw(self, connection: Connection, state: KeypadState) -> None:
        """The keypad has just told its uptime."""
        self._seen = (connection, state, _now_s())

    def gone(self) -> None:
        """The session is over."""
        self._seen = None

    async def move(self, attempt_id: str, asked_at_ms: int, *, opens: bool) -> None:
        """Do an attempt that stands in the database, and write down what became of it."""
        self._moving.add(attempt_id)
        try:
            why_not = await self._ask(attempt_id, asked_at_ms, opens=opens)
        except LinkDown:
            self._in_doubt = True
            return
        finally:
            self._moving.discard(attempt_id)
        async with self._database.write() as session:
            await finish(session, await session.get_one(ActionAttempt, attempt_id), self._now_ms(), why_not)

    async def _ask(self, attempt_id: str, asked_at_ms: int, *, opens: bool) -> str | None:
        """Send it; return why it was not done. Raises LinkDown if that is not known."""
        if self._seen is None or self._seen[0].down is not None:
            return AWAY
        connection, state, seen_at = self._seen
        left_ms = min(max(asked_at_ms + WITHIN_MS - self._now_ms(), 0), WITHIN_MS)
        # The keypad told its uptime before it was seen here: the moment comes too early rather than too late.
        until_ms = state.uptime_ms + int((_now_s() - seen_at) * 1000) + left_ms
        status = await operations.strike(connection, opens, state.boot, until_ms % 2**32, attempt_id)
        if status in (messages.OK, messages.ALREADY):
            return None
        if status == messages.NO_SPACE:
            return _TOO_MANY
        found = status_of(status)
        return f"The keypad did not do it: {found.means}. Next: {found.what_to_do}."

    async def settle(self) -> None:
        """Decide what an earlier session has left in doubt. Call it when the journal has been read in this one."""
        if not self._in_doubt:
            return
        now_ms = self._now_ms()
        async with self._database.write() as session:
            pending = await session.scalars(
                select(ActionAttempt).where(
                    ActionAttempt.device_id == self._device_id,
                    ActionAttempt.action_type.in_((UNLOCK, LOCK)),
                    ActionAttempt.finished.is_(None),
                )
            )
            self._in_doubt, self.decided_s = False, float("inf")
            for attempt in pending.all():
                if attempt.action_attempt_id in self._moving:
                    continue
                age_ms = now_ms - attempt.created_at_ms
                if 0 <= age_ms < WITHIN_MS:  # it may be just about to be sent
                    self._in_doubt = True
                    self.decided_s = min(self.decided_s, (WITHIN_MS - age_ms) / 1000)
                else:
                    await finish(session, attempt, now_ms, _NOT_DONE)


async def finish(session: AsyncSession, attempt: ActionAttempt, now_ms: int, why_not: str | None) -> None:
    """Write down and tell what became of an attempt, once. `why_not`: None if it was done."""
    if attempt.finished is not None:
        return
    attempt.finished = "success" if why_not is None else "error"
    attempt.error_message = why_not
    event_type = f"{_EVENTS[attempt.action_type]}.{'succeeded' if why_not is None else 'failed'}"
    await record(
        session,
        event_id=effect_event_id(attempt.action_attempt_id, event_type, 0),
        event_type=event_type,
        device_id=attempt.device_id,
        access_code_id=None,
        occurred_at_ms=now_ms,
        created_at_ms=now_ms,
        payload={
            "action_attempt_id": attempt.action_attempt_id,
            "action_type": attempt.action_type,
            "status": attempt.finished,
        },
    )


async def learn(
    session: AsyncSession, device: Device, entry: JournalRecord, now_ms: int
) -> tuple[str, dict[str, object]] | None:
    """What an entry about the strike tells: an event and its payload, or None if nothing has changed."""
    was_unlocked = device.unlocked
    if entry.kind in (messages.EV_GRANTED, messages.EV_EXIT):
        device.unlocked = True
        return None
    if entry.kind != messages.EV_HOST_STRIKE:  # the end of its time, or a start: the strike is at rest
        device.unlocked = False
        return ("lock.locked", {"method": "automatic"}) if was_unlocked else None
    payload: dict[str, object] = {"method": "unknown"}  # by another hub
    attempt = await session.get(ActionAttempt, entry.access_code_id)
    if attempt is not None:
        await finish(session, attempt, now_ms, None)
        payload = {"method": "seamapi", "action_attempt_id": attempt.action_attempt_id}
    device.unlocked = bool(entry.reason & messages.STRIKE_OPEN)
    if entry.reason & messages.STRIKE_WAS_SO:
        return None
    return "lock.unlocked" if device.unlocked else "lock.locked", payload
