"""PINs: which are allowed on a keypad, who holds one already, and new ones."""

import secrets
import string
from collections.abc import Sequence

from sqlalchemy import bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api.errors import ApiError, duplicate, invalid_field
from doorpad.store import brands
from doorpad.store.schema import AccessCode, Device
from doorpad.store.statements import Query

PIN_MIN, PIN_MAX = 4, 12  # digits, until the keypad has told its own bounds
_GENERATED_DIGITS = 6  # a million PINs: with the keypad's lockout, years of trying
_TRIES_MAX = 1_000

_WEAK = frozenset(
    digits[at : at + length]
    for digits in (string.digits, string.digits[::-1], *(digit * PIN_MAX for digit in string.digits))
    for length in range(2, PIN_MAX + 1)
    for at in range(len(digits) - length + 1)
)

_HOLDERS = Query(
    AccessCode,
    AccessCode.device_id == bindparam("device_id"),
    AccessCode.code == bindparam("pin"),
    AccessCode.state != "deleted",
    or_(AccessCode.used_at_ms.is_(None), AccessCode.slot.is_not(None)),
)


def lengths(device: Device) -> list[int]:
    """The numbers of digits that a PIN on the device may have, ascending; never empty.

    What an installer reported narrows what the keypad can do; where nothing is left of it, the keypad counts.
    """
    able = possible(device)
    return [it for it in able if it in (device.code_lengths or able)] or able


def possible(device: Device) -> list[int]:
    """The numbers of digits that the keypad itself takes."""
    return list(range(device.pin_min or PIN_MIN, (device.pin_max or PIN_MAX) + 1))


def is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()  # isdigit alone takes the digits of every script


def check_pin(device: Device, pin: str, *, chosen: bool = True) -> None:
    """Raises ApiError 400 on `code` unless the device can hold the PIN. `chosen`: it is the client's wish."""
    profile = brands.of(device)
    if chosen and profile.chooses_codes:
        raise invalid_field("code", f"cannot be chosen on a {profile.maker} device: leave it out")
    allowed = lengths(device)
    if not is_digits(pin):
        raise invalid_field("code", "must be a string of digits")
    if len(pin) not in allowed:
        raise invalid_field("code", f"must have {in_words(allowed)} digits on this device")


def check_free(
    session: AsyncSession,
    device_id: str,
    pin: str,
    starts_s: int | None,
    ends_s: int | None,
    *,
    now_s: int,
    except_id: str | None = None,
) -> None:
    """Raises ApiError 409 if another code holds the PIN in a window that meets this one from now on.

    A code in `removing` still holds its PIN: the keypad may not know of the removal yet. One that was for one
    time holds it until it is off the keypad.
    """
    # Sorted here: asked for in this order, SQLite reads all codes of the device by another index.
    holders = _HOLDERS.all(session, device_id=device_id, pin=pin)
    holders.sort(key=lambda it: (it.created_at_ms, it.access_code_id))
    starts_s = now_s if starts_s is None else max(starts_s, now_s)
    for holder in holders:
        begins_before_end = ends_s is None or holder.starts_at_s is None or holder.starts_at_s < ends_s
        ends_after_start = holder.ends_at_s is None or starts_s < holder.ends_at_s
        if begins_before_end and ends_after_start and holder.access_code_id != except_id:
            raise duplicate(holder.access_code_id)


def in_words(allowed: list[int]) -> str:
    """The lengths for people: `4 to 8`, or `4, 6`."""
    if allowed == list(range(allowed[0], allowed[-1] + 1)) and len(allowed) > 1:
        return f"{allowed[0]} to {allowed[-1]}"
    return ", ".join(map(str, allowed))


async def generate_pin(
    session: AsyncSession, devices: Sequence[Device], preferred_length: float | None = None
) -> str:
    """A PIN that is not weak, has a length that all of the devices allow, and is on none of them at any time.

    Args:
        devices: such that they have a length in common.
        preferred_length: used if they all allow it; else 6, or the nearest to it.
    Raises:
        ApiError: 409, if 1,000 tries found none.
    """
    allowed = set.intersection(*(set(lengths(device)) for device in devices))
    length = min(allowed, key=lambda it: (abs(it - _GENERATED_DIGITS), -it))
    if preferred_length is not None and preferred_length in allowed:
        length = int(preferred_length)
    for _ in range(_TRIES_MAX):
        pin = f"{secrets.randbelow(10**length):0{length}}"
        if not is_weak(pin) and not await _is_taken(session, devices, pin):
            return pin
    raise ApiError(409, "duplicate_access_code", f"no free code of {length} digits was found; delete some")


async def _is_taken(session: AsyncSession, devices: Sequence[Device], pin: str) -> bool:
    on_one_of_them = AccessCode.device_id.in_([it.device_id for it in devices])
    query = select(AccessCode.code).where(
        on_one_of_them, AccessCode.code == pin, AccessCode.state != "deleted"
    )
    return await session.scalar(query.limit(1)) is not None


def is_weak(pin: str) -> bool:
    """Whether the digits are all the same, or each is one more, or one less, than that before it."""
    return pin in _WEAK
