"""Emulated keypads: the firmware's own files under the real MicroPython, with a cable and a bench around them."""
