"""Spare codes: a few PINs that a keypad already holds, for whoever's own code could not be put there in time.

A spare one is nobody's as long as nobody was given it: its PIN is shown nowhere, no event tells of it, and it is
thrown away as soon as somebody else may know it. The keypad holds it with a window, a lease that is renewed at half
time. So what is given out while the keypad is away ends with the lease at the latest, whatever becomes of the hub;
and with a clock that it does not trust the keypad refuses it, as it does every code with a window.
"""

from uuid import uuid4

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.store.catalogue import DEVICE_WARNINGS, ERRORS
from doorpad.store.device_conditions import lift, stand
from doorpad.store.pins import new_pin
from doorpad.store.schema import POOLED, PULLED, AccessCode, Device, Slot
from doorpad.store.status import opens
from doorpad.sync.timing import Timing
from doorpad.sync.unsettled import AT_ITS_SLOT

EMPTY = "empty_backup_access_code_pool"
PARTIAL = "partial_backup_access_code_pool"
MANY_PULLED = "many_active_backup_codes"

SIZE = 3  # spare codes of a keypad
_MANY = 3  # that many in use at a time are told of
# Where the window of each spare code begins: in 2000, at a second in which no booking does. So it can be told from
# a person's code by its slot alone, which is all that is left when the database is lost.
_FROM_S = 946_695_463
_NEVER = float("inf")


async def switch_on(session: AsyncSession, device_id: str, now_ms: int) -> None:
    """Keep spare codes on a keypad from now on. They come with the next look at it; until then it has none."""
    device = await session.get_one(Device, device_id)
    if not device.backup_pool:
        device.backup_pool = True
        device.backup_short_since_ms = now_ms
        await _tell_if_empty(session, device, now_ms)
        await session.flush()


async def switch_off(session: AsyncSession, device: Device, now_ms: int) -> None:
    """Keep none any more: those that are there are taken off the keypad."""
    device.backup_pool = False
    spare = AccessCode.device_id == device.device_id, AccessCode.backup == POOLED
    await session.execute(
        update(AccessCode)
        .where(*spare, AccessCode.state == "active")
        .values(state="removing", asked_at_ms=now_ms)
    )


def throw_away(code: AccessCode, now_ms: int) -> None:
    """Somebody may know the PIN of a spare code: it leaves the keypad, and another one takes its place."""
    code.state = "removing"
    code.asked_at_ms = now_ms


def may_pull(device: Device, code: AccessCode, now_s: int) -> bool:
    """Whether a backup for this code would keep to its beginning: it has begun, or the keypad can be told of it."""
    return device.link_state == "online" or (code.starts_at_s or 0) <= now_s


