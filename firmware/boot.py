"""Runs first: strike and buzzer to their safe level before anything else can fail. No update replaces this file."""

import gc
import sys

from machine import WDT, Pin
from micropython import kbd_intr

import at_rest

for _pin, _level in at_rest.LEVELS:
    Pin(_pin, Pin.OUT, value=_level)

# 03 stands in many a frame: from a hub at the console it would end the start, at the prompt.
kbd_intr(-1)

import selector  # noqa: E402 - the outputs come first

# From here on: an application that hangs while it is loaded is ended as one that hangs later. Both give it as long.
WDT(timeout=8000)

# Collecting often keeps new objects in the low holes. Without it, imports and the first minutes scatter them so
# that a few hundred bytes in one piece cannot be had while a sixth of the heap is free.
gc.threshold(4096)

sys.path.append(selector.choose())
