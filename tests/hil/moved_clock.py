"""`python moved_clock.py FILE run …`: doorpad as ever, where the clock is so many seconds ahead as FILE says.

The clock is moved while the process runs, as a person or a time server does: the next look at it shows the new time.
What waits in the process by its own ticks waits on; only the time of day has moved.
"""

import mmap
import runpy
import struct
import sys
import time
from pathlib import Path

_REAL_NS = time.time_ns
_AHEAD = struct.Struct("q")  # seconds


class MovedClock:
    """The hand on the clock of a process that was started with `arguments`."""

    def __init__(self, file: Path) -> None:
        file.write_bytes(bytes(_AHEAD.size))
        self._ahead = _shared(file)
        self.arguments = (str(Path(__file__)), str(file))
        self.ahead_s = 0

    def move(self, ahead_s: int) -> None:
        """Set the clock so many seconds ahead of the real time, not of what it shows now."""
        _AHEAD.pack_into(self._ahead, 0, ahead_s)
        self.ahead_s = ahead_s

    def now_s(self) -> int:
        return _REAL_NS() // 1_000_000_000 + self.ahead_s


def _shared(file: Path) -> mmap.mmap:
    with file.open("r+b") as opened:
        return mmap.mmap(opened.fileno(), _AHEAD.size)


if __name__ == "__main__":
    _, name, *sys.argv[1:] = sys.argv
    ahead = _shared(Path(name))
    time.time_ns = lambda: _REAL_NS() + _AHEAD.unpack_from(ahead)[0] * 1_000_000_000
    runpy.run_module("doorpad", run_name="__main__", alter_sys=True)
