"""Judges entries inside MicroPython: a JSON line in for each entry, the reason and the flags
of its code after it as a line out.

[flags, from_s, until_s] or null, now_s, clock trusted, shut
"""

import json
import sys

from doorpad_fw.decide import after_use, decide
from doorpad_fw.slots import NO_CODE, Slot
from doorpad_link import messages

for line in sys.stdin:
    held, now_s, trusted, shut = json.loads(line)
    slot = None
    if held is not None:
        flags, from_s, until_s = held
        slot = Slot(1, 1, flags, from_s, until_s, 0, bytes(8), NO_CODE, b"1234")
    reason = decide(slot, now_s, trusted, shut)
    flags = 0 if slot is None else slot.flags
    if reason == messages.GRANTED and flags & messages.COUNTED:
        flags = after_use(flags)
    print(reason, flags)
