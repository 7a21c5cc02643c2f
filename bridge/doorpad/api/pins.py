"""PINs as clients give and get them: refused with the reason, or made up."""

from collections.abc import Sequence

from sqlalchemy import bindparam, or_
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api.errors import ApiError, duplicate, invalid_field
from doorpad.store import brands
from doorpad.store.pins import lengths, new_length, new_pin
from doorpad.store.schema import POOLED, AccessCode, Device
from doorpad.store.statements import Query

_HOLDERS = Query(
    AccessCode,
    AccessCode.device_id == bindparam("device_id"),
    AccessCode.code == bindparam("pin"),
    AccessCode.state != "deleted",
    or_(AccessCode.used_at_ms.is_(None), AccessCode.slot.is_not(None)),
)


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
    time holds it until it is off the keypad. A spare code holds its own at all times.
    """
    # Sorted here: asked for in this order, SQLite reads all codes of the device by another index.
    holders = _HOLDERS.all(session, device_id=device_id, pin=pin)
    holders.sort(key=lambda it: (it.created_at_ms, it.access_code_id))
    starts_s = now_s if starts_s is None else max(starts_s, now_s)
    for holder in holders:
        begins_before_end = ends_s is None or holder.starts_at_s is None or holder.starts_at_s < ends_s
        ends_after_start = holder.ends_at_s is None or starts_s < holder.ends_at_s
        meets = holder.backup == POOLED or (begins_before_end and ends_after_start)
        if meets and holder.access_code_id != except_id:
            raise duplicate(holder.access_code_id, is_leaving=holder.state == "removing")


def in_words(allowed: list[int]) -> str:
    """The lengths for people: `4 to 8`, or `4, 6`."""
    if allowed == list(range(allowed[0], allowed[-1] + 1)) and len(allowed) > 1:
        return f"{allowed[0]} to {allowed[-1]}"
    return ", ".join(map(str, allowed))


async def generate_pin(
    session: AsyncSession, devices: Sequence[Device], preferred_length: float | None = None
) -> str:
    """A new PIN for all of the devices, as `new_pin`. Raises ApiError 409 if none was found."""
    pin = await new_pin(session, devices, preferred_length)
    if pin is None:
        length = new_length(devices, preferred_length)
        raise ApiError(
            409, "duplicate_access_code", f"no free code of {length} digits was found; delete some"
        )
    return pin