async def pull(session: AsyncSession, original: AccessCode, now_ms: int) -> AccessCode | None:
    """Give the spare code with the longest lease to the one that `original` is for; None if there is none.

    Its window is that of the original from now on. Until the keypad has taken it, the lease is what counts there.
    """
    device = await session.get_one(Device, original.device_id)
    ready = await _ready(session, device, now_ms // 1000) if device.backup_pool else []
    if not ready:
        return None
    backup = max(ready, key=lambda it: (it[1].until_s or 0, it[0].access_code_id))[0]
    backup.backup = PULLED
    backup.starts_at_s, backup.ends_at_s = original.starts_at_s, original.ends_at_s
    backup.created_at_ms = backup.asked_at_ms = now_ms  # nobody could see it before
    backup.announced = None
    await session.flush()
    await _tell_if_empty(session, device, now_ms)
    return backup


async def fill(session: AsyncSession, device: Device, now_ms: int, timing: Timing) -> None:
    """Make up what the pool lacks, and renew the leases; for a keypad that is there to take it."""
    if not device.backup_pool:
        return
    now_s = now_ms // 1000
    found = await session.scalars(
        select(AccessCode).where(
            AccessCode.device_id == device.device_id,
            AccessCode.backup == POOLED,
            AccessCode.state == "active",
        )
    )
    kept = 0
    for code in found.all():
        assert code.ends_at_s is not None
        if code.slot is None and await _is_held_by_another(session, code):
            throw_away(code, now_ms)
            continue
        kept += 1
        if code.ends_at_s - now_s < timing.backup_lease_s / 2:
            code.starts_at_s, code.ends_at_s = _FROM_S, now_s + int(timing.backup_lease_s)
    for _ in range(kept, SIZE):
        pin = await new_pin(session, [device])
        if pin is None:
            break  # of few digits nearly all are taken: the warning stays, and the next look tries again
        session.add(_spare(device, pin, now_ms, timing))
        await session.flush()
    await session.flush()


def _spare(device: Device, pin: str, now_ms: int, timing: Timing) -> AccessCode:
    code_id = str(uuid4())
    return AccessCode(
        access_code_id=code_id,
        device_id=device.device_id,
        managed=True,
        backup=POOLED,
        name=_name(code_id),
        code=pin,
        starts_at_s=_FROM_S,
        ends_at_s=now_ms // 1000 + int(timing.backup_lease_s),
        created_at_ms=now_ms,
        asked_at_ms=now_ms,
    )


def _name(code_id: str) -> str:
    return f"Backup {code_id}"


def take_back(device: Device, code: AccessCode) -> None:
    """A code of this hub that the database has lost is a spare one again if it was, and its keypad keeps some."""
    if code.starts_at_s == _FROM_S:
        code.backup = POOLED
        code.name = _name(code.access_code_id)
        device.backup_pool = True


async def review(session: AsyncSession, device: Device, now_ms: int, timing: Timing) -> float:
    """Let stand on the keypad what is so of its pool; return when (Unix seconds) time alone changes that."""
    now_s = now_ms // 1000
    ready = await _tell_if_empty(session, device, now_ms)
    edges_s = [_NEVER]
    if not device.backup_pool or ready >= SIZE:
        device.backup_short_since_ms = None
    elif device.backup_short_since_ms is None:
        device.backup_short_since_ms = now_ms
    since_ms = device.backup_short_since_ms
    partial_ms = None if since_ms is None or not ready else since_ms + timing.backup_short_s * 1000
    if partial_ms is not None and now_ms >= partial_ms:
        stand(device, PARTIAL, DEVICE_WARNINGS[PARTIAL].message, now_ms, is_warning=True)
    else:
        lift(device, PARTIAL)
        edges_s.append(_NEVER if partial_ms is None else partial_ms / 1000)
    in_use = await session.scalar(
        select(func.count()).where(
            AccessCode.device_id == device.device_id,
            AccessCode.backup == PULLED,
            AccessCode.state == "active",
            or_(AccessCode.ends_at_s.is_(None), AccessCode.ends_at_s > now_s),
        )
    )
    if (in_use or 0) >= _MANY:
        stand(device, MANY_PULLED, DEVICE_WARNINGS[MANY_PULLED].message, now_ms, is_warning=True)
    else:
        lift(device, MANY_PULLED)
    if device.backup_pool:
        ends_s = await session.scalar(
            select(func.min(AccessCode.ends_at_s)).where(
                AccessCode.device_id == device.device_id,
                AccessCode.backup == POOLED,
                AccessCode.state == "active",
            )
        )
        edges_s.append(_NEVER if ends_s is None else ends_s - timing.backup_lease_s / 2 + 1)
    return min(edges_s)


async def _tell_if_empty(session: AsyncSession, device: Device, now_ms: int) -> int:
    """Let the error stand while no spare code is on a keypad that shall have some; return how many there are."""
    ready = len(await _ready(session, device, now_ms // 1000)) if device.backup_pool else 0
    if device.backup_pool and not ready:
        stand(device, EMPTY, ERRORS[EMPTY].message, now_ms)
    else:
        lift(device, EMPTY)
    return ready


async def _ready(session: AsyncSession, device: Device, now_s: int) -> list[tuple[AccessCode, Slot]]:
    """The spare codes that open now, with their slots."""
    rows = await session.execute(
        select(AccessCode, Slot)
        .join(Slot, AT_ITS_SLOT)
        .where(
            AccessCode.device_id == device.device_id,
            AccessCode.backup == POOLED,
            AccessCode.state == "active",
        )
    )
    return [(code, slot) for code, slot in rows if opens(code, slot, now_s)]


async def _is_held_by_another(session: AsyncSession, code: AccessCode) -> bool:
    held = select(1).where(Slot.device_id == code.device_id, Slot.code == code.code)
    return bool(await session.scalar(select(exists(held))))
