"""The operations of the link as typed calls. Every reply is checked here, once, and only here.

Times are Unix seconds. Sources: protocol/README.md, "Operations".
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any
from uuid import UUID

from doorpad_link import cbor, messages

from doorpad.link.connection import Connection
from doorpad.link.errors import ProtocolViolation
from doorpad.link.statistics import KeypadStatistics
from doorpad.link.statuses import refusal, status_of
from doorpad.uses import as_flags

SLOT_MAX = 4096  # slots are numbered from 1 to this
PUTS_MAX = 16  # slots in a frame: as many as a keypad's heap surely has room for; small frames take fewer
DELETES_MAX = 32
_DELETE_BYTES = 18
_AROUND_BYTES = 26  # header, tag, CRC, and what stands around the list
_AROUND_PUTS_BYTES = _AROUND_BYTES + 9 + 4  # operation id; head of the list, and of the access-code ids
_CODE_ID_BYTES = 16
_OP_IDS = 1 << 64
BUSY_S = 1.0  # until it is asked again whether somebody is still at the keypad
_CRASHES_MAX = 32  # more than any keypad keeps
_NO_CODE = bytes(16)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the keypad said of itself when the session opened. `maker`: the number it gives to this hub."""

    capacity: int
    pin_length_min: int
    pin_length_max: int
    firmware: str
    maker: int


@dataclass(frozen=True, slots=True)
class KeypadState:
    """`time_s` is None while the keypad's clock is not trusted."""

    boot_id: str
    table_epoch: str
    generation: int
    used: int
    journal_epoch: str
    journal_first: int
    journal_head: int
    time_s: int | None
    boot: int
    uptime_ms: int
    health: int  # bits HEALTH_ of messages.py
    root: bytes


@dataclass(frozen=True, slots=True)
class SlotRecord:
    """A slot as the keypad holds it. `maker`: who wrote it so, 0 for the keypad itself.

    `op_id` is None in a cleared slot; the other fields then tell nothing.
    """

    slot: int
    version: int
    flags: int
    code: str | None = field(repr=False)
    from_s: int | None
    until_s: int | None
    op_id: str | None
    access_code_id: str | None
    maker: int

    @property
    def made(self) -> int:
        """The version under which somebody wrote it: what the keypad itself wrote keeps that when it is used."""
        written = int.from_bytes(bytes.fromhex(self.op_id or "")[:4], "little")
        return written if written and self.maker == messages.MAKER_KEYPAD else self.version


@dataclass(frozen=True, slots=True)
class Host:
    """A hub that the keypad holds a key for, its number there, and the public name of that key (hex)."""

    maker: int
    host_id: str
    key_id: str


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """`maker`: the host on whose behalf it happened, 0 for the keypad and people at it."""

    sequence: int
    time_s: int | None
    ms: int
    kind: int
    reason: int
    slot: int
    version: int
    access_code_id: str | None
    boot: int
    uptime_ms: int
    maker: int


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


class Refused(ProtocolViolation):
    """The keypad refused an operation as a whole."""

    def __init__(self, serial: str, op: int, status: int) -> None:
        self.status = status
        super().__init__(refusal(serial, op, status))


def _is(value: object, *kinds: type | None) -> bool:
    return any(value is None if kind is None else type(value) is kind for kind in kinds)


def _fields(value: object, *kinds: tuple[type | None, ...]) -> list[Any]:
    """Return `value` if it is a list of these kinds; more at its end is from a newer keypad and left out."""
    if not isinstance(value, list) or len(value) < len(kinds):
        raise ProtocolViolation("a reply is shorter than the protocol says")
    for item, allowed in zip(value, kinds, strict=False):
        if not _is(item, *allowed):
            raise ProtocolViolation("a reply holds a field of another type than the protocol says")
    return value[: len(kinds)]


_INT = (int,)
_BYTES = (bytes,)
_INT_N = (int, None)
_BYTES_N = (bytes, None)


