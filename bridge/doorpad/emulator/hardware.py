"""What an emulated board's hardware does without its program: the watchdog bites, and a pulse ends.

A stand-in inside of the process would hang with the program that it has to guard against.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

_PULSE_GRACE_S = 0.05
_GRACE_S = 2.0  # this process may itself have been stalled, with a feeding unread

Output = dict[str, Any]


@dataclass(frozen=True)
class _Pulse:
    message: dict[str, Any]  # that announced it
    began_s: float
    end: asyncio.TimerHandle


class Hardware:
    """One board while it has power.

    Args:
        bite: called when the watchdog has not been fed in time.
        show: called with every change of an output, those that the hardware makes included.
        set_baud: called with each speed that the link's UART is set to.
    """

    def __init__(
        self, bite: Callable[[], None], show: Callable[[Output], None], set_baud: Callable[[int], None]
    ) -> None:
        self._bite = bite
        self._show = show
        self._set_baud = set_baud
        self._loop = asyncio.get_running_loop()
        self._dog: asyncio.TimerHandle | None = None
        self._pulses: dict[str, _Pulse] = {}  # of the outputs that are within one
        self._levels: dict[str, int] = {}

    def take(self, message: dict[str, Any]) -> None:
        """Take what the board inside says unasked."""
        if "watchdog_ms" in message:
            if self._dog is not None:
                self._dog.cancel()
            self._dog = self._loop.call_later(message["watchdog_ms"] / 1000 + _GRACE_S, self._bite)
        elif "baud" in message:
            self._set_baud(message["baud"])
        elif "pulse" in message:
            # The board tells the end itself while it runs; this is for one that hangs.
            end = self._loop.call_later(message["ms"] / 1000 + _PULSE_GRACE_S, self._end, message["pulse"])
            self._pulses[message["pulse"]] = _Pulse(message, time.monotonic(), end)
        else:
            self._change(message)

    def _change(self, output: Output) -> None:
        name, level = output["output"], output["level"]
        if self._levels.get(name) == level:
            return  # the end of a pulse, and it has been shown
        self._levels[name] = level
        pulse = self._pulses.get(name)
        if pulse is not None and level == pulse.message["level"]:
            self._pulses.pop(name).end.cancel()
        elif pulse is not None:  # a stall may lie between the announcement and the level
            began = {"ticks_ms": output["ticks_ms"], "unix_s": output["unix_s"]}
            self._pulses[name] = replace(pulse, message=pulse.message | began)
        self._show(output)

    def _end(self, name: str) -> None:
        pulse = self._pulses[name]
        # The peripheral keeps to its time, however late this process is to tell of it.
        passed_s = min(time.monotonic() - pulse.began_s, pulse.message["ms"] / 1000)
        self._change(
            {
                "output": name,
                "level": pulse.message["level"],
                "ticks_ms": pulse.message["ticks_ms"] + round(passed_s * 1000),
                "unix_s": pulse.message["unix_s"] + int(passed_s),
            }
        )

    def lose_power(self) -> None:
        """The power is gone, or the chip resets: no pulse outlasts it."""
        if self._dog is not None:
            self._dog.cancel()
        for name in list(self._pulses):
            self._end(name)
