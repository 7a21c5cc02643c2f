"""Whether a keypad may be written to. Pure: times and outcomes in, decisions out.

    closed  --[the last REFUSED_MIN writes failed by the keypad's own fault]-->  open
    open    --[its pause is over: one write, and that is done]-->                closed
    open    --[that one fails, or is refused before flash was tried]-->          open, with a longer pause

A keypad whose flash takes nothing would else be sent every code that waits, again and again: each attempt uses up a
place of its log, and the line is not free for what still works. A link that is down is none of this: nothing was
written then, and reconnecting has pauses of its own.
"""

import random
from collections.abc import Callable, Iterable
from enum import Enum, auto

from doorpad.sync.backoff import Backoff

REFUSED_MIN = 3  # in a row: one may be a disturbed write, and two may be that same one again
_NEVER = float("inf")


class Outcome(Enum):
    """How a write went. NOT_TRIED: refused for what was asked, which tells nothing of the keypad's health."""

    DONE = auto()
    FAILED = auto()
    NOT_TRIED = auto()


class Allowed(Enum):
    """What may be written now. ONE: a single write, to find out whether the keypad takes it."""

    ALL = auto()
    ONE = auto()
    NONE = auto()


class Breaker:
    """Of one keypad. Times are seconds of one clock that never goes back.

    Args:
        is_open: as an earlier run has left it; the keypad is then tried at once.
        random_part: gives numbers from 0.0 up to 1.0.
    """

    def __init__(self, *, is_open: bool = False, random_part: Callable[[], float] = random.random) -> None:
        self._backoff = Backoff(random_part)
        self._failed = REFUSED_MIN if is_open else 0  # in a row; no need to count further
        self._due_s = -_NEVER
        self._is_wanted = False
        self.turn = 0  # how many single writes were made in vain, so that each time another one is tried

    @property
    def is_open(self) -> bool:
        return self._failed >= REFUSED_MIN

    @property
    def is_in_doubt(self) -> bool:
        """Whether the last write failed."""
        return self._failed > 0

    @property
    def due_s(self) -> float:
        """When the next single write may be made; infinity while it is closed or nothing is to be written."""
        return self._due_s if self.is_open and self._is_wanted else _NEVER

    def allowed(self, now_s: float, *, is_wanted: bool) -> Allowed:
        """What may be written now. `is_wanted`: there is something to write."""
        self._is_wanted = is_wanted
        if not self.is_open:
            return Allowed.ALL
        return Allowed.ONE if now_s >= self._due_s else Allowed.NONE

    def wrote(self, outcomes: Iterable[Outcome], now_s: float) -> None:
        """Take in how writes went that were allowed, in their order."""
        was_open = self.is_open
        for outcome in outcomes:
            if outcome is Outcome.DONE:
                self._failed = 0
            elif outcome is Outcome.FAILED:
                self._failed = min(self._failed + 1, REFUSED_MIN)
        if not self.is_open:
            self._backoff.reset()
            return
        self.turn = self.turn + 1 if was_open else 0
        self._due_s = now_s + self._backoff.next_s()

    def try_now(self) -> None:
        """Let the next single write be made at once: somebody has done something about the keypad."""
        self._due_s = -_NEVER
