"""Opening a serial port so that it is ours alone and the keypad behind it is not reset."""

import os
import termios
from pathlib import Path

import serial

from doorpad.link.errors import PortGone, PortUnusable


def open_port(path: str, baud: int) -> serial.Serial:
    """Open a port for non-blocking use of its descriptor.

    DTR and RTS are off before the port opens: on a development kit they lead to the ESP32's reset.

    Raises:
        PortGone: there is no such port.
        PortUnusable: no rights, or another program has it.
    """
    if not Path(path).exists():
        raise PortGone(f"port {path} does not exist")
    port = serial.Serial()
    port.port = path
    port.baudrate = baud
    port.exclusive = True
    port.timeout = 0
    port.write_timeout = 0
    port.dtr = False
    port.rts = False
    try:
        port.open()
    except (serial.SerialException, OSError, termios.error) as error:
        if not Path(path).exists():
            raise PortGone(f"port {path} was pulled") from error
        raise PortUnusable(f"port {path} cannot be opened: {error}") from error
    os.set_blocking(port.fd, False)
    return port
