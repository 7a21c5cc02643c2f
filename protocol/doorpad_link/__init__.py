"""The serial link between a keypad and its hub, sans I/O: bytes and times in, bytes and events out.

The same files run under CPython on the hub and under MicroPython in the keypad, so they use
neither `typing` nor `enum` nor `dataclasses`. `protocol/README.md` is the specification.
"""
