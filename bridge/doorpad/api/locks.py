"""/locks unlock_door and lock_door: a bounded pulse of the strike, and its end."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec

from doorpad.api.attempts import ActionAttemptObject, ActionType, attempt_reply, begin_attempt
from doorpad.api.service import CREATE, AnyOperation, Operation, Reply, Service, device_or_404
from doorpad.store.schema import ActionAttempt

_HOLD_S = 2.0  # for the keypad's answer, which saves the client a look; then the attempt is told as pending


class LockParams(msgspec.Struct, kw_only=True):
    device_id: UUID
    sync: bool | None = None  # without effect: the reply waits for the keypad anyway


def _move(action_type: ActionType, *, opens: bool) -> Callable[[Service, LockParams], Awaitable[Reply]]:
    async def move(service: Service, params: LockParams) -> Reply:
        """Never later than 3 s after it was asked for, and at most once; of a keypad that is away, not at all."""
        now_ms = service.now_ms()
        async with service.database.write() as session:
            device = await device_or_404(session, params.device_id)
            attempt = begin_attempt(
                session, action_type, device_id=device.device_id, access_code_id=None, now_ms=now_ms
            )
        moving = service.changes.move_strike(device.device_id, attempt.action_attempt_id, now_ms, opens=opens)
        await asyncio.wait([moving], timeout=_HOLD_S)
        async with service.database.read() as session:
            decided = await session.get_one(ActionAttempt, attempt.action_attempt_id)
        return await attempt_reply(service, decided)

    return move


_ATTEMPT = {"action_attempt": ActionAttemptObject}

OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "/locks/unlock_door",
        CREATE,
        LockParams,
        _move("UNLOCK_DOOR", opens=True),
        "Open a door for its strike time; asked again meanwhile, the time begins anew.",
        _ATTEMPT,
    ),
    Operation(
        "/locks/lock_door",
        CREATE,
        LockParams,
        _move("LOCK_DOOR", opens=False),
        "End the time for which a door is open.",
        _ATTEMPT,
    ),
)
