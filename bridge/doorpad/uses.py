"""How often a code may still open: as a number, and in slot flags (protocol/README.md, "Numbers")."""

from doorpad_link.messages import COUNTED, MORE_USES, ONE_MORE_USE, SPENT

COUNT_FLAGS = COUNTED | MORE_USES | SPENT  # those that say it


def uses_left(flags: int) -> int | None:
    """Return how often, from 0 to 256, or None: as often as one likes."""
    if not flags & COUNTED:
        return None
    return 0 if flags & SPENT else 1 + (flags & MORE_USES) // ONE_MORE_USE


def as_flags(uses: int | None) -> int:
    """Return those of COUNT_FLAGS that say it; the reverse of `uses_left`."""
    if uses is None:
        return 0
    return COUNTED | ((uses - 1) * ONE_MORE_USE if uses else SPENT)


def is_one_time(uses: int | None) -> bool:
    """Whether a code opens once at most, or has done so."""
    return uses is not None and uses <= 1
