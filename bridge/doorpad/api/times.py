"""Instants and windows: ISO 8601 on the wire, integers inside."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from doorpad.api.errors import invalid, invalid_field

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A keypad counts 32-bit seconds from 2000 on; 2100 leaves it room.
_WINDOW_MIN_S = 946_684_800
_WINDOW_MAX_S = 4_102_444_800


@lru_cache(1 << 14)
def iso(ms: int) -> str:
    """UTC with milliseconds and `Z`: `+00:00` is refused by strict clients."""
    text = (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def iso_s(seconds: int | None) -> str | None:
    return None if seconds is None else iso(seconds * 1_000)


def instant_us(field: str, text: str) -> int:
    """Unix microseconds of an ISO 8601 text with an offset. Raises ApiError 400 on `field`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise invalid_field(field, "must be a date and time in ISO 8601, as 2027-01-31T15:00:00Z") from None
    if moment.tzinfo is None:
        raise invalid_field(field, "must have a time zone: Z or an offset")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def starts_at_s(text: str) -> int:
    """The first second in, rounded up: never wider than asked."""
    return _in_range("starts_at", -(-instant_us("starts_at", text) // 1_000_000))


def ends_at_s(text: str) -> int:
    """The first second out, rounded down: never wider than asked."""
    return _in_range("ends_at", instant_us("ends_at", text) // 1_000_000)


def check_window(starts_s: int | None, ends_s: int | None, now_ms: int) -> None:
    """A window has both ends, in their order, and is not over. Raises ApiError 400 naming the end."""
    if starts_s is None and ends_s is None:
        return
    if starts_s is None or ends_s is None:
        missing = "starts_at" if starts_s is None else "ends_at"
        raise invalid({missing: ["Both starts_at and ends_at must be provided if one is"]})
    if ends_s <= starts_s:
        raise invalid_field("ends_at", "must be a whole second or more after starts_at")
    if ends_s * 1_000 <= now_ms:
        raise invalid_field("ends_at", "must be in the future")


def _in_range(field: str, seconds: int) -> int:
    if not _WINDOW_MIN_S <= seconds < _WINDOW_MAX_S:
        raise invalid_field(field, "must be from 2000 to 2099")
    return seconds