def _code_id(raw: bytes | None) -> str | None:
    if raw is None or raw == _NO_CODE:
        return None
    if len(raw) != 16:
        raise ProtocolViolation("an access-code id has not 16 bytes")
    return str(UUID(bytes=raw))


def capabilities(value: list[object]) -> Capabilities:
    """Check what came with the opening of the session."""
    _mtu, _window, _credit, capacity, length_min, length_max, firmware, maker = _fields(
        value, _INT, _INT, _INT, _INT, _INT, _INT, (str,), _INT
    )
    return Capabilities(capacity, length_min, length_max, firmware, maker)


async def _request(connection: Connection, op: int, body: object) -> tuple[int, object]:
    """Ask until the keypad is not BUSY; return (status, body) of its reply.

    It is busy with a change of the table that has to erase flash while somebody types: for a minute at most.
    """
    while True:
        reply = await connection.request(op, body)
        if reply[0] != messages.BUSY:
            return reply
        await asyncio.sleep(BUSY_S)


async def _ask(connection: Connection, op: int, body: object) -> object:
    status, answer = await _request(connection, op, body)
    if status != messages.OK:
        raise Refused(connection.serial, op, status)
    return answer


async def state(connection: Connection) -> KeypadState:
    (
        boot_id,
        epoch,
        generation,
        used,
        _capacity,
        journal_epoch,
        first,
        head,
        time_s,
        boot,
        uptime_ms,
        health,
        root,
    ) = _fields(
        await _ask(connection, messages.OP_STATE, None),
        *(_BYTES, _BYTES, _INT, _INT, _INT, _BYTES, _INT, _INT, _INT_N, _INT, _INT, _INT, _BYTES),
    )
    return KeypadState(
        boot_id.hex(),
        epoch.hex(),
        generation,
        used,
        journal_epoch.hex(),
        first,
        head,
        time_s,
        boot,
        uptime_ms,
        health,
        root,
    )


async def statistics(connection: Connection) -> KeypadStatistics:
    answer = await _ask(connection, messages.OP_STATISTICS, None)
    return KeypadStatistics(*_fields(answer, *[_INT] * len(fields(KeypadStatistics))))


@dataclass(frozen=True, slots=True)
class Crash:
    """One end of the keypad's program that nobody asked for. `version`: of the program; `text`: its last words."""

    number: int
    version: str
    text: str


async def crashes(connection: Connection) -> list[Crash]:
    """Read what the keypad has kept of its crashes, the newest first."""
    found: list[Crash] = []
    while (one := await _ask(connection, messages.OP_CRASHES, [len(found)])) is not None:
        found.append(Crash(*_fields(one, _INT, (str,), (str,))))
        if len(found) > _CRASHES_MAX:
            raise ProtocolViolation("a keypad has more crashes than it can keep")
    return found


async def page_digests(connection: Connection, pages: int) -> list[bytes]:
    """Read the digests of pages 0 to `pages` - 1 of the slot table (doorpad_link/digest.py)."""
    found: list[bytes] = []
    while len(found) < pages:
        part = await _ask(connection, messages.OP_DIGEST, [len(found), pages - len(found)])
        if not isinstance(part, list) or not part or not all(_is(digest, bytes) for digest in part):
            raise ProtocolViolation("page digests are a list of byte strings")
        found += part
    return found[:pages]


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What the keypad's clock showed. `time_ms`: Unix milliseconds, None while it is not trusted.

    `error_ms`: how far off it may be, either way; `drift_ppb`: what it takes off its crystal, in parts per billion;
    `settings`: how often it was set in this start; `source`: who set it last, as a maker number.
    """

    time_ms: int | None
    error_ms: int
    drift_ppb: int
    settings: int
    source: int


def _clock_reading(answer: object) -> ClockReading:
    time_s, ms, error_ms, drift_ppb, settings, source = _fields(answer, _INT_N, _INT, _INT, _INT, _INT, _INT)
    time_ms = None if time_s is None else time_s * 1000 + ms
    return ClockReading(time_ms, error_ms, drift_ppb, settings, source)


async def clock(connection: Connection) -> ClockReading:
    """Read the keypad's clock, at some time between the call and its return."""
    return _clock_reading(await _ask(connection, messages.OP_CLOCK, None))


