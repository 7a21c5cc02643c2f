"""Keeping a keypad's clock right: measure what it is off, move it by that, learn its drift, say when to look again.

The way is protocol/README.md's, section 4, "Time". No I/O but the link's, and both clocks are arguments.
"""

import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.operations import ClockReading, KeypadState
from doorpad.store.schema import Device
from doorpad.sync import drift
from doorpad.sync.drift import Drift
from doorpad.sync.timing import Timing

log = logging.getLogger(__name__)

_LOOKS = 3  # of which the best counts
_ROUNDING_MS = 1.0  # the keypad tells whole milliseconds, and takes its drift off in such
_STEP_MS_MAX = 5.0  # the hub's own clock was set if it moved so much against the one that nobody sets
_ADJUST_MS_MAX = 86_400_000  # what the link can say; further off, the clock is set anew
_PAUSE_S_MIN = 60.0  # between two looks, however bad the clock is


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at the keypad's clock: by how much it is ahead of the hub's, to the bound either way.

    `at_s`: by the clock that nobody sets; `ahead_ms`: how far the hub's own clock is ahead of that one.
    """

    reading: ClockReading
    offset_ms: float
    bound_ms: float
    at_s: float
    ahead_ms: float


@dataclass(frozen=True, slots=True)
class _Mark:
    """What was known right after the clock was last moved here."""

    boot_id: str
    settings: int
    offset_ms: float
    bound_ms: float
    at_s: float
    ahead_ms: float


@dataclass(frozen=True, slots=True)
class Kept:
    """How the keypad's clock stands. `error_ms`: by its own word; None: it has no time, or refused the hub's."""

    trusted: bool
    refused: bool  # its journal is past the hub's time
    error_ms: int | None
    drift: Drift
    source: int | None  # who set it, as a maker number


def known_drift(device: Device) -> Drift:
    """What the keypad's row remembers of its drift."""
    if device.drift_low_ppb is None or device.drift_high_ppb is None:
        return drift.UNKNOWN
    return Drift(device.drift_low_ppb, device.drift_high_ppb)


def note_clock(device: Device, kept: Kept, now_ms: int) -> None:
    """Write how the clock stands into the keypad's row."""
    device.clock_trusted = kept.trusted
    device.clock_looked_at_ms = now_ms
    device.clock_error_ms = kept.error_ms
    device.clock_source = kept.source
    device.drift_low_ppb = math.floor(kept.drift.low_ppb)
    device.drift_high_ppb = math.ceil(kept.drift.high_ppb)


class Timekeeper:
    """Keeps one keypad's clock, from one session to the next. `known`: its drift, as far as it is known.

    Args:
        wall_ms: the hub's clock, Unix milliseconds.
        steady_s: a clock that nobody sets, seconds.
    """

    def __init__(
        self,
        serial: str,
        timing: Timing,
        wall_ms: Callable[[], float] = lambda: time.time_ns() / 1e6,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._serial = serial
        self._timing = timing
        self.known = drift.UNKNOWN
        self._wall_ms = wall_ms
        self._steady_s = steady_s
        self._mark: _Mark | None = None
        self._boot_id: str | None = None  # of the start in which the clock was last looked at
        self._due_s = 0.0
        self._refused = False

    def is_due(self, state: KeypadState) -> bool:
        """Whether the clock is to be looked at now."""
        if state.boot_id != self._boot_id or self._steady_s() >= self._due_s:
            return True
        return state.time_s is None and not self._refused

    async def keep(self, connection: Connection, boot_id: str) -> Kept:
        """Bring the clock to the hub's time, as well as the line lets it be known. Raises LinkDown."""
        self._boot_id = boot_id
        self._refused = False
        look = await self._best_look(connection)
        if look.reading.time_ms is None or abs(look.offset_ms) > _ADJUST_MS_MAX:
            if not await operations.set_time(connection, round(self._wall_ms())):
                return self._not_set(look)
            look = await self._best_look(connection)
        else:
            self._learn(look, boot_id)
        wanted_ms = math.ceil(look.bound_ms + _ROUNDING_MS)
        after = await self._look(
            lambda: operations.adjust_clock(
                connection,
                -round(look.offset_ms),
                wanted_ms,
                self.known.taken_off_ppb,
                self.known.wander_ppb,
            )
        )
        if after is None:
            return self._not_set(look)
        if after.reading.error_ms <= wanted_ms and look.bound_ms <= after.bound_ms:
            offset_ms, bound_ms = look.offset_ms - round(look.offset_ms), look.bound_ms
        else:
            offset_ms, bound_ms = after.offset_ms, after.bound_ms
        self._mark = _Mark(boot_id, after.reading.settings, offset_ms, bound_ms, after.at_s, after.ahead_ms)
        left_ms = self._timing.clock_error_s * 1000 - after.reading.error_ms
        self._due_in(left_ms * 1e6 / self.known.wander_ppb)
        return Kept(True, False, after.reading.error_ms, self.known, after.reading.source)

    def _not_set(self, look: _Look) -> Kept:
        self._mark = None
        self._refused = True
        self._due_in(_PAUSE_S_MIN)
        log.warning(
            "keypad %s has seen a later time than this hub's and keeps it; set the hub's clock right",
            self._serial,
        )
        trusted = look.reading.time_ms is not None
        return Kept(trusted, True, None, self.known, look.reading.source if trusted else None)

    def _due_in(self, seconds: float) -> None:
        self._due_s = self._steady_s() + min(max(seconds, _PAUSE_S_MIN), self._timing.clock_s)

    async def _best_look(self, connection: Connection) -> _Look:
        looks = [await self._look(lambda: operations.clock(connection)) for _ in range(_LOOKS)]
        return min((look for look in looks if look is not None), key=lambda look: look.bound_ms)

    async def _look(self, ask: Callable[[], Awaitable[ClockReading | None]]) -> _Look | None:
        began_s, began_ms = self._steady_s(), self._wall_ms()
        reading = await ask()
        half_s = (self._steady_s() - began_s) / 2
        if reading is None:
            return None
        shown_ms = began_ms + half_s * 1000 if reading.time_ms is None else reading.time_ms + 0.5
        return _Look(
            reading,
            shown_ms - (began_ms + half_s * 1000),
            half_s * 1000 + 0.5,
            began_s + half_s,
            began_ms - began_s * 1000,
        )

    def _learn(self, look: _Look, boot_id: str) -> None:
        """Learn the drift from how far the clock has moved since it was last moved here."""
        mark = self._mark
        if mark is None or (mark.boot_id, mark.settings) != (boot_id, look.reading.settings):
            return  # somebody else set it in between
        if abs(look.ahead_ms - mark.ahead_ms) > _STEP_MS_MAX:
            return  # the hub's own clock was set in between
        if abs(look.offset_ms) - look.bound_ms > look.reading.error_ms:
            log.warning(
                "keypad %s: its clock was off by %.0f ms, and said that %d ms were the most",
                self._serial,
                abs(look.offset_ms),
                look.reading.error_ms,
            )
            self.known = drift.UNKNOWN
        span_s = look.at_s - mark.at_s
        if span_s < _PAUSE_S_MIN / 2:
            return
        of_ms = 1e6 / span_s
        uncertainty_ppb = (look.bound_ms + mark.bound_ms + 2 * _ROUNDING_MS) * of_ms
        rate_ppb = (look.offset_ms - mark.offset_ms) * of_ms + look.reading.drift_ppb
        self.known = drift.seen(self.known, rate_ppb, uncertainty_ppb)
