"""Another hand at our codes: a slot of ours that the keypad's master PIN or another host wrote or cleared.

Where that is allowed, the object follows the keypad. Where it is not, the code is set right again, once. If that
does not last, the hub stops and asks a person: two hosts that each set their own right would wear out the flash.
"""

from collections.abc import Sequence

from doorpad_link.messages import ENABLED
from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.store import device_conditions, makers
from doorpad.store.catalogue import DEVICE_WARNINGS
from doorpad.store.device_conditions import THIRD_PARTY
from doorpad.store.schema import POOLED, AccessCode, CodeError, Device, Event, Slot
from doorpad.store.status import on_keypad
from doorpad.sync.backups import throw_away
from doorpad.sync.following import follow
from doorpad.sync.plan import Problem
from doorpad.sync.problems import raise_problem, stand
from doorpad.sync.telling import of_version, tell, tell_of_device
from doorpad.sync.timing import Timing

MODIFIED = "code_modified_external_to_seam"
PREVENTED = "duplicate_code_attempt_prevented"
MARKS = (MODIFIED, THIRD_PARTY, PREVENTED)

_GOES_WITH = {MODIFIED: (MODIFIED, THIRD_PARTY), PREVENTED: (PREVENTED,)}
_HOUR_MS = 3_600_000
_SEEN_MAX = 100  # instants that a mark remembers
_HOST_WRITES_MIN = 3  # by other hubs within `Timing.quiet_s`, that make a third party
_HOST_WRITES = (
    "access_code.unmanaged.created",
    "access_code.unmanaged.removed",
    "access_code.modified_external_to_seam",
    "access_code.deleted_external_to_seam",
)


async def taken_off(session: AsyncSession, code: AccessCode, version: int, maker: int, now_ms: int) -> None:
    """Another hand has cleared the slot of a code that should be there. `maker`: whose it was."""
    if code.backup == POOLED:
        throw_away(code, now_ms)
        return
    at = await of_version(session, code, version)
    await tell(session, code, "access_code.deleted_external_to_seam", at, now_ms, made_by=maker)
    if code.external_modification_allowed:
        code.taken_off = True
    await _mark(session, code, now_ms, "removed", maker)


async def changed(session: AsyncSession, code: AccessCode, slot: Slot, now_ms: int) -> None:
    """Another hand has written into the slot of a code."""
    if code.state != "active" or on_keypad(code, slot):
        return
    if code.backup == POOLED:
        throw_away(code, now_ms)
        return
    at = await of_version(session, code, slot.version)
    await tell(session, code, "access_code.modified_external_to_seam", at, now_ms, made_by=slot.maker)
    if code.external_modification_allowed:
        code.code = slot.code
        follow(code, slot)
        code.used_at_ms = now_ms if code.uses_left == 0 else None
        code.taken_off = not slot.flags & ENABLED  # else it would be written anew, and open again
    else:
        code.announced = None  # it will be set anew, and that is told
    await _mark(session, code, now_ms, "modified", slot.maker)


async def prevented(session: AsyncSession, code: AccessCode, now_ms: int) -> None:
    """Somebody asked for the PIN of this code in the same time, and was refused."""
    if code.backup == POOLED:
        throw_away(code, now_ms)
        return
    await stand(session, code, Problem(PREVENTED, {"seen_ms": [now_ms]}), now_ms, is_warning=False)


async def _mark(session: AsyncSession, code: AccessCode, now_ms: int, change_type: str, maker: int) -> None:
    device = await session.get_one(Device, code.device_id)
    standing = await session.get(CodeError, (code.access_code_id, MODIFIED))
    seen_ms = [*(standing.detail["seen_ms"] if standing is not None else []), now_ms][-_SEEN_MAX:]
    await stand(
        session,
        code,
        Problem(MODIFIED, {"seen_ms": seen_ms, "change_type": change_type}),
        now_ms,
        is_warning=code.external_modification_allowed,
        hint=f"It was {change_type} {makers.in_words(device, maker)}.",
    )


