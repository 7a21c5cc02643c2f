"""Runs first: the strike and the buzzer to their safe level before anything else can fail."""

from machine import Pin

from doorpad_fw import pins

Pin(pins.STRIKE, Pin.OUT, value=1 - pins.STRIKE_ACTIVE)
Pin(pins.BUZZER, Pin.OUT, value=1 - pins.BUZZER_ACTIVE)

from doorpad_fw import memory  # noqa: E402, F401 - the outputs come first, the big blocks second
