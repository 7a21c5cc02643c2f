"""A keypad without its link's wire: the firmware's own parts on flash in RAM and the stand-in board.

Import `esp32_time` first.
"""

from doorpad_fw import config
from doorpad_fw.clock import Clock
from doorpad_fw.door import Door
from doorpad_fw.journal import LAYOUT as JOURNAL_LAYOUT
from doorpad_fw.journal import Journal
from doorpad_fw.lockout import Lockout
from doorpad_fw.log import Log
from doorpad_fw.operations import Operations
from doorpad_fw.outputs import Outputs
from doorpad_fw.slots import LAYOUT as SLOT_LAYOUT
from doorpad_fw.slots import NO_CODE, Slot, Slots
from doorpad_link import messages
from doorpad_link.identity import Identity, pin_tag
from time import ticks_ms

from journal_entries import entries_after
from ram_flash import Flash

SEGMENTS = 4

DEVICE_KEY = bytes(range(32))
MASTER = b"99887766"
STRIKE_MS = 3000


def put_body(number, pin, version=0, op_id=b"op-id--1", flags=3, window=(None, None), code_id=NO_CODE):
    """What a PUT of one slot asks with (protocol/README.md, section 4)."""
    return [op_id, code_id, [[version, number, pin, window[0], window[1], flags]]]


class Keypad:
    """`flash`: a former keypad's, to start from what it left. `master` None: no master PIN has been set."""

    def __init__(self, flash=None, capacity=64, master=MASTER, **settings):
        self.flash = flash or Flash(2 * SEGMENTS)
        self.settings = dict(config.load("not-there.json")[0], strike_ms=STRIKE_MS, **settings)
        tag = pin_tag(DEVICE_KEY, master) if master else bytes(32)
        self.identity = Identity(b"devicedv", DEVICE_KEY, tag, [(b"hosthost", bytes(32))])
        self.slots = Slots(Log(self.flash, 0, SEGMENTS, SLOT_LAYOUT, lambda: b"slot"), capacity, DEVICE_KEY)
        self.journal = Journal(Log(self.flash, SEGMENTS, SEGMENTS, JOURNAL_LAYOUT, lambda: b"jour"))
        self.clock = Clock()
        self.changes = 0
        self.door = Door(
            self.identity,
            self.slots,
            self.journal,
            Lockout(self.journal.lockout, ticks_ms(), self.settings),
            self.clock,
            Outputs(self.settings),
            self.settings,
            self._changed,
        )
        self.operations = Operations(
            self.slots, self.journal, self.clock, self.door, self.settings, b"bootboot"
        )

    def _changed(self):
        self.changes += 1

    def add(self, number, pin, flags=messages.ENABLED, from_s=0, until_s=0):
        slot = Slot(number, 0, flags, from_s, until_s, 1, bytes(8), NO_CODE, pin)
        status, _ = self.slots.put(0, slot)
        assert status == messages.OK, status

    def enter(self, keys):
        for key in keys:
            self.door.key(key)

    def entries(self):
        """(kind, reason, slot) of every journal entry."""
        return [(entry.kind, entry.reason, entry.slot) for entry in entries_after(self.journal, 0)]

    def kinds(self):
        """(kind, reason) of every journal entry."""
        return [(kind, reason) for kind, reason, _ in self.entries()]