async def review(
    session: AsyncSession, device_id: str, now_ms: int, timing: Timing
) -> tuple[set[str], float]:
    """Take off marks that have been quiet for long, and stop where setting right does not last.

    Returns:
        The ids of codes that are not to be written for now, and when (Unix seconds) the next mark goes.
    """
    marks = await session.scalars(
        select(CodeError).where(
            CodeError.error_code == MODIFIED,
            _is_on_a_code_of(device_id),
        )
    )
    stopped: set[str] = set()
    edge_s = float("inf")
    for mark in marks.all():
        seen_ms = mark.detail["seen_ms"]
        if now_ms - seen_ms[-1] >= timing.quiet_s * 1000:
            await session.execute(
                delete(CodeError).where(
                    CodeError.access_code_id == mark.access_code_id,
                    CodeError.error_code.in_(_GOES_WITH[mark.error_code]),
                )
            )
            continue
        edge_s = min(edge_s, seen_ms[-1] / 1000 + timing.quiet_s)
        if mark.error_code == PREVENTED:
            continue
        lately = sum(now_ms - it < _HOUR_MS for it in seen_ms)
        asked = await session.get(CodeError, (mark.access_code_id, THIRD_PARTY)) is not None
        if not mark.is_warning and (asked or lately > timing.restores_max):
            stopped.add(mark.access_code_id)  # until a person has changed it here, or the other hand is quiet
            code = await session.get_one(AccessCode, mark.access_code_id)
            await raise_problem(session, code, Problem(THIRD_PARTY, {}), now_ms, is_warning=True)
    return stopped, min(edge_s, await _tell_of_third_party(session, device_id, now_ms, timing))


def _is_on_a_code_of(device_id: str) -> ColumnElement[bool]:
    """Looked up for each error, which are few: from the keypad's codes, which are many, it would cost with them."""
    return exists(
        select(1).where(
            AccessCode.access_code_id == CodeError.access_code_id, AccessCode.device_id == device_id
        )
    )


async def _tell_of_third_party(session: AsyncSession, device_id: str, now_ms: int, timing: Timing) -> float:
    """Let the warning stand on the keypad while it stands on any of its codes, or other hubs write to it often.

    Returns:
        When (Unix seconds) their writes are fewer again.
    """
    device = await session.get_one(Device, device_id)
    stands = await session.scalar(
        select(exists().where(CodeError.error_code == THIRD_PARTY, _is_on_a_code_of(device_id)))
    )
    quiet_ms = int(timing.quiet_s * 1000)
    writes_ms = await _last_writes_of_other_hubs(session, device, now_ms - quiet_ms)
    often = len(writes_ms) == _HOST_WRITES_MIN
    if not stands and not often:
        if device_conditions.lift(device, THIRD_PARTY):
            event_type = "device.third_party_integration_no_longer_detected"
            await tell_of_device(session, device_id, event_type, now_ms)
        return float("inf")
    words = DEVICE_WARNINGS[THIRD_PARTY].message
    if device_conditions.stand(device, THIRD_PARTY, words, now_ms, is_warning=True):
        await tell_of_device(session, device_id, "device.third_party_integration_detected", now_ms)
    return (writes_ms[-1] + quiet_ms) / 1000 if often else float("inf")


async def _last_writes_of_other_hubs(session: AsyncSession, device: Device, since_ms: int) -> Sequence[int]:
    """When other hubs last wrote to slots after `since_ms`, as the log tells: newest first, as many as count."""
    if len(device.hosts) == 1:
        return ()  # it has no other: nearly every keypad, and the log is long
    found = await session.scalars(
        select(Event.occurred_at_ms)
        .where(
            Event.occurred_at_ms > since_ms,
            Event.device_id == device.device_id,
            Event.event_type.in_(_HOST_WRITES),
            Event.payload["doorpad"]["maker"].as_string().startswith(makers.HOST),
        )
        .order_by(Event.occurred_at_ms.desc())
        .limit(_HOST_WRITES_MIN)
    )
    return found.all()
