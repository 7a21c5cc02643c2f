"""How long to wait between attempts at a session: longer each time, and not all keypads of a hub at once."""

import random
from collections.abc import Callable

_BASE = 1.8  # seconds between two attempts: this to the power of how many have failed ...
_PAUSE_S_MAX = 60.0  # ... and at most this
_EXPONENT_MAX = 7  # the first whose power is beyond that
_JITTER = 0.25  # up to so much of a pause is left out, at random

assert _BASE**_EXPONENT_MAX >= _PAUSE_S_MAX


class Backoff:
    """`random_part` gives numbers from 0.0 up to 1.0."""

    def __init__(self, random_part: Callable[[], float] = random.random) -> None:
        self._random_part = random_part
        self._failed = 0

    def next_s(self) -> float:
        """Seconds from the beginning of an attempt that failed until the next one may begin."""
        pause_s = min(_BASE**self._failed, _PAUSE_S_MAX)
        self._failed = min(self._failed + 1, _EXPONENT_MAX)
        return pause_s * (1 - _JITTER * self._random_part())

    def reset(self) -> None:
        """It went well: the next failure is the first again."""
        self._failed = 0
