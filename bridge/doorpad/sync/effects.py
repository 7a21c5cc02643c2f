"""What it means that a slot changed: the rows and events that follow, in the transaction that learns of it.

Each event has an id that follows from what happened, so that learning of it twice tells it once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from doorpad_link import messages
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.link.operations import SlotRecord
from doorpad.store.identity import unmanaged_code_id
from doorpad.store.schema import AccessCode, CodeError, Device, Slot
from doorpad.store.status import expired, on_keypad, wanted
from doorpad.sync import backups, conversion, external
from doorpad.sync.following import follow
from doorpad.sync.telling import of_version, tell
from doorpad.uses import uses_left


@dataclass(frozen=True, slots=True)
class Learned:
    """When the hub learned something, and the number that the keypad gives to this hub.

    `happened_ms`: by slot and version, when the journal says that the keypad itself wrote it.
    """

    now_ms: int
    maker: int
    happened_ms: Mapping[tuple[int, int], int] = field(default_factory=dict)


async def apply_record(session: AsyncSession, device: Device, found: SlotRecord, learned: Learned) -> None:
    """Bring the mirror of one slot up to date, with everything that follows for codes."""
    mirror = await session.get(Slot, (device.device_id, found.slot))
    was_there = mirror is not None  # else the slot was only intended for whoever stands on it
    if mirror is not None and mirror.version > found.version:
        return  # an older page of the change feed
    before = await session.scalar(
        select(AccessCode).where(
            AccessCode.device_id == device.device_id,
            AccessCode.slot == found.slot,
            AccessCode.state != "deleted",
        )
    )
    if found.op_id is None:
        if mirror is not None:
            await session.delete(mirror)
        if before is not None:
            await _left(session, before, found, learned, was_there=was_there)
        return
    if mirror is None:
        mirror = Slot(device_id=device.device_id, slot=found.slot)
        session.add(mirror)
    was_ours = before is not None and before.managed and mirror.maker == learned.maker
    seen = (mirror.version, conversion.terms(mirror)) if was_there else None
    op_id_before = mirror.op_id
    mirror.version = found.version
    mirror.flags = found.flags
    mirror.code = found.code
    mirror.from_s = found.from_s
    mirror.until_s = found.until_s
    mirror.op_id = found.op_id
    mirror.access_code_id = found.access_code_id
    mirror.maker = found.maker
    made_anew = (
        seen is not None
        and seen[0] < found.made
        and (found.slot, found.made) in learned.happened_ms  # there is no such entry for a change in place
    )
    now = await _code_of(session, device, found, None if made_anew else before, learned)
    if before is not None and now is not before:
        await _left(session, before, found, learned, was_there=was_there)
    if now is not None:
        now.slot = found.slot
        if (
            now is before
            and not now.managed
            and now.conversion is not None
            and seen
            and seen[1] != conversion.terms(found)
        ):
            await conversion.fail(session, now, conversion.CHANGED, learned.now_ms)
        left = uses_left(found.flags)
        # Who writes a slot gives an operation id of his own; a use at the keypad keeps it.
        same_writing = found.maker == learned.maker or found.op_id == op_id_before
        if left == 0 and _holds(found, now):
            now.uses_left = 0
            now.used_at_ms = now.used_at_ms or learned.now_ms
        elif was_ours and now is before and not same_writing:
            await external.changed(session, now, mirror, learned.now_ms)
        elif same_writing and left is not None and now.uses_left is not None:
            # Of what is still to be written one use is left at least: it was asked for after the last one.
            now.uses_left = min(now.uses_left, max(left, 1))
        await settle(session, now, mirror, learned.now_ms)
    await session.flush()


def _holds(found: SlotRecord, code: AccessCode) -> bool:
    """Whether the slot holds this PIN and window, not those before a change that is still to be written."""
    return (found.code, found.from_s, found.until_s) == (code.code, code.starts_at_s, code.ends_at_s)


async def _code_of(
    session: AsyncSession, device: Device, found: SlotRecord, before: AccessCode | None, learned: Learned
) -> AccessCode | None:
    """The code that a used slot holds now; a new row where nobody knew it."""
    known = None
    if conversion.is_let_go(found, learned.maker):
        known = await session.get(AccessCode, found.access_code_id)
        if known is not None and known.managed and known.state == "deleted":
            return None  # its slot is cleared
        if known is not None and known.state != "deleted":
            # Who was changed or deleted meanwhile is written, or taken off, first.
            if known.managed and known.state == "active" and _holds(found, known):
                await conversion.let_go(session, known, found, learned.now_ms)
            return known
    if found.access_code_id is not None and found.flags & messages.MANAGED:
        code = await session.get(AccessCode, found.access_code_id)
        if code is not None and (code.managed or found.maker == learned.maker):
            if not code.managed:
                await conversion.done(session, code, found.version, learned.now_ms)
            return code if code.state != "deleted" else None
        # One that the keypad had taken over, and somebody has changed before that was known here, is his.
        if code is None and found.maker == learned.maker:  # the database lost it: the keypad remembers
            code = _new_code(device, found, found.access_code_id, True, learned.now_ms)
            backups.take_back(device, code)
            session.add(code)
            return code
        if code is None and before is not None and conversion.is_taken_over(before, found, learned.maker):
            await conversion.transfer(session, before, found, learned.now_ms)
            return before
    if before is not None and not before.managed and before.code == found.code:
        follow(before, found)
        return before
    assert device.table_epoch is not None
    code_id = unmanaged_code_id(device.device_id, device.table_epoch, found.slot, found.made)
    if known is None and conversion.is_let_go(found, learned.maker):
        code_id = str(found.access_code_id)  # the database lost it
    code = _new_code(device, found, code_id, False, learned.now_ms)
    session.add(code)
    await session.flush()
    happened_ms = learned.happened_ms.get((found.slot, found.made))
    await tell(
        session,
        code,
        "access_code.unmanaged.created",
        0,
        learned.now_ms,
        occurred_at_ms=happened_ms,
        made_by=found.maker,
    )
    return code


def _new_code(device: Device, found: SlotRecord, code_id: str, managed: bool, now_ms: int) -> AccessCode:
    code = AccessCode(
        access_code_id=code_id,
        device_id=device.device_id,
        managed=managed,
        name=f"{'Restored' if managed else 'Keypad'} code {found.slot}",
        code=found.code,
        created_at_ms=now_ms,
        asked_at_ms=now_ms,
        state="active",
        slot=found.slot,
    )
    follow(code, found)
    return code


async def _left(
    session: AsyncSession, code: AccessCode, found: SlotRecord, learned: Learned, *, was_there: bool
) -> None:
    """A code is no longer in the slot where it was."""
    code.slot = None
    if not code.managed:
        if code.conversion is not None:
            await conversion.fail(session, code, conversion.GONE, learned.now_ms)
        code.state = "deleted"
        code.deleted_at_ms = learned.now_ms
        await tell(session, code, "access_code.unmanaged.removed", 0, learned.now_ms, made_by=found.maker)
        return
    if was_there and not wanted(code, learned.now_ms // 1000):
        at = await of_version(session, code, found.version)
        await tell(session, code, "access_code.removed_from_device", at, learned.now_ms)
        await clear_errors(session, code)
    elif was_there and found.maker != learned.maker and not found.flags & messages.LOST:
        await external.taken_off(session, code, found.version, found.maker, learned.now_ms)
    code.announced = None
    await settle(session, code, None, learned.now_ms)


async def forget_table(session: AsyncSession, device: Device, learned: Learned) -> None:
    """The keypad's table began anew (factory reset): nothing of what was read from it is there any more."""
    await session.execute(delete(Slot).where(Slot.device_id == device.device_id))
    holders = await session.scalars(
        select(AccessCode).where(AccessCode.device_id == device.device_id, AccessCode.slot.is_not(None))
    )
    for code in holders.all():
        code.slot = None
        code.announced = None
        if not code.managed and code.state != "deleted":
            code.state = "deleted"
            code.deleted_at_ms = learned.now_ms
            await tell(session, code, "access_code.unmanaged.removed", 0, learned.now_ms)


