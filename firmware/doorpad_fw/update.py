"""Takes another application over the link into the folder that is not in use (protocol/README.md, section 6).

    manifest     header, then a record for each file:
                 magic[4] mpy[2] oldest format[1] newest format[1] files[2] version[22]      little-endian
                 SHA-256[32] size[4] path[60]                                         path: ASCII, padded with zeros
    update.id    SHA-256[32] size[4] of the manifest that is being taken in

Nothing counts for what the folder holds but the files themselves: an update that was cut off goes on where they end.
The session says who sends them; the hashes, that they came whole. The application in use is not touched, and stays
when the other one is put on trial. Slots, journal, keys and settings lie elsewhere.

Imported when an update begins; forgotten with its end, and when nothing was asked for a while. What is needed once
lies in update_room.py, which takes room on the heap for no longer than that.
"""

import asyncio
import os
import struct
import sys

from doorpad_link import messages
from micropython import const
from time import ticks_diff, ticks_ms

import selector
from doorpad_fw import seldom
from doorpad_fw.version import MANIFEST, UPDATE_ID

_HEADER_BYTES = const(32)
_RECORD_BYTES = const(96)
_IDLE_MS = const(120_000)
_REPLY_MS = const(500)  # for the reply to leave before the restart
_NO_SPACE = const(28)  # errno


class Update:
    """Does the operations of an update.

    Args:
        is_attended: `is_attended()` says whether somebody is at the keypad.
        forget: `forget()` is called at the end.
    """

    def __init__(self, is_attended, forget):
        self.is_attended = is_attended
        self._forget = forget
        self.folder = selector.other(selector.read()[0]) + "/"
        self.right: set[int] = set()  # numbers of the files that were checked: 0 is the manifest
        self.count = 0  # files of the manifest, once that is right
        self._file = None
        self._open = -1  # number of the file that is open
        self._size = 0  # of it
        self._asked_ms = ticks_ms()

    def expire(self):
        """Forget an update that nobody goes on with. Called with other requests: without a hub nothing is needed.

        A task of its own would stay in the loop's queue, and all of this on the heap, long after it was cancelled.
        """
        # Less than nothing: it was more than 6.2 days ago.
        if not 0 <= ticks_diff(ticks_ms(), self._asked_ms) < _IDLE_MS:
            self.close()
            self._forget()

    def serve(self, op, body):
        """Do one operation; return (status, result). Raises for a body of another shape."""
        self._asked_ms = ticks_ms()
        try:
            if op == messages.OP_UPDATE_WRITE:
                return self._write(body)
            if op == messages.OP_UPDATE_CHECK:
                return self._check(body[0])
            if op == messages.OP_UPDATE_BEGIN:
                return seldom.call("doorpad_fw.update_room", "begin", self, body)
            return self._switch() if op == messages.OP_UPDATE_SWITCH else self._cancel()
        except OSError as error:
            sys.print_exception(error)
            self.close()
            return (messages.NO_SPACE if error.errno == _NO_SPACE else messages.FLASH), None

    def identity(self):
        """Hash and size of the manifest of the update that has begun; empty if none has."""
        try:
            with open(self.folder + UPDATE_ID, "rb") as file:
                return file.read(36)
        except OSError:
            return b""

    def _wanted(self, number):
        """Return (path, size, SHA-256) of a file. Raises ValueError if the update has none of this number."""
        if number:
            if not 1 <= number <= self.count:
                raise ValueError("no such file, or the manifest is not there")
            with open(self.folder + MANIFEST, "rb") as file:
                file.seek(_HEADER_BYTES + (number - 1) * _RECORD_BYTES)
                wanted, size, path = struct.unpack("<32sI60s", file.read(_RECORD_BYTES))
            return path.rstrip(b"\0").decode(), size, wanted
        identity = self.identity()
        if not identity:
            raise ValueError("no update has begun")
        return MANIFEST, struct.unpack_from("<I", identity, 32)[0], identity[:32]

    def close(self):
        if self._file is not None:
            self._file.close()
            self._file = None
            self._open = -1

    def _write(self, body):
        number, offset, data = body
        path, size, _ = self._wanted(number)
        if self.is_attended():
            return messages.BUSY, None
        if self._open != number or self._file is None:
            self.close()
            held = self._held(path) if offset else 0
            if offset != held:
                return messages.CONFLICT, held
            self.right.discard(number)
            folder = path.rsplit("/", 1)[0]
            if folder != path and folder not in os.listdir(self.folder[:-1]):
                os.mkdir(self.folder + folder)
            # Open as long as pieces of it come: to close it after each would copy and erase a block each time.
            self._file = open(self.folder + path, "ab" if offset else "wb")  # noqa: SIM115
            self._open = number
            self._size = offset
        if offset != self._size:
            return messages.CONFLICT, self._size
        if offset + len(data) > size:
            return messages.INVALID, None
        self._file.write(data)
        self._size += len(data)
        return messages.OK, self._size

    def _held(self, path):
        """Size of a file as it is there, 0 for none."""
        try:
            return os.stat(self.folder + path)[6]
        except OSError:
            return 0

    def _check(self, number):
        path, size, wanted = self._wanted(number)
        self.close()
        held, found = seldom.call("doorpad_fw.update_room", "sha256", self.folder + path)
        right = (held, found) == (size, wanted)
        if right and not number:
            status, self.count = seldom.call("doorpad_fw.update_room", "examine", self.folder + MANIFEST)
            if status != messages.OK:
                return status, None
        if right:
            self.right.add(number)
        return messages.OK, [held, right]

    def _switch(self):
        if not self.count or len(self.right) != self.count + 1:
            return messages.INVALID, None
        if self.is_attended():
            return messages.BUSY, None
        self.close()
        selector.put_on_trial(self.folder[0])
        asyncio.create_task(self._restart())
        return messages.OK, None

    async def _restart(self):
        await asyncio.sleep_ms(_REPLY_MS)
        while self.is_attended():
            await asyncio.sleep_ms(_REPLY_MS)
        seldom.call("doorpad_fw.restart", "restart")

    def _cancel(self):
        if self.identity():
            os.remove(self.folder + UPDATE_ID)
        self.close()
        self._forget()
        return messages.OK, None
