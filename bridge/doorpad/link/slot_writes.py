"""What a hub writes to slots, as it goes into frames, and what comes of each."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from doorpad_link import cbor, messages

from doorpad.uses import as_flags

PUTS_MAX = 16  # slots in a frame: as many as a keypad's heap surely has room for; small frames take fewer
DELETES_MAX = 32
_DELETE_BYTES = 18
_AROUND_BYTES = 26  # header, tag, CRC, and what stands around the list
_AROUND_PUTS_BYTES = _AROUND_BYTES + 9 + 4  # operation id; head of the list, and of the access-code ids
_CODE_ID_BYTES = 16
_OP_IDS = 1 << 64


@dataclass(frozen=True, slots=True)
class SlotWrite:
    """One slot to be written. `if_version` 0: only if it is empty. `op_id`: 8 bytes, of this one change.

    `uses_left`: how often it may open, 1 to 256; None: as often as one likes. `duress`: the journal says of its use
    that it was under threat. `managed`: by the hub that writes it.
    """

    slot: int
    if_version: int
    code: str = field(repr=False)
    from_s: int | None
    until_s: int | None
    access_code_id: str
    op_id: bytes
    uses_left: int | None = None
    duress: bool = False
    managed: bool = True

    @property
    def flags(self) -> int:
        """As the keypad tells of them."""
        bound = messages.TIME_BOUND if self.from_s is not None else 0
        duress = messages.DURESS if self.duress else 0
        managed = messages.MANAGED if self.managed else 0
        return managed | messages.ENABLED | bound | duress | as_flags(self.uses_left)

    @property
    def op_number(self) -> int:
        return int.from_bytes(self.op_id, "big")


def op_ids(count: int) -> list[bytes]:
    """New operation ids that run on, as one frame needs them: only the first is sent."""
    first = secrets.randbelow(_OP_IDS)
    return [((first + place) % _OP_IDS).to_bytes(8, "big") for place in range(count)]


@dataclass(frozen=True, slots=True)
class SlotResult:
    """`status` as in messages.py. `version`: the slot's new version; on DUPLICATE the slot that has the PIN."""

    slot: int
    status: int
    version: int

    @property
    def done(self) -> bool:
        return self.status in (messages.OK, messages.ALREADY)


class Puts:
    """The body of one PUT, as it grows: a slot is told as the step from the one before it."""

    def __init__(self, room_bytes: int, first: SlotWrite) -> None:
        self.slots: list[int] = []
        self._left_bytes = room_bytes
        self._op_id = first.op_id
        self._code_ids = b""
        self._items: list[list[object]] = []
        if not self.take(first):
            raise ValueError("a slot does not fit the keypad's frames")

    @property
    def body(self) -> list[object]:
        return [self._op_id, self._code_ids, self._items]

    def take(self, write: SlotWrite) -> bool:
        """Take one more, or leave it for another frame."""
        step = write.slot - (self.slots[-1] if self.slots else 0)
        next_op = (int.from_bytes(self._op_id, "big") + len(self._items)) % _OP_IDS
        if len(self._items) == PUTS_MAX or step < 1 or write.op_number != next_op:
            return False
        flags = write.flags & ~messages.TIME_BOUND  # the window says it
        item: list[object] = [
            write.if_version,
            step,
            write.code.encode("ascii"),
            write.from_s,
            write.until_s,
            flags,
        ]
        size = len(cbor.encode(item)) + _CODE_ID_BYTES
        if size > self._left_bytes:
            return False
        self._left_bytes -= size
        self.slots.append(write.slot)
        self._code_ids += UUID(write.access_code_id).bytes
        self._items.append(item)
        return True


def puts(writes: Iterable[SlotWrite], mtu_bytes: int) -> list[Puts]:
    """Put writes into frames.

    One takes them in order as long as their slots rise and their operation ids run on.
    """
    frames: list[Puts] = []
    for write in writes:
        if not frames or not frames[-1].take(write):
            frames.append(Puts(mtu_bytes - _AROUND_PUTS_BYTES, write))
    return frames


def deletes_in_frame(mtu_bytes: int) -> int:
    return min((mtu_bytes - _AROUND_BYTES) // _DELETE_BYTES, DELETES_MAX)
