"""Taking over a code that another hand put on a keypad, as it was when that was asked for, or not at all.

And letting a code go that this hub manages: it stays there, and is nobody's.

The keypad takes it over by compare-and-set, in one write that leaves PIN and window as they are, so that the PIN
opens throughout. What somebody else does to the code meanwhile ends the conversion, and stays as he left it.
"""

from dataclasses import dataclass
from typing import Literal

from doorpad_link.messages import COUNTED, DURESS, ENABLED, MAKER_KEYPAD, MANAGED
from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.link.operations import SlotRecord
from doorpad.store import brands, makers
from doorpad.store.schema import AccessCode, ActionAttempt, CodeError, Device, Slot
from doorpad.sync import external
from doorpad.sync.following import follow
from doorpad.sync.plan import Problem
from doorpad.sync.problems import FAILED_TO_SET, stand
from doorpad.sync.telling import of_version, tell
from doorpad.sync.timing import Timing

TRANSFERRED = "management_transferred"

_FAILED = "access_code.unmanaged.failed_to_convert_to_managed"
_KIND = ENABLED | COUNTED | DURESS  # a use of a counted code is none of its terms


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a code was not taken over. `words`: for people, what happened and what to do."""

    error_code: str
    words: str
    change_type: Literal["modified", "removed"] | None = None


CHANGED = Reason(
    external.MODIFIED,
    "It was changed by another hand before it could be taken over. Look at it, and convert it as it is now.",
    "modified",
)
GONE = Reason(
    external.MODIFIED,
    "It was taken off the keypad, or got another PIN there, before it could be taken over.",
    "removed",
)
_LATE = Reason(
    FAILED_TO_SET,
    "The keypad did not take it over in time. Convert it again once the keypad is connected.",
)
# A managed code opens: to take this one over would open a door to somebody whom another hand has shut out.
_DISABLED = Reason(
    FAILED_TO_SET,
    "It is disabled on the keypad, and a code that is taken over opens. Have it enabled where it was disabled; "
    "or delete it, and create it here.",
)


def _of_another_hub(whose: str) -> Reason:
    return Reason(
        FAILED_TO_SET,
        f"It is managed {whose}. To take it over from there, convert it with force: true.",
    )


def _of_a_brand(maker: str) -> Reason:
    return Reason(
        FAILED_TO_SET,
        f"Codes that were made at a {maker} device cannot be taken over. Delete it, and create it here.",
    )


def terms(slot: Slot | SlotRecord) -> tuple[object, ...]:
    """What whoever asks for a conversion sees of a code, and so what may not change until it is done."""
    return slot.code, slot.from_s, slot.until_s, slot.flags & _KIND


async def judge(
    session: AsyncSession, code: AccessCode, slot: Slot | None, now_ms: int, timing: Timing
) -> float:
    """Give up a conversion that is not allowed, or takes too long; return when (Unix seconds) that is."""
    device = await session.get_one(Device, code.device_id)
    profile = brands.of(device)
    if not profile.gives_codes_away:
        await fail(session, code, _of_a_brand(profile.maker), now_ms)
    elif slot is not None and not slot.flags & ENABLED:
        await fail(session, code, _DISABLED, now_ms)
    elif slot is not None and code.conversion != "forced" and await _is_another_hubs(session, device, slot):
        await fail(session, code, _of_another_hub(makers.in_words(device, slot.maker)), now_ms)
    else:
        failed_s = code.asked_at_ms / 1000 + timing.convert_failed_s
        if now_ms < failed_s * 1000:
            return failed_s
        await fail(session, code, _LATE, now_ms)
    return float("inf")


async def _is_another_hubs(session: AsyncSession, device: Device, slot: Slot) -> bool:
    """Whether another hub manages the slot: also one whose code was last changed at the keypad."""
    if not slot.flags & MANAGED or slot.maker == device.maker:
        return False
    if slot.maker != MAKER_KEYPAD:
        return True
    return slot.access_code_id is None or await session.get(AccessCode, slot.access_code_id) is None


async def fail(session: AsyncSession, code: AccessCode, reason: Reason, now_ms: int) -> None:
    """Leave an unmanaged code as it is, say why on it, and end the attempts that wait for it."""
    code.conversion = None
    message = f"The code was not taken over. {reason.words}"
    detail: dict[str, object] = {"seen_ms": [now_ms]} if reason.error_code == external.MODIFIED else {}
    if reason.change_type is not None:
        detail["change_type"] = reason.change_type
    problem = Problem(reason.error_code, detail)
    await stand(session, code, problem, now_ms, is_warning=False, hint=message)
    await _end_attempts(session, code, finished="error", error_type=reason.error_code, error_message=message)
    payload: dict[str, object] = {"error_code": reason.error_code}
    if reason.change_type is not None:
        payload["change_type"] = reason.change_type
    await tell(session, code, _FAILED, code.asked_at_ms, now_ms, payload)


async def _end_attempts(session: AsyncSession, code: AccessCode, **outcome: str) -> None:
    """End those that wait for a conversion; `outcome`: columns of ActionAttempt."""
    await session.execute(
        update(ActionAttempt)
        .where(
            ActionAttempt.access_code_id == code.access_code_id,
            ActionAttempt.action_type == "UPDATE_ACCESS_CODE",
            ActionAttempt.finished.is_(None),
        )
        .values(**outcome)
    )


async def done(session: AsyncSession, code: AccessCode, version: int, now_ms: int) -> None:
    """The keypad has it as this hub's."""
    code.managed = True
    code.conversion = None
    code.announced = "set"  # it was on the keypad all along: no second set_on_device
    at = await of_version(session, code, version)
    await tell(session, code, "access_code.unmanaged.converted_to_managed", at, now_ms)


def is_taken_over(code: AccessCode, found: SlotRecord, hub: int) -> bool:
    """Whether a slot shows that another hub has made its own what was this one's. `hub`: this one's maker number."""
    return (
        code.managed
        and code.state == "active"
        and found.code == code.code
        and found.access_code_id is not None
        and bool(found.flags & MANAGED)
        and found.maker not in (hub, MAKER_KEYPAD)
    )


async def transfer(session: AsyncSession, code: AccessCode, found: SlotRecord, now_ms: int) -> None:
    """Another hub manages it from now on. It keeps its id here, as a code that is not this hub's."""
    device = await session.get_one(Device, code.device_id)
    whose = f"It is managed {makers.in_words(device, found.maker)}."
    await stand(session, code, Problem(TRANSFERRED, {}), now_ms, is_warning=True, hint=whose)
    await _unmanage(session, code, found, now_ms)


def is_let_go(found: SlotRecord, hub: int) -> bool:
    """Whether this hub has written that it manages the slot no longer. `hub`: its maker number."""
    return found.access_code_id is not None and found.maker == hub and not found.flags & MANAGED


async def let_go(session: AsyncSession, code: AccessCode, found: SlotRecord, now_ms: int) -> None:
    """It stays on the keypad, and keeps its id, as a code that nobody manages."""
    await session.execute(delete(CodeError).where(CodeError.access_code_id == code.access_code_id))
    await _end_attempts(session, code, finished="success")
    await _unmanage(session, code, found, now_ms)


async def _unmanage(session: AsyncSession, code: AccessCode, found: SlotRecord, now_ms: int) -> None:
    code.managed, code.conversion, code.announced, code.backup = False, None, None, None
    follow(code, found)
    at = await of_version(session, code, found.version)
    for event_type in ("access_code.deleted", "access_code.unmanaged.created"):
        await tell(session, code, event_type, at, now_ms, made_by=found.maker)
