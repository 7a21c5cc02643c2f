"""What is wrong with this keypad since its start: bits HEALTH_ of messages.py, which the host reads in STATE."""

bits = 0


def report(bit):
    global bits
    bits |= bit
