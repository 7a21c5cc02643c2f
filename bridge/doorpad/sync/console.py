"""What was said on a keypad's port that was no frame: kept in a file, for whoever looks for a cause.

A boot loader, a traceback or a prompt says more than any error in few words. Runs of four digits or more are left
out of it: a program that fails may print what somebody entered.
"""

import os
import re
from pathlib import Path

_DIGITS = re.compile(r"[0-9]{4,}")
_UNPRINTABLE = re.compile(r"[^\n\x20-\x7e]+")


class Console:
    """The file of one keypad: `<folder>/<serial>.txt`, the newest text only."""

    def __init__(self, folder: Path, serial: str) -> None:
        self.path = folder / f"{serial}.txt"
        self._kept = ""

    def keep(self, text: bytes) -> bool:
        """Keep a text; return whether it is another one than before. Raises OSError if the disk does not take it."""
        shown = text.decode("ascii", "replace").replace("\r\n", "\n")
        shown = _DIGITS.sub("#", _UNPRINTABLE.sub(".", shown))
        if shown == self._kept:
            return False
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        new = self.path.with_suffix(".new")
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(shown)
        new.replace(self.path)
        self._kept = shown
        return True
