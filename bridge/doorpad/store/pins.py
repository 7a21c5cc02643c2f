"""PINs: how long they may be on a keypad, which are weak, and new ones."""

import secrets
import string
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.store.schema import AccessCode, Device

PIN_MIN, PIN_MAX = 4, 12  # digits, until the keypad has told its own bounds
_GENERATED_DIGITS = 6  # a million PINs: with the keypad's lockout, years of trying
_TRIES_MAX = 1_000

_WEAK = frozenset(
    digits[at : at + length]
    for digits in (string.digits, string.digits[::-1], *(digit * PIN_MAX for digit in string.digits))
    for length in range(2, PIN_MAX + 1)
    for at in range(len(digits) - length + 1)
)
_YEARS = frozenset(str(year) for year in range(1900, 2100))


def lengths(device: Device) -> list[int]:
    """The numbers of digits that a PIN on the device may have, ascending; never empty.

    What an installer reported narrows what the keypad can do; where nothing is left of it, the keypad counts.
    """
    able = possible(device)
    return [it for it in able if it in (device.code_lengths or able)] or able


def possible(device: Device) -> list[int]:
    """The numbers of digits that the keypad itself takes."""
    return list(range(device.pin_min or PIN_MIN, (device.pin_max or PIN_MAX) + 1))


async def new_pin(
    session: AsyncSession, devices: Sequence[Device], preferred_length: float | None = None
) -> str | None:
    """A PIN that is not weak, has a length that all of the devices allow, and is on none of them at any time.

    Args:
        devices: such that they have a length in common.
        preferred_length: used if they all allow it; else 6, or the nearest to it.
    Returns:
        None, if 1,000 tries found none.
    """
    length = new_length(devices, preferred_length)
    years = any(device.weak_years for device in devices)
    for _ in range(_TRIES_MAX):
        pin = f"{secrets.randbelow(10**length):0{length}}"
        if not is_weak(pin, years=years) and not await _is_taken(session, devices, pin):
            return pin
    return None


def new_length(devices: Sequence[Device], preferred: float | None = None) -> int:
    """The number of digits that `new_pin` gives."""
    allowed = set.intersection(*(set(lengths(device)) for device in devices))
    if preferred is not None and preferred in allowed:
        return int(preferred)
    return min(allowed, key=lambda it: (abs(it - _GENERATED_DIGITS), -it))


async def _is_taken(session: AsyncSession, devices: Sequence[Device], pin: str) -> bool:
    on_one_of_them = AccessCode.device_id.in_([it.device_id for it in devices])
    query = select(AccessCode.code).where(
        on_one_of_them, AccessCode.code == pin, AccessCode.state != "deleted"
    )
    return await session.scalar(query.limit(1)) is not None


def is_weak(pin: str, *, years: bool = False) -> bool:
    """Whether the digits are all the same, or each is one more, or one less, than that before it.

    Args:
        years: also whether it begins or ends with a year of 1900 to 2099, as years and dates of birth do.
    """
    return pin in _WEAK or (years and (pin[:4] in _YEARS or pin[-4:] in _YEARS))