async def settle(session: AsyncSession, code: AccessCode, slot: Slot | None, now_ms: int) -> None:
    """Log what has become true of a managed code. `slot`: the mirror of the slot that holds it, if any.

    A code that is being removed is done once no slot is even intended for it (`code.slot` is None).
    """
    if not code.managed:
        return
    now_s = now_ms // 1000
    if code.state == "removing":
        if code.slot is None:
            code.state = "deleted"
            code.deleted_at_ms = now_ms
            await clear_errors(session, code)
            await tell(session, code, "access_code.deleted", 0, now_ms)
        return
    if slot is None or not on_keypad(code, slot) or expired(code, now_s):
        return
    await clear_errors(session, code)
    if code.starts_at_s is not None and now_s < code.starts_at_s:
        if code.announced is None:
            code.announced = "scheduled"
            at = await _of_wish(session, code, slot)
            await tell(session, code, "access_code.scheduled_on_device", at, now_ms)
    elif code.announced != "set":
        code.announced = "set"
        at = await _of_wish(session, code, slot)
        await tell(session, code, "access_code.set_on_device", at, now_ms)


async def _of_wish(session: AsyncSession, code: AccessCode, slot: Slot) -> str:
    """A discriminator for what was asked for last, and the slot's version that fulfils it.

    The version alone would not do: a code that is changed and changed back meanwhile has its slot as it was.
    """
    return f"{await of_version(session, code, slot.version)}:{code.asked_at_ms}"


async def clear_errors(session: AsyncSession, code: AccessCode) -> None:
    """Take off what stood in the code's way. That another hand changed it stays marked for a while."""
    await session.execute(
        delete(CodeError).where(
            CodeError.access_code_id == code.access_code_id,
            CodeError.error_code.not_in([] if code.state == "deleted" else external.MARKS),
        )
    )
