"""Serial ports: ours alone, and opened without touching the lines that reset an ESP32."""

import array
import fcntl
import os
import pty
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import serial.serialposix
from doorpad.link.errors import PortGone, PortUnusable
from doorpad.link.port import open_port


@pytest.fixture
def path() -> Iterator[str]:
    """The name of a terminal that behaves as a serial port does."""
    outside, inside = pty.openpty()
    yield os.ttyname(inside)
    os.close(outside)
    os.close(inside)


def test_port_that_another_has_open_is_refused_until_it_is_closed(path: str) -> None:
    first = open_port(path, 115_200)
    with pytest.raises(PortUnusable, match="cannot be opened"):
        open_port(path, 115_200)
    first.close()
    open_port(path, 115_200).close()


def test_port_that_is_not_there_is_told_as_gone(tmp_path: Path) -> None:
    with pytest.raises(PortGone, match="does not exist"):
        open_port(str(tmp_path / "ttyUSB0"), 115_200)


def test_neither_dtr_nor_rts_is_ever_switched_on(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's own calls tell: lines are switched by TIOCMBIS and TIOCMSET on, by TIOCMBIC off."""
    calls: list[tuple[int, int]] = []
    real = fcntl.ioctl

    def ioctl(fd: int, request: int, argument: Any = 0, *more: Any) -> Any:
        if isinstance(argument, bytes) and len(argument) == 4:
            calls.append((request, int.from_bytes(argument, sys.byteorder)))
        elif isinstance(argument, array.array):
            calls.append((request, argument[0]))
        return real(fd, request, argument, *more)

    monkeypatch.setattr(serial.serialposix.fcntl, "ioctl", ioctl)
    port = open_port(path, 115_200)
    port.close()
    lines = termios.TIOCM_DTR | termios.TIOCM_RTS
    switched_on = [bits for request, bits in calls if request in (termios.TIOCMBIS, termios.TIOCMSET)]
    assert [bits & lines for bits in switched_on if bits & lines] == []
    switched_off = [bits for request, bits in calls if request == termios.TIOCMBIC]
    assert termios.TIOCM_DTR in switched_off, calls
