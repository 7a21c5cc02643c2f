"""The link on a line: many slots, one change, no change, an event, and what a frame costs each end.

On an emulated keypad the cable is paced to the line's speed, so that the line is the limit as it is with a real one.
On a real one what needs a finger or a full table is left out, and its own codes stay as they are.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from doorpad_link import messages

from doorpad.benchmark.rig import Messages, Meter, Target, bridge, bulk, emulated
from doorpad.emulator.cable import AT_ONCE, Line
from doorpad.errors import DoorpadError, NextStep
from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.operations import Capabilities
from doorpad.link.slot_writes import SlotResult, SlotWrite, op_ids
from doorpad.link.statuses import STATUSES

# A second long past: what is written for the measurement opens no door.
_FROM_S = 1_000_000_000
_UNTIL_S = 1_003_600_000
_TRIPS = 50
_PIN = "8642"


class CannotMeasure(DoorpadError):
    """The keypad at hand does not lend itself to the measurement."""

    next_step = NextStep.CHANGE_REQUEST


def writes(slots: Sequence[int], pin_length: int = 6, taken: frozenset[str] = frozenset()) -> list[SlotWrite]:
    """Codes for empty slots, with everything that a slot can have. `taken`: PINs that are in use."""
    pins = (pin for n in range(10**pin_length) if (pin := f"{n:0{pin_length}}") not in taken)
    return [
        SlotWrite(slot, 0, pin, _FROM_S, _UNTIL_S, str(uuid4()), op_id)
        for slot, pin, op_id in zip(slots, pins, op_ids(len(slots)), strict=False)
    ]


async def write_all(connection: Connection, slots: list[SlotWrite]) -> list[SlotResult]:
    """All frames at once: the link's own window decides when each one goes."""
    results = await operations.put(connection, slots)
    if refused := next((it for it in results if it.status != messages.OK), None):
        raise CannotMeasure(f"the keypad refused slot {refused.slot}: {STATUSES[refused.status].means}")
    return results


async def many_slots(
    target: Target, connection: Connection, able: Capabilities, count: int
) -> dict[str, float]:
    """Write `count` codes into empty slots, and clear them again unless the keypad is an emulated one."""
    used, pins = set(), set()
    following: int | None = 1
    while following is not None:
        page = await operations.changed_since(connection, 0, following)
        used |= {slot.slot for slot in page.slots if slot.flags}
        pins |= {slot.code for slot in page.slots if slot.code is not None}
        following = page.following
    free = [slot for slot in range(1, operations.SLOT_MAX + 1) if slot not in used][:count]
    if able.capacity - len(used) < count:
        raise CannotMeasure(
            f"the keypad has {able.capacity - len(used)} empty slots; ask for fewer with --slots"
        )
    length = min(max(6, able.pin_length_min), able.pin_length_max)
    table = writes(free, length, frozenset(pins))
    with Meter(connection, target.baud) as meter:
        results = await write_all(connection, table)
    if target.bench is None:
        clears = zip(results, op_ids(count), strict=True)
        await operations.delete(connection, [(it.slot, it.version, op_id) for it, op_id in clears])
    return meter.bulk(count)


async def by_the_bridge(target: Target, count: int) -> dict[str, float]:
    """Let a bridge bring codes of its API to the keypad; timed from its session to the last code told to be set."""
    assert target.bench is not None
    await target.bench.request(cable="out")
    with bridge(target) as said:
        ready = await _said(said, type="ready")
        headers = {"authorization": f"Bearer {ready['api_key']}"}
        device_id = ready["keypads"][0]["device_id"]
        async with httpx.AsyncClient(base_url=ready["endpoint"], headers=headers, timeout=60) as client:
            window = {"starts_at": "2025-01-01T00:00:00Z", "ends_at": "2039-01-01T00:00:00Z"}
            for code in range(100_000, 100_000 + count):
                body = {"device_id": device_id, "code": str(code), **window}
                (await client.post("/access_codes/create", json=body)).raise_for_status()
        await target.bench.request(cable="in")
        await _said(said, type="link", state="online")
        began, before = time.perf_counter(), await target.carried()
        await _said(said, count, event_type="access_code.set_on_device")
        seconds = time.perf_counter() - began
        to_keypad, to_hub = (late - early for early, late in zip(before, await target.carried(), strict=True))
    return bulk(count, seconds, to_keypad, to_hub, target.baud)


