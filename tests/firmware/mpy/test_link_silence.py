"""A line that was silent for days, longer than ticks can tell: whoever comes back to it is answered at once."""

import esp32_time  # isort: skip - before anything takes hold of the time

import asyncio

from doorpad_fw import line
from doorpad_fw.line import ConsoleLine
from doorpad_fw.link import Link
from doorpad_link import cbor, frame
from doorpad_link.frame import Header
from doorpad_link.handshake import NONCE16_BYTES, PROTO

from cases import cases, equal
from keypad_parts import Keypad

HEAP = "400K"
DAY_MS = 86_400_000
HELLO = frame.pack(
    Header(frame.HELLO, 0, 0, False), cbor.encode([PROTO, PROTO, bytes(NONCE16_BYTES), b"hosthost"])
)


class _SilentLine:
    """Says HELLO after so many milliseconds, and is gone."""

    half_duplex = False
    overruns = 0

    def __init__(self, silent_ms):
        self._silent_ms = silent_ms
        self.answers = []

    async def read(self, buffer):
        if self._silent_ms is None:
            return 0
        esp32_time.advance(self._silent_ms)
        self._silent_ms = None
        buffer[: len(HELLO)] = HELLO
        return len(HELLO)

    async def write(self, data):
        self.answers.append(bytes(data))


# From 6.2 days on ticks_diff() gives less than zero, and at 12.4 it is around once.
@cases(0, 6, 7, 9, 12, 13, 20)
def test_hub_that_comes_back_after_days_is_answered(days):
    silent = _SilentLine(days * DAY_MS)

    async def play():
        keypad = Keypad()
        operations = keypad.operations
        parts = keypad.identity, keypad.slots, keypad.journal, b"bootboot", operations.capabilities
        await Link(silent, *parts, operations.serve, asyncio.Event(), keypad.door.key_changed).run()

    esp32_time.run(play())
    equal(len(silent.answers), 1)


class _Console:
    """The prompt's output; `buffer` is itself."""

    def __init__(self):
        self.buffer = self
        self.at_ms = []

    def write(self, data):
        self.at_ms.append(esp32_time.now_ms())


# At 2**30 us, 17.9 minutes, its ticks are around once; from the half of it on they seem to run backwards.
@cases(0, 1, 9, 12, 17, 18, 27, 60)
def test_console_that_wrote_nothing_for_minutes_writes_at_once(minutes):
    console = line.stdout = _Console()

    async def play():
        keypad_line = ConsoleLine()
        await keypad_line.write(b"before")
        began_ms = esp32_time.now_ms() + minutes * 60_000
        esp32_time.advance(minutes * 60_000)
        await keypad_line.write(b"after")
        assert console.at_ms[-1] - began_ms < 20, console.at_ms[-1] - began_ms

    esp32_time.run(play())
    equal(len(console.at_ms), 2)