async def adjust_clock(
    connection: Connection, by_ms: int, error_ms: int, drift_ppb: int, wander_ppb: int
) -> ClockReading | None:
    """Move the keypad's clock by so much, and tell it how its crystal runs. None: its journal is past that time.

    Args:
        by_ms: a day at most, either way.
        error_ms: how well this is known.
        drift_ppb, wander_ppb: how fast the crystal runs, and how far it may be from that; up to 500,000.
    """
    status, answer = await connection.request(messages.OP_CLOCK, [by_ms, error_ms, drift_ppb, wander_ppb])
    if status == messages.TIME_BEHIND:
        return None
    if status != messages.OK:
        raise Refused(connection.serial, messages.OP_CLOCK, status)
    return _clock_reading(answer)


async def set_time(connection: Connection, now_ms: int) -> bool:
    """Give the keypad the hub's time, roughly: see `clock`. False: its journal is already past it."""
    status, _ = await connection.request(messages.OP_TIME, [now_ms // 1000, now_ms % 1000])
    if status not in (messages.OK, messages.TIME_BEHIND):
        raise Refused(connection.serial, messages.OP_TIME, status)
    return status == messages.OK


@dataclass(frozen=True, slots=True)
class ChangedSlots:
    """One page of changes. `following`: where the next page begins, None on the last."""

    table_epoch: str
    generation: int
    following: int | None
    slots: list[SlotRecord]


async def changed_since(connection: Connection, generation: int, first: int) -> ChangedSlots:
    """Read slots from number `first` that changed after `generation`, cleared ones included."""
    epoch, now, following, slots = _fields(
        await _ask(connection, messages.OP_SINCE, [generation, first, True]), _BYTES, _INT, _INT_N, (list,)
    )
    if following is not None and following <= first:
        raise ProtocolViolation("the slots of a change feed do not go forward")
    return ChangedSlots(epoch.hex(), now, following, [_slot(item) for item in slots])


def _slot(value: object) -> SlotRecord:
    number, version, flags, code, from_s, until_s, op_id, access_code_id, maker = _fields(
        value, _INT, _INT, _INT, _BYTES_N, _INT_N, _INT_N, _BYTES_N, _BYTES_N, _INT
    )
    if code is not None and not code.isdigit():
        raise ProtocolViolation(f"slot {number} holds a code that is not digits")
    return SlotRecord(
        number,
        version,
        flags,
        code.decode("ascii") if code is not None else None,
        from_s,
        until_s,
        op_id.hex() if op_id is not None else None,
        _code_id(access_code_id),
        maker,
    )


async def hosts(connection: Connection) -> list[Host]:
    """Ask which hubs the keypad holds keys for. Empty: it is of a version that does not tell."""
    status, answer = await connection.request(messages.OP_HOSTS, None)
    if status == messages.UNSUPPORTED:
        return []
    if status != messages.OK or not isinstance(answer, list):
        raise Refused(connection.serial, messages.OP_HOSTS, status)
    found = [_fields(item, _INT, _BYTES, _BYTES) for item in answer]
    return [Host(maker, host_id.hex(), key_id.hex()) for maker, host_id, key_id in found]


@dataclass(frozen=True, slots=True)
class JournalPage:
    epoch: str
    first: int
    head: int
    entries: list[JournalRecord]


async def events(connection: Connection, cursor: int, count: int = 255) -> JournalPage:
    """Read journal entries after number `cursor`; as many as fit one frame, at most `count`."""
    epoch, first, head, entries = _fields(
        await _ask(connection, messages.OP_EVENTS, [cursor, count]), _BYTES, _INT, _INT, (list,)
    )
    return JournalPage(epoch.hex(), first, head, [_journal(item) for item in entries])


def _journal(value: object) -> JournalRecord:
    sequence, time_s, ms, kind, reason, slot, version, access_code_id, boot, uptime_ms, maker = _fields(
        value, _INT, _INT_N, _INT, _INT, _INT, _INT, _INT, _BYTES, _INT, _INT, _INT
    )
    return JournalRecord(
        sequence, time_s, ms, kind, reason, slot, version, _code_id(access_code_id), boot, uptime_ms, maker
    )


async def put(connection: Connection, writes: Sequence[SlotWrite]) -> list[SlotResult]:
    """Write slots, each by itself atomic; results in the same order. All frames that it takes are sent at once.

    A frame takes writes in order as long as their slots rise and their operation ids run on.
    """
    frames: list[_Puts] = []
    for write in writes:
        if not frames or not frames[-1].take(write):
            frames.append(_Puts(connection.mtu_bytes - _AROUND_PUTS_BYTES, write))
    answers = await asyncio.gather(
        *(_ask_of_slots(connection, messages.OP_PUT, part.body, part.slots) for part in frames)
    )
    return [result for answer in answers for result in answer]


class _Puts:
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


async def delete(connection: Connection, slots: Sequence[tuple[int, int, bytes]]) -> list[SlotResult]:
    """Clear slots, given as (slot, if_version, op_id). All frames that it takes are sent at once."""
    size = min((connection.mtu_bytes - _AROUND_BYTES) // _DELETE_BYTES, DELETES_MAX)
    frames = [slots[start : start + size] for start in range(0, len(slots), size)]
    answers = await asyncio.gather(
        *(
            _ask_of_slots(
                connection,
                messages.OP_DEL,
                [[if_version, slot, op_id] for slot, if_version, op_id in part],
                [slot for slot, _, _ in part],
            )
            for part in frames
        )
    )
    return [result for answer in answers for result in answer]


async def adopt(
    connection: Connection, slot: int, if_version: int, op_id: bytes, access_code_id: str
) -> SlotResult:
    """Make an unmanaged slot ours; its PIN and window stay as they are."""
    status, answer = await _request(
        connection, messages.OP_ADOPT, [if_version, slot, op_id, UUID(access_code_id).bytes]
    )
    if status != messages.OK:
        return SlotResult(slot, status, 0)
    return _results([answer], [slot])[0]


async def strike(
    connection: Connection, opens: bool, boot: int, until_uptime_ms: int, attempt_id: str
) -> int:
    """Open or close the door; return the status. Of the keypad's start `boot`, and at its uptime at the latest."""
    body = [int(opens), boot, until_uptime_ms, UUID(attempt_id).bytes]
    status, _ = await connection.request(messages.OP_STRIKE, body)
    return status


async def _ask_of_slots(
    connection: Connection, op: int, body: object, slots: Sequence[int]
) -> list[SlotResult]:
    """Ask for a change of these slots. A fault of the keypad amid it is one of each: which were done is not told."""
    status, answer = await _request(connection, op, body)
    if status_of(status).is_keypads_fault:
        return [SlotResult(slot, status, 0) for slot in slots]
    if status != messages.OK:
        raise Refused(connection.serial, op, status)
    return _results(answer, slots)


def _results(answer: object, slots: Sequence[object]) -> list[SlotResult]:
    if not isinstance(answer, list) or len(answer) != len(slots):
        raise ProtocolViolation("not one result for each slot")
    results = [SlotResult(*_fields(item, _INT, _INT, _INT)) for item in answer]
    if [result.slot for result in results] != list(slots):
        raise ProtocolViolation("results for other slots than were asked")
    return results
