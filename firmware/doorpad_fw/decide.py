"""May this PIN open the door now, and how often after that? Pure, and total: every input has its reason."""

from doorpad_link.messages import (
    CLOCK_UNKNOWN,
    DISABLED,
    ENABLED,
    GRANTED,
    LOCKED_OUT,
    MORE_USES,
    ONE_MORE_USE,
    SPENT,
    TIME_BOUND,
    TOO_EARLY,
    TOO_LATE,
    UNKNOWN_PIN,
    USED_UP,
)


def decide(slot, now_s, clock_trusted, shut):
    """Judge one entered PIN: return a reason, GRANTED or why not.

    Args:
        slot: the slot that holds the PIN, or None. Its window is half-open: dead from `until_s` on.
        now_s: seconds since 2000; not looked at while `clock_trusted` is false.
        shut: entry is locked out.
    """
    if shut:
        return LOCKED_OUT  # first: an entry during lockout is not examined
    if slot is None:
        return UNKNOWN_PIN  # the only refusal that counts as a wrong try
    if not slot.flags & ENABLED:
        return DISABLED
    if slot.flags & SPENT:
        return USED_UP
    if slot.flags & TIME_BOUND:
        if not clock_trusted:
            return CLOCK_UNKNOWN  # fail secure; ongoing codes still open
        if now_s < slot.from_s:
            return TOO_EARLY
        if now_s >= slot.until_s:
            return TOO_LATE
    return GRANTED


def after_use(flags):
    """Return the flags of a counted code when it opens. A one-time code is one with no use after the next."""
    return flags - ONE_MORE_USE if flags & MORE_USES else flags | SPENT
