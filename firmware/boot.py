"""Runs first: the strike and the buzzer to their safe level before anything else can fail."""

import gc

from machine import Pin

from doorpad_fw import pins

Pin(pins.STRIKE, Pin.OUT, value=1 - pins.STRIKE_ACTIVE)
Pin(pins.BUZZER, Pin.OUT, value=1 - pins.BUZZER_ACTIVE)

# Collecting often keeps new objects in the low holes. Without it, imports and the first minutes scatter them so
# that a few hundred bytes in one piece cannot be had while a sixth of the heap is free.
gc.threshold(4096)

from doorpad_fw import memory  # noqa: E402, F401 - the outputs come first, the big blocks second
