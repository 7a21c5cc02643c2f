"""A keypad on pipes: the firmware's session, operations, table, journal and door on flash in RAM, in virtual time.

Runs inside MicroPython; `mpy_keypad.py` has the other end. A line of JSON asks, a line of JSON answers. Bytes are
hexadecimal. The functions named `do_...` below are what can be asked.
"""

# ruff: noqa: I001 - virtual time changes `time` for all that is imported after it
import esp32_time

import asyncio
import binascii
import gc
import io
import json
import sys

from doorpad_fw import keys
from doorpad_fw.link import Link
from doorpad_link import cbor
from doorpad_link import identity as identities

import keypad_parts
from journal_entries import entries_after
from ram_flash import Flash, PowerCut


def _hex(data):
    return binascii.hexlify(data).decode()


class _Line:
    """No bytes come or go: the session is fed directly. What is asked is how often it ran over, and its speed."""

    overruns = 0
    baud = 115_200

    def can_run_at(self, baud):
        return False


class _Board:
    """`hosts`: (host id, key) of each."""

    def __init__(self, capacity, hosts):
        self._capacity = capacity
        self._boots = 0
        self.behind_ppb = 0  # parts of a millisecond by which the crystal is ahead of what time has passed
        self.flash = Flash(2 * keypad_parts.SEGMENTS)
        identity = keypad_parts.Keypad(self.flash, capacity).identity
        identity.hosts[:] = hosts
        keys.store(identities.pack(identity))
        self.start()

    def start(self):
        """Power up on what the flash holds."""
        self._boots += 1
        self.flash.power_up()
        self.parts = keypad_parts.Keypad(self.flash, self._capacity)
        identity = keys.load()
        self.parts.identity.hosts = identity.hosts
        self.parts.identity.following = identity.following
        operations = self.parts.operations
        boot_id = b"boot" + self._boots.to_bytes(4, "big")
        self.link = Link(
            _Line(),
            self.parts.identity,
            self.parts.slots,
            self.parts.journal,
            boot_id,
            operations.capabilities,
            operations.serve,
            asyncio.Event(),
            self.parts.door.key_changed,
        )


_board = None


def do_build(capacity, hosts):
    """A new keypad with nothing in its table. Everything else needs one."""
    global _board
    _board = None  # the old flash gives way to the new one
    gc.collect()
    _board = _Board(
        capacity, [(binascii.unhexlify(host_id), binascii.unhexlify(key)) for host_id, key in hosts]
    )


def do_feed(data, ms):
    """Bytes from the line, `ms` after the last; returns what it answers."""
    return _hex(_board.link._session.receive(binascii.unhexlify(data), ms))


def do_press(pressed):
    for key in pressed:
        _board.parts.door.key(key)


def do_cut_at(operation, tear):
    """Cut the power within the `operation`-th flash operation from now: see ram_flash.py."""
    _board.flash.cut_at(operation, tear)


def do_restart():
    _board.start()


def do_table():
    """Generation, digest of the table, and [slot, version, flags, PIN, operation id, maker] of each used slot."""
    slots = _board.parts.slots
    found = []
    for number, version, _, maker, slot in slots.changed_since(0, 1):
        if slot is not None:
            found.append([number, version, slot.flags, slot.pin.decode(), _hex(slot.op_id), maker])
    return [slots.generation, _hex(slots.digest.root()), found]


def do_settings():
    return _board.parts.settings


def do_journal(after):
    """[sequence, kind, reason, slot] of each entry after a number."""
    return [
        [entry.sequence, entry.kind, entry.reason, entry.slot]
        for entry in entries_after(_board.parts.journal, after)
    ]


def do_newest():
    """Number of the journal's newest entry, 0 before the first."""
    return _board.parts.journal.head


def do_about():
    session = _board.link._session
    return {"noise": session.noise, "forged": session.forged, "open": session.is_open}


def do_live(real_ms, ticks, drift_ppb):
    """Let so many milliseconds pass `ticks` times, by a crystal that is this fast, and the door tick each time."""
    for _ in range(ticks):
        _board.behind_ppb += real_ms * drift_ppb
        whole_ms, _board.behind_ppb = divmod(_board.behind_ppb, 1_000_000_000)
        esp32_time.advance(real_ms + whole_ms)
        _board.parts.door.tick()


def do_serve(maker, body):
    """One request, [operation, arguments] in CBOR, of a host; returns [status, result] in CBOR."""
    op, arguments = cbor.decode(binascii.unhexlify(body))
    return _hex(cbor.encode(_board.parts.operations.serve(maker, op, arguments)))


def do_heap():
    """Bytes in use after a collection."""
    gc.collect()
    return gc.mem_alloc()


async def _serve():
    while True:
        line = sys.stdin.readline()
        if not line:
            return
        request = json.loads(line)
        try:
            answer = {"answer": globals()["do_" + request["do"]](*request["with"])}
        except PowerCut:
            answer = {"power": "cut"}
        except Exception as error:
            text = io.StringIO()
            sys.print_exception(error, text)
            answer = {"failed": text.getvalue()}
        print(json.dumps(answer))
        await asyncio.sleep_ms(request.get("rest_ms", 0))


esp32_time.run(_serve())
