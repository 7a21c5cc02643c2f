"""The operations of the link as typed calls. Every reply is checked here, by asking.py, and nowhere else.

Times are Unix seconds. Sources: protocol/README.md, "Operations".
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from uuid import UUID

from doorpad_link import messages

from doorpad.link.asking import BYTES, BYTES_N, INT, INT_N, Refused, ask, checked, code_id, is_of, request
from doorpad.link.connection import Connection
from doorpad.link.errors import ProtocolViolation
from doorpad.link.slot_writes import SlotResult, SlotWrite, deletes_in_frame, puts
from doorpad.link.statistics import KeypadStatistics
from doorpad.link.statuses import status_of

SLOT_MAX = 4096  # slots are numbered from 1 to this
_CRASHES_MAX = 32  # more than any keypad keeps


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


def capabilities(value: list[object]) -> Capabilities:
    """Check what came with the opening of the session."""
    _mtu, _window, _credit, capacity, length_min, length_max, firmware, maker = checked(
        value, INT, INT, INT, INT, INT, INT, (str,), INT
    )
    return Capabilities(capacity, length_min, length_max, firmware, maker)


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
    ) = checked(
        await ask(connection, messages.OP_STATE, None),
        *(BYTES, BYTES, INT, INT, INT, BYTES, INT, INT, INT_N, INT, INT, INT, BYTES),
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
    answer = await ask(connection, messages.OP_STATISTICS, None)
    return KeypadStatistics(*checked(answer, *[INT] * len(fields(KeypadStatistics))))


@dataclass(frozen=True, slots=True)
class Crash:
    """One end of the keypad's program that nobody asked for. `version`: of the program; `text`: its last words."""

    number: int
    version: str
    text: str


async def crashes(connection: Connection) -> list[Crash]:
    """Read what the keypad has kept of its crashes, the newest first."""
    found: list[Crash] = []
    while (one := await ask(connection, messages.OP_CRASHES, [len(found)])) is not None:
        found.append(Crash(*checked(one, INT, (str,), (str,))))
        if len(found) > _CRASHES_MAX:
            raise ProtocolViolation("a keypad has more crashes than it can keep")
    return found


async def page_digests(connection: Connection, pages: int) -> list[bytes]:
    """Read the digests of pages 0 to `pages` - 1 of the slot table (doorpad_link/digest.py)."""
    found: list[bytes] = []
    while len(found) < pages:
        part = await ask(connection, messages.OP_DIGEST, [len(found), pages - len(found)])
        if not isinstance(part, list) or not part or not all(is_of(digest, bytes) for digest in part):
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
    time_s, ms, error_ms, drift_ppb, settings, source = checked(answer, INT_N, INT, INT, INT, INT, INT)
    time_ms = None if time_s is None else time_s * 1000 + ms
    return ClockReading(time_ms, error_ms, drift_ppb, settings, source)


async def clock(connection: Connection) -> ClockReading:
    """Read the keypad's clock, at some time between the call and its return."""
    return _clock_reading(await ask(connection, messages.OP_CLOCK, None))


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
    epoch, now, following, slots = checked(
        await ask(connection, messages.OP_SINCE, [generation, first, True]), BYTES, INT, INT_N, (list,)
    )
    if following is not None and following <= first:
        raise ProtocolViolation("the slots of a change feed do not go forward")
    return ChangedSlots(epoch.hex(), now, following, [_slot(item) for item in slots])


def _slot(value: object) -> SlotRecord:
    number, version, flags, code, from_s, until_s, op_id, access_code_id, maker = checked(
        value, INT, INT, INT, BYTES_N, INT_N, INT_N, BYTES_N, BYTES_N, INT
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
        code_id(access_code_id),
        maker,
    )


async def hosts(connection: Connection) -> list[Host]:
    """Ask which hubs the keypad holds keys for. Empty: it is of a version that does not tell."""
    status, answer = await connection.request(messages.OP_HOSTS, None)
    if status == messages.UNSUPPORTED:
        return []
    if status != messages.OK or not isinstance(answer, list):
        raise Refused(connection.serial, messages.OP_HOSTS, status)
    found = [checked(item, INT, BYTES, BYTES) for item in answer]
    return [Host(maker, host_id.hex(), key_id.hex()) for maker, host_id, key_id in found]


@dataclass(frozen=True, slots=True)
class JournalPage:
    epoch: str
    first: int
    head: int
    entries: list[JournalRecord]


async def events(connection: Connection, cursor: int, count: int = 255) -> JournalPage:
    """Read journal entries after number `cursor`; as many as fit one frame, at most `count`."""
    epoch, first, head, entries = checked(
        await ask(connection, messages.OP_EVENTS, [cursor, count]), BYTES, INT, INT, (list,)
    )
    return JournalPage(epoch.hex(), first, head, [_journal(item) for item in entries])


def _journal(value: object) -> JournalRecord:
    sequence, time_s, ms, kind, reason, slot, version, access_code_id, boot, uptime_ms, maker = checked(
        value, INT, INT_N, INT, INT, INT, INT, INT, BYTES, INT, INT, INT
    )
    return JournalRecord(
        sequence, time_s, ms, kind, reason, slot, version, code_id(access_code_id), boot, uptime_ms, maker
    )


async def put(connection: Connection, writes: Sequence[SlotWrite]) -> list[SlotResult]:
    """Write slots, each by itself atomic; results in the same order. All frames that it takes are sent at once."""
    answers = await asyncio.gather(
        *(
            _ask_of_slots(connection, messages.OP_PUT, part.body, part.slots)
            for part in puts(writes, connection.mtu_bytes)
        )
    )
    return [result for answer in answers for result in answer]


async def delete(connection: Connection, slots: Sequence[tuple[int, int, bytes]]) -> list[SlotResult]:
    """Clear slots, given as (slot, if_version, op_id). All frames that it takes are sent at once."""
    size = deletes_in_frame(connection.mtu_bytes)
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
    status, answer = await request(
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
    status, answer = await request(connection, op, body)
    if status_of(status).is_keypads_fault:
        return [SlotResult(slot, status, 0) for slot in slots]
    if status != messages.OK:
        raise Refused(connection.serial, op, status)
    return _results(answer, slots)


def _results(answer: object, slots: Sequence[object]) -> list[SlotResult]:
    if not isinstance(answer, list) or len(answer) != len(slots):
        raise ProtocolViolation("not one result for each slot")
    results = [SlotResult(*checked(item, INT, INT, INT)) for item in answer]
    if [result.slot for result in results] != list(slots):
        raise ProtocolViolation("results for other slots than were asked")
    return results
