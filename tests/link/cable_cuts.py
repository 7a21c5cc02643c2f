"""Exchanges between a hub and the real firmware in which the cable is pulled after the n-th byte, then plugged in.

After each the exchange is asked for again, as sync does it, and has to have had its effect exactly once.
"""

import contextlib
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from bad_line import BAUD, Hub, Keypad
from doorpad import keyring
from doorpad.link import operations, rotation
from doorpad.link.connection import Connection
from doorpad.link.errors import LinkDown
from doorpad.link.slot_writes import SlotWrite
from doorpad_link import messages

ENDS = ("keypad", "hub")
EXCHANGES = ("handshake", "put", "conflict", "delete", "events", "key_change")

_numbers = itertools.count(1)  # of operations, and of slots: none comes twice
_slots = itertools.count(3000)


def _write(if_version: int, slot: int) -> SlotWrite:
    number = next(_numbers)
    op_id = number.to_bytes(8, "big")
    return SlotWrite(slot, if_version, f"{50_000_000 + number}", None, None, str(UUID(int=number)), op_id)


@dataclass
class Cuts:
    """Cuts exchanges with one keypad. `hub` has a session on it, and gets itself a new one after each cut.

    `size`: how many bytes the newest exchange that was left whole took to each end.
    """

    keypad: Keypad
    hub: Hub
    size: dict[str, int] = field(default_factory=dict)
    _slot: int = field(default_factory=lambda: next(_slots))  # the one that is written over and over
    _version: int = 0  # of that slot, 0 while it is empty

    async def exchange(self, name: str, count: int, end: str) -> None:
        """Cut one of EXCHANGES when `count` bytes have arrived at an end; 0: leave it whole, and note its size."""
        before, key = await self.hub.do(operations.state), self._key
        changes = await getattr(self, f"_{name}")(count, end)
        after = await self.hub.do(operations.state)
        assert after.generation - before.generation == changes, "not exactly once"
        entries = int(self._key != key)  # a key that has changed is told once, and nothing else is
        assert (after.boot, after.health) == (before.boot, 0)
        assert after.journal_head - before.journal_head == entries

    @property
    def _key(self) -> keyring.LinkKey:
        return keyring.load(self.keypad.keys, self.keypad.serial)

    async def _cut(self, count: int, end: str, work: Callable[[], Awaitable[object]]) -> None:
        before = await self.keypad.carried()
        if count:
            await self.keypad.cut_after(count, end)
        with contextlib.suppress(LinkDown):
            await work()
        if not count:
            now = await self.keypad.carried()
            self.size = {end: now[end] - before[end] for end in ENDS}
        await self.keypad.plug_in()

    async def _cut_request(
        self, count: int, end: str, work: Callable[[Connection], Awaitable[object]]
    ) -> None:
        await self._cut(count, end, lambda: work(self.hub.connection))

    async def _open_and_close(self) -> None:
        key = keyring.load(self.keypad.keys, self.keypad.serial)
        connection, _ = await Connection.open(self.keypad.link, BAUD, key, self.keypad.serial)
        connection.close()

    async def _handshake(self, count: int, end: str) -> int:
        self.hub.close()
        await self._cut(count, end, self._open_and_close)
        return 0

    async def _put(self, count: int, end: str) -> int:
        write = _write(self._version, self._slot)
        await self._cut_request(count, end, lambda connection: operations.put(connection, [write]))
        [result] = await self.hub.do(lambda connection: operations.put(connection, [write]))
        assert result.done, result
        self._version = result.version
        [slot] = await self.hub.slots(self._slot, self._slot)
        assert (slot.op_id, slot.code, slot.version) == (write.op_id.hex(), write.code, result.version)
        return 1

    async def _conflict(self, count: int, end: str) -> int:
        write = _write(self._version + 1, self._slot)
        await self._cut_request(count, end, lambda connection: operations.put(connection, [write]))
        [result] = await self.hub.do(lambda connection: operations.put(connection, [write]))
        assert (result.status, result.version) == (messages.CONFLICT, self._version)
        return 0

    async def _delete(self, count: int, end: str) -> int:
        write = _write(0, next(_slots))
        [added] = await self.hub.do(lambda connection: operations.put(connection, [write]))
        clear = (write.slot, added.version, next(_numbers).to_bytes(8, "big"))
        await self._cut_request(count, end, lambda connection: operations.delete(connection, [clear]))
        [result] = await self.hub.do(lambda connection: operations.delete(connection, [clear]))
        assert result.done, result
        assert await self.hub.slots(write.slot, write.slot) == []
        return 2

    async def _events(self, count: int, end: str) -> int:
        whole = await self.hub.do(lambda connection: operations.events(connection, 0))
        assert whole.entries
        await self._cut_request(count, end, lambda connection: operations.events(connection, 0))
        assert await self.hub.do(lambda connection: operations.events(connection, 0)) == whole
        return 0

    async def _key_change(self, count: int, end: str) -> int:
        """From a HELLO under the old key to the AUTH_R under the new one."""
        keypad = self.keypad
        old = self._key
        self.hub.close()
        await self._cut(
            count, end, lambda: rotation.change_key(keypad.link, BAUD, keypad.keys, keypad.serial)
        )
        await self.hub.do(operations.state)
        assert keyring.load_next(keypad.keys, keypad.serial) is None
        if count == 0:
            assert self._key != old
        return 0
