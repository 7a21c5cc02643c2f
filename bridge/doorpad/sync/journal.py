"""From a keypad's journal to the API's events: each entry once, with the time at which it happened."""

import logging

from doorpad_link import messages
from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.events.log import record
from doorpad.link.operations import JournalPage, JournalRecord, KeypadState
from doorpad.store import makers
from doorpad.store.identity import effect_event_id, journal_event_id, unmanaged_code_id
from doorpad.store.schema import POOLED, AccessCode, Device, Slot
from doorpad.sync import degraded, gaps, offline_codes, strike
from doorpad.sync.backups import throw_away
from doorpad.sync.timing import Timing

log = logging.getLogger(__name__)

# Reasons of the API (lock.access_denied) and words for people.
_REASONS = {
    messages.UNKNOWN_PIN: ("unknown_code", "The code is not known to the keypad."),
    messages.TOO_EARLY: ("credential_error", "The code is not valid yet."),
    messages.TOO_LATE: ("expired_code", "The code has ended."),
    messages.DISABLED: ("blocklisted_code", "The code is disabled."),
    messages.LOCKED_OUT: ("too_many_attempts", "Entry is shut after too many wrong codes."),
    messages.USED_UP: ("expired_code", "The code has been used as often as it may be."),
    messages.CANNOT_SPEND: ("credential_error", "The keypad could not record that the code is used up."),
    messages.CLOCK_UNKNOWN: ("credential_error", "The keypad has no trusted time to judge the code by."),
}

# What happens at the door and has no name in the API.
_OWN_EVENTS = {
    messages.EV_LOCKOUT: "doorpad.lockout",
    messages.EV_LOCKOUT_END: "doorpad.lockout_ended",
    messages.EV_PROGRAMMING: "doorpad.programming",
    messages.EV_MASTER_CHANGED: "doorpad.master_pin_changed",
    messages.EV_FORCED: "doorpad.door_forced",
    messages.EV_HELD_OPEN: "doorpad.door_held_open",
    messages.EV_DOOR_CLOSED: "doorpad.door_closed",
    messages.EV_TAMPER_END: "doorpad.tamper_ended",
    messages.EV_FACTORY_RESET: "doorpad.factory_reset",
    messages.EV_KEY_STUCK: "doorpad.key_stuck",
    messages.EV_KEY_FREED: "doorpad.key_freed",
}

# By the kind of an entry, the input that it tells of.
_INPUTS = {
    messages.EV_EXIT: "request_to_exit",
    messages.EV_FORCED: "door_contact",
    messages.EV_HELD_OPEN: "door_contact",
    messages.EV_DOOR_CLOSED: "door_contact",
    messages.EV_TAMPER: "tamper",
    messages.EV_TAMPER_END: "tamper",
}

_OF_STRIKE = (
    messages.EV_BOOT,
    messages.EV_GRANTED,
    messages.EV_EXIT,
    messages.EV_HOST_STRIKE,
    messages.EV_LOCKED,
)


def occurred_at_ms(entry: JournalRecord, state: KeypadState, now_ms: int) -> int:
    """When an entry was written: by the keypad's clock, else by its uptime if it has not restarted since.

    Of an entry from an earlier start without a clock only the time of learning is known.
    """
    if entry.time_s is not None:
        return entry.time_s * 1000 + entry.ms
    if entry.boot == state.boot:
        return now_ms - (state.uptime_ms - entry.uptime_ms) % 2**32
    return now_ms


async def apply_page(
    session: AsyncSession,
    device: Device,
    page: JournalPage,
    state: KeypadState,
    now_ms: int,
    timing: Timing,
    made: dict[int, str],
) -> None:
    """Log the events of one page, and what is missing of the journal up to its end, and move the cursor past both.

    In the caller's transaction: an effect is on disk with the cursor, or neither is. A page without entries says
    that nothing is left beyond the cursor.

    Args:
        made: by slot, the id of the code there that the pages before told of; goes on with this one.
    """
    gaps_before = device.journal_gaps
    if device.journal_epoch != page.epoch:
        if device.journal_epoch is not None:
            await gaps.note(session, device, device.journal_cursor + 1, None, now_ms)
        device.journal_epoch, device.journal_cursor, device.journal_rewound = page.epoch, 0, 0
    elif page.head < device.journal_cursor:
        # Flash lost the journal's end: its numbers come again, for other entries.
        await gaps.note(session, device, page.head + 1, None, now_ms)
        device.journal_cursor = page.head
        device.journal_rewound += 1
    for entry in page.entries:
        if entry.sequence > device.journal_cursor:
            await _skip_to(session, device, entry.sequence, now_ms)
            code_id = await _code_id(session, device, entry, made)
            await _apply(session, device, entry, code_id, occurred_at_ms(entry, state, now_ms), now_ms)
            device.journal_cursor = entry.sequence
    if not page.entries:
        await _skip_to(session, device, page.head + 1, now_ms)
    if device.journal_gaps is not gaps_before:
        await degraded.judge(session, device, now_ms, timing)


async def _skip_to(session: AsyncSession, device: Device, sequence: int, now_ms: int) -> None:
    """Note whatever lies between the cursor and this entry as missing."""
    count = sequence - 1 - device.journal_cursor
    if count > 0:
        gap = await gaps.note(session, device, device.journal_cursor + 1, count, now_ms)
        device.journal_cursor = sequence - 1
        log.warning("keypad %s: %s", device.serial, gaps.in_words(gap))


