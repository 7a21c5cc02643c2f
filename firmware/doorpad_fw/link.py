"""The keypad's end of the link: bytes from the line and back, and hints when something changed here."""

import asyncio
import gc
import os
import sys

from doorpad_link import messages
from doorpad_link.device import DeviceSession
from doorpad_link.handshake import key_id
from micropython import const
from time import ticks_diff, ticks_ms

from doorpad_fw import health, seldom

_READ_BYTES = const(256)
_LONG_MS = const(3_600_000)
_COUNT_MASK = const(0x3FFF_FFFF)  # counts of bytes stay small integers on the ESP32


class Link:
    """Serves one host at a time on one serial line.

    Args:
        line: to read and write: line.py.
        capabilities: what AUTH_R tells of this keypad (protocol/README.md, section 1).
        serve: `serve(maker, op, body)` does one request; see operations.py.
        changed: the event that is set when table or journal moved on.
        on_key_changed: `on_key_changed(maker)` is called when that host has a new key.
    """

    def __init__(self, line, identity, slots, journal, boot_id, capabilities, serve, changed, on_key_changed):
        self._line = line
        self._speed = None  # speed.py, once a hub has asked for another one
        self._slots = slots
        self._journal = journal
        self._changed = changed
        self._hinted = (0, 0)  # generation and head of the last hint
        self.turns = 0  # counts what this end does by itself, and wraps
        self._bytes_in = 0
        self._bytes_out = 0
        self._identity = identity
        self._serve = serve
        self._on_key_changed = on_key_changed
        self._session = DeviceSession(
            identity.device_id, boot_id, identity.hosts, capabilities, os.urandom, self._answer
        )
        self._session.following = identity.following
        self._session.on_proven = self._key_proven

    def _answer(self, maker, op, body):
        if op == messages.OP_STATISTICS:
            session = self._session
            return messages.OK, [
                self._bytes_in,
                self._bytes_out,
                session.noise,
                session.forged,
                gc.mem_free(),
                self._line.overruns,
                session.repeated,
                session.sessions,
            ]
        if op == messages.OP_HOSTS:
            hosts = enumerate(self._identity.hosts)
            return messages.OK, [[place + 1, host_id, key_id(key)] for place, (host_id, key) in hosts]
        if op == messages.OP_SPEED:
            return self._ask_speed(body), None
        if op != messages.OP_NEXT_KEY:
            return self._serve(maker, op, body)
        try:
            host_id, host_public = body
            public = seldom.call(
                "doorpad_fw.key_change", "begin", self._identity, maker, host_id, host_public
            )
        except (TypeError, ValueError) as error:
            sys.print_exception(error)
            return messages.INVALID, None
        except OSError as error:
            sys.print_exception(error)
            return messages.FLASH, None
        self._session.following = self._identity.following
        return messages.OK, public

    def _ask_speed(self, body):
        if self._speed is None:
            from doorpad_fw.speed import Speed  # here: most keypads are never asked, and their heap is small

            self._speed = Speed(self._line, self._counted)
        return self._speed.ask(body)

    def _counted(self):
        return self._bytes_in, self._session.intact, self._session.opened

    def _key_proven(self):
        maker = self._identity.following[0]
        seldom.call("doorpad_fw.key_change", "finish", self._identity)
        self._on_key_changed(maker)
        self._session.following = None

    @property
    def is_open(self):
        """Whether a hub has proven its key since the start."""
        return self._session.is_open

    def changed(self):
        """Tell the host, when it can be told, that table or journal moved on. Without news it is told nothing."""
        self._changed.set()

    async def run(self):
        """Serve for ever. Returns only if the line itself is gone."""
        hints = asyncio.create_task(self._hint())
        buffer = memoryview(bytearray(_READ_BYTES))
        last_ms = ticks_ms()
        while True:
            size = await self._line.read(buffer)
            if not size:
                hints.cancel()
                return
            now_ms = ticks_ms()
            self._bytes_in = self._bytes_in + size & _COUNT_MASK
            elapsed_ms, last_ms = ticks_diff(now_ms, last_ms), now_ms
            if elapsed_ms < 0:
                elapsed_ms = _LONG_MS  # more than 6.2 days, which ticks take for less than nothing
            try:
                await self._take(bytes(buffer[:size]), elapsed_ms)
            except MemoryError as error:
                health.report(messages.HEALTH_MEMORY)
                sys.print_exception(error)  # the host asks again, and reads what became of it in the end

    async def _take(self, data, elapsed_ms):
        # Frame by frame: the answers to many small ones together would be more than the heap has room for.
        while data:
            end = data.find(b"\x00") + 1 or len(data)
            await self._send(self._session.receive(data[:end], elapsed_ms))
            elapsed_ms = 0
            data = data[end:].lstrip(b"\x00")  # more zeros behind one tell nothing
            if self._speed is not None and self._speed.asked:
                await self._speed.change()

    async def _hint(self):
        while True:
            await self._changed.wait()
            self._changed.clear()
            self.turns = (self.turns + 1) & 0xFFFF
            state = (self._slots.generation, self._journal.head)
            if state == self._hinted:
                continue
            self._hinted = state
            if self._line.half_duplex:
                continue  # the host speaks first, and asks often
            await self._send(self._session.hint(*state))

    async def _send(self, out):
        if out:
            self._bytes_out = self._bytes_out + len(out) & _COUNT_MASK
            await self._line.write(out)
