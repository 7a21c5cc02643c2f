"""PINs: which are allowed on a keypad, who holds one already, and new ones."""

import secrets
from itertools import pairwise

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api.errors import ApiError, duplicate, invalid_field
from doorpad.store.schema import AccessCode, Device

PIN_MIN, PIN_MAX = 4, 12  # digits, until the keypad has told its own bounds
_GENERATED_DIGITS = 6  # a million PINs: with the keypad's lockout, years of trying
_TRIES_MAX = 1_000


def length_bounds(device: Device) -> tuple[int, int]:
    """The fewest and the most digits of a PIN on the device."""
    return device.pin_min or PIN_MIN, device.pin_max or PIN_MAX


def is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()  # isdigit alone takes the digits of every script


def check_pin(device: Device, pin: str) -> None:
    """Raises ApiError 400 on `code` unless the device can hold the PIN."""
    shortest, longest = length_bounds(device)
    if not is_digits(pin):
        raise invalid_field("code", "must be a string of digits")
    if not shortest <= len(pin) <= longest:
        raise invalid_field("code", f"must have {shortest} to {longest} digits on this device")


async def check_free(
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

    A code in `removing` still holds its PIN: the keypad may not know of the removal yet.
    """
    holders = await session.scalars(
        select(AccessCode)
        .where(AccessCode.device_id == device_id, AccessCode.code == pin, AccessCode.state != "deleted")
        .order_by(AccessCode.created_at_ms, AccessCode.access_code_id)
    )
    starts_s = now_s if starts_s is None else max(starts_s, now_s)
    for holder in holders:
        begins_before_end = ends_s is None or holder.starts_at_s is None or holder.starts_at_s < ends_s
        ends_after_start = holder.ends_at_s is None or starts_s < holder.ends_at_s
        if begins_before_end and ends_after_start and holder.access_code_id != except_id:
            raise duplicate(holder.access_code_id)


async def generate_pin(session: AsyncSession, device: Device, preferred_length: float | None) -> str:
    """A PIN that is not weak and that no code of the device has, at any time.

    Raises:
        ApiError: 409, if 1,000 tries found none.
    """
    shortest, longest = length_bounds(device)
    length = min(max(_GENERATED_DIGITS, shortest), longest)
    if preferred_length is not None and preferred_length in range(shortest, longest + 1):
        length = int(preferred_length)
    taken = set(
        await session.scalars(
            select(AccessCode.code).where(
                AccessCode.device_id == device.device_id, AccessCode.state != "deleted"
            )
        )
    )
    for _ in range(_TRIES_MAX):
        pin = f"{secrets.randbelow(10**length):0{length}}"
        if pin not in taken and not is_weak(pin):
            return pin
    raise ApiError(409, "duplicate_access_code", f"no free code of {length} digits was found; delete some")


def is_weak(pin: str) -> bool:
    """Whether the digits are all the same, or each is one more, or one less, than that before it."""
    steps = {int(b) - int(a) for a, b in pairwise(pin)}
    return len(steps) == 1 and steps <= {-1, 0, 1}
