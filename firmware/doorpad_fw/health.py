"""What is wrong with this keypad: bits HEALTH_ of messages.py, which the host reads in STATE.

A bit stands until the next start, unless what it tells of can be seen to end.
"""

bits = 0


def report(bit):
    global bits
    bits |= bit


def withdraw(bit):
    global bits
    bits &= ~bit
