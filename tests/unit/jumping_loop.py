"""An event loop that waits for nothing: when every task waits for a time, its clock jumps to the earliest one."""

import asyncio
import selectors
from typing import Any


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """What is ready now; without any, the time that was to be waited has passed."""
        if timeout is None:
            return super().select()  # nothing is due at any time: only the world outside can go on
        ready = super().select(0)
        if not ready:
            self.passed_s += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 0 and moves only by jumps."""

    def __init__(self) -> None:
        self._jumping = _Selector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed_s
