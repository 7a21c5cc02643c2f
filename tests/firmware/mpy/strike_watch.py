"""What the strike does, as level after level. Import `esp32_time` first."""

import esp32_time

import board
from doorpad_fw import pins

strike = []
board.drive(pins.STRIKE, 1 - pins.STRIKE_ACTIVE)  # as boot.py does first
board.watch(lambda name, level: strike.append(level) if name == "strike" else None)


def with_loop(function):
    """Call `function()` where tasks can be made, and let end what it began; `strike` then tells of it alone."""
    strike.clear()
    esp32_time.call(function, rest_ms=10_000)
