"""What a keypad refused a moment ago, and when each may be tried again. Pure: the caller tells the time.

That is for single codes. Where the keypad takes nothing at all, breaker.py stops all of them.
"""

from dataclasses import dataclass, field

from doorpad.sync.timing import REFUSED_BASE, REFUSED_S_MAX

# Refused things that are remembered: as many as a keypad has slots. Of more the one whose turn comes first is tried
# again early.
REMEMBERED_MAX = 4096
_EXPONENT_MAX = 7  # the first whose power is beyond the longest pause

assert REFUSED_BASE**_EXPONENT_MAX >= REFUSED_S_MAX


@dataclass
class Refusals:
    """By the id of a code that was not written, or the number of a slot that was not cleared."""

    _until: dict[str | int, tuple[int, float]] = field(default_factory=dict)  # (times, not before)

    def __bool__(self) -> bool:
        return bool(self._until)

    def clear(self) -> None:
        self._until.clear()

    def add(self, what: str | int, now_s: float) -> None:
        times = min(self._until.get(what, (0, 0.0))[0] + 1, _EXPONENT_MAX)
        self._until[what] = (times, now_s + min(REFUSED_BASE**times, REFUSED_S_MAX))
        if len(self._until) > REMEMBERED_MAX:
            del self._until[min(self._until, key=lambda it: self._until[it][1])]

    def forget(self, what: str | int) -> None:
        self._until.pop(what, None)

    def paused(self, now_s: float) -> frozenset[str | int]:
        return frozenset(what for what, (_, until_s) in self._until.items() if until_s > now_s)