async def _code_id(
    session: AsyncSession, device: Device, entry: JournalRecord, made: dict[int, str]
) -> str | None:
    """The id by which the code of an entry is known here; None also for one that nobody was told of."""
    code_id = entry.access_code_id
    if entry.kind == messages.EV_HOST_STRIKE or not entry.slot:
        return None  # an attempt's id, if any
    if code_id is None:
        known = await _unmanaged_id(session, device, entry, made.get(entry.slot))
        if known is not None:
            made[entry.slot] = known
        if entry.kind in (messages.EV_SLOT_CLEARED, messages.EV_SLOT_CHANGED):
            made.pop(entry.slot, None)  # what follows there is another code
        return known
    if await session.get(AccessCode, code_id) is None:
        # Another hub's id for a code that has one of its own here.
        code_id = await session.scalar(
            select(AccessCode.access_code_id)
            .join(Slot, and_(Slot.device_id == AccessCode.device_id, Slot.slot == AccessCode.slot))
            .where(
                AccessCode.device_id == device.device_id,
                AccessCode.slot == entry.slot,
                AccessCode.state != "deleted",
                Slot.access_code_id == code_id,
            )
        )
    return code_id or entry.access_code_id


async def _unmanaged_id(
    session: AsyncSession, device: Device, entry: JournalRecord, made: str | None
) -> str | None:
    """The id of a code that no hub made. It comes from the version under which it was made, or at which its slot
    was first seen: a keypad of an earlier release tells the slot's own, which is another one after each use.

    Args:
        made: the id of the code that is there by the entries before.
    """
    assert device.table_epoch is not None
    code_id = unmanaged_code_id(device.device_id, device.table_epoch, entry.slot, entry.version)
    if entry.kind == messages.EV_SLOT_SET or await session.get(AccessCode, code_id) is not None:
        return code_id
    at_the_slot: str | None = await session.scalar(
        select(AccessCode.access_code_id)
        .join(Slot, and_(Slot.device_id == AccessCode.device_id, Slot.slot == AccessCode.slot))
        .where(
            AccessCode.device_id == device.device_id,
            AccessCode.slot == entry.slot,
            AccessCode.managed.is_(False),
            AccessCode.state != "deleted",
            Slot.version == entry.version,
        )
    )
    return at_the_slot or made


async def _apply(
    session: AsyncSession,
    device: Device,
    entry: JournalRecord,
    code_id: str | None,
    at_ms: int,
    now_ms: int,
) -> None:
    assert device.journal_epoch is not None
    strike_told = await strike.learn(session, device, entry, now_ms) if entry.kind in _OF_STRIKE else None
    event_id = journal_event_id(
        device.device_id, device.journal_epoch, entry.sequence, device.journal_rewound
    )
    payload: dict[str, object] = {}
    if entry.kind == messages.EV_GRANTED:
        event_type = "lock.unlocked"
        opened_by = await session.get(AccessCode, code_id) if code_id is not None else None
        is_managed = entry.access_code_id is not None if opened_by is None else opened_by.managed
        payload = {"method": "keycode", "access_code_is_managed": is_managed}
        if entry.reason == messages.UNDER_DURESS:
            payload["doorpad"] = {"duress": True}
        if opened_by is not None:
            offline_codes.opened(opened_by)
        if opened_by is not None and opened_by.backup == POOLED and opened_by.state == "active":
            throw_away(opened_by, now_ms)  # nobody was given it, and somebody knows it
            log.warning("keypad %s: a spare code that nobody was given has opened the door", device.serial)
    elif entry.kind == messages.EV_EXIT:
        event_type = "lock.unlocked"
        payload = {"method": "manual"}
    elif strike_told is not None:
        event_type, payload = strike_told
    elif entry.kind == messages.EV_TAMPER:
        event_type = "device.tampered"
    elif entry.kind == messages.EV_DENIED:
        event_type = "lock.access_denied"
        reason_code, message = _REASONS.get(entry.reason, ("credential_error", "The code was refused."))
        payload = {"reason": {"reason_code": reason_code, "message": message}}
    elif entry.kind == messages.EV_SETTINGS_CHANGED:
        event_type = "doorpad.settings_changed"
        payload = {"maker": makers.name(device, entry.maker)}
    elif entry.kind == messages.EV_KEY_CHANGED:
        event_type = "doorpad.key_changed"
        payload = {"maker": makers.name(device, entry.maker)}
        device.hosts = {}
    elif entry.kind in _OWN_EVENTS:
        event_type = _OWN_EVENTS[entry.kind]
    elif entry.kind == messages.EV_SLOT_SET:
        event_type = "access_code.unmanaged.created"
    elif entry.kind == messages.EV_SLOT_CLEARED and entry.access_code_id is None and code_id is not None:
        event_type = "access_code.unmanaged.removed"  # of one that is not known, the table has told
    else:
        return
    input_name = (device.input_names or {}).get(_INPUTS.get(entry.kind, ""))
    if input_name is not None:
        payload["doorpad"] = {"input_name": input_name}
    if event_type.startswith("access_code."):
        assert code_id is not None
        # The table tells of the same change: whichever is read first logs it.
        payload = {"doorpad": {"maker": makers.name(device, entry.maker)}}
        event_id = effect_event_id(code_id, event_type, 0)
    await record(
        session,
        event_id=event_id,
        event_type=event_type,
        device_id=device.device_id,
        access_code_id=code_id,
        occurred_at_ms=at_ms,
        created_at_ms=now_ms,
        payload=payload,
    )