async def _said(said: Messages, times: int = 1, **wanted: object) -> dict[str, Any]:
    message = await asyncio.to_thread(said.next, times, **wanted)
    if message is None:
        raise CannotMeasure("the bridge has ended")
    return message


async def nothing_changed(connection: Connection, baud: int) -> dict[str, Any]:
    """What it takes to see that nothing changed: one STATE."""
    trips_ms = []
    for _ in range(_TRIPS):
        with Meter(connection, baud) as meter:
            state = await operations.state(connection)
        trips_ms.append(meter.seconds * 1000)
    return {
        "slots_in_table": state.used,
        "round_trips": 1,
        "bytes_to_keypad": meter.to_keypad,
        "bytes_of_reply": meter.to_hub,
        "median_ms": round(statistics.median(trips_ms), 1),
    }


async def one_change(target: Target, connection: Connection) -> dict[str, Any]:
    """What it takes to learn of one change at the keypad, and to make one, in an all but full table."""
    assert target.bench is not None
    before = await operations.state(connection)
    connection.hinted.clear()
    with Meter(connection, target.baud) as at_keypad:
        await target.bench.request(program=_PIN)
        await connection.hinted.wait()
        await operations.state(connection)
        page = await operations.changed_since(connection, before.generation, 1)
    assert [slot.code for slot in page.slots] == [_PIN]
    with Meter(connection, target.baud) as at_hub:
        await write_all(
            connection, writes([operations.SLOT_MAX], taken=frozenset(_pins(operations.SLOT_MAX)))
        )
    return {
        "made_at_keypad": {"what": "HINT, STATE, SINCE", "bytes": at_keypad.to_keypad + at_keypad.to_hub},
        "made_by_hub": {"what": "PUT", "bytes": at_hub.to_keypad + at_hub.to_hub},
    }


def _pins(count: int) -> list[str]:
    return [write.code for write in writes(range(1, count))]


async def event_latency(target: Target, connection: Connection, presses: int) -> dict[str, float]:
    """From the moment at which the last key's contact is at rest to the journal entry in the hub's hands."""
    assert target.bench is not None
    taken_ms = []
    head = (await operations.state(connection)).journal_head
    for _ in range(presses):
        pressing = asyncio.create_task(target.bench.request(press=_PIN + "#"))
        has_opened = False
        while not has_opened:  # a hint may also be for what we wrote ourselves, or for the end of a strike
            await connection.hinted.wait()
            connection.hinted.clear()
            for entry in (await operations.events(connection, head)).entries:
                head = entry.sequence
                has_opened |= entry.kind == messages.EV_GRANTED
        arrived_ms = time.monotonic_ns() / 1e6  # the clock that the keypad's ticks come from, on this machine
        taken_ms.append(arrived_ms - (await pressing)["pressed_ms"])
        assert 0 < taken_ms[-1] < 10_000
    ordered = sorted(taken_ms)
    return {
        "presses": presses,
        "p50_ms": round(statistics.median(ordered), 1),
        "p99_ms": round(ordered[min(presses - 1, int(presses * 0.99))], 1),
    }


async def on_a_line(folder: Path, line: Line, slots: int, presses: int) -> dict[str, Any]:
    """All that can be measured on an emulated keypad behind a paced cable."""
    told: dict[str, Any] = {}
    with emulated(folder / "link", line) as target:
        async with target.connected() as (connection, able):
            told["sync"] = await many_slots(target, connection, able, slots)
    with emulated(folder / "bridge", line) as target:
        told["sync_by_the_bridge"] = await by_the_bridge(target, slots)
    with emulated(folder / "full", AT_ONCE) as target:
        async with target.connected() as (connection, _):
            await write_all(connection, writes(range(1, operations.SLOT_MAX - 1)))
    with emulated(folder / "full", line) as target:
        async with target.connected() as (connection, _):
            await operations.set_time(connection, time.time_ns() // 1_000_000)
            told["nothing_changed"] = await nothing_changed(connection, target.baud)
            told["one_slot_changed"] = await one_change(target, connection)
            told["key_press_to_hub"] = await event_latency(target, connection, presses)
    return told


async def on_a_port(target: Target, slots: int) -> dict[str, Any]:
    """What can be measured on a real keypad without a person at it."""
    async with target.connected() as (connection, able):
        return {
            "sync": await many_slots(target, connection, able, slots),
            "nothing_changed": await nothing_changed(connection, target.baud),
        }
