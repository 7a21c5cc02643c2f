"""Runs the whole measurement of the link, and says what came of it in the tables of protocol/BENCHMARKS.md."""

import asyncio
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from doorpad.benchmark import cost, link, peers
from doorpad.benchmark.rig import Target, emulated
from doorpad.emulator.cable import AT_ONCE, Line

UART = "uart"
CONSOLE = "console"
_CONSOLE_BAUD = 115_200


async def emulator(
    folder: Path, slots: int, presses: int, baud: int, note: Callable[[str], None]
) -> dict[str, Any]:
    """Measure on emulated keypads. `note` is told what comes next.

    Raises:
        MicroPythonMissing, CannotMeasure, LinkDown
    """
    told: dict[str, Any] = {"baud": baud, "slots": slots, "lines": {}, "peers": {}}
    for name, line in ((UART, Line(baud)), (CONSOLE, Line(_CONSOLE_BAUD, console=True))):
        note(f"the link on the {name} line")
        (folder / name).mkdir()
        told["lines"][name] = await link.on_a_line(folder / name, line, slots, presses)
    for name, peer in peers.PEERS.items():
        note(peer.label)
        found = await asyncio.to_thread(peers.measure, name, folder, baud, link.writes(range(1, slots + 1)))
        told["peers"][peer.label] = {"left_out": found.reason} if isinstance(found, peers.Missing) else found
    note("what a frame costs each end")
    with emulated(folder / "rest", AT_ONCE) as target:
        assert target.bench is not None
        free_bytes = (await target.bench.request(heap=True))["free"]
    told["cost"] = await asyncio.to_thread(cost.measure, folder, free_bytes)
    return told | machine()


async def port(target: Target, slots: int, note: Callable[[str], None]) -> dict[str, Any]:
    """Measure on a real keypad. Raises CannotMeasure, LinkDown, KeyUnusable."""
    note(f"the link on port {target.port}")
    line = await link.on_a_port(target, slots)
    return {"baud": target.baud, "slots": slots, "lines": {target.port: line}, "peers": {}} | machine()


def machine() -> dict[str, str]:
    """Where the figures are from."""
    return {"machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"}


def tables(told: dict[str, Any]) -> Iterator[str]:
    """The lines of the tables, in Markdown."""
    yield f"Measured on {told['machine']}, in one run."
    yield ""
    slots = f"{told['slots']} slots into an empty table"
    yield f"| {slots} | seconds | bytes a slot, to keypad / to hub | of the line used |"
    yield "| --- | --- | --- | --- |"
    bulks = {
        f"link, {line}{way}": found[name]
        for line, found in told["lines"].items()
        for name, way in (("sync", ""), ("sync_by_the_bridge", ", by the bridge: API, database, link"))
        if name in found
    }
    measured = {label: found for label, found in told["peers"].items() if "seconds" in found}
    for label, row in (bulks | measured).items():
        bytes_a_slot = f"{row['bytes_a_slot_to_keypad']} / {row['bytes_a_slot_to_hub']}"
        yield f"| {label} | {row['seconds']} | {bytes_a_slot} | {row['share_of_line']:.0%} |"
    for label, found in told["peers"].items():
        if "left_out" in found:
            yield f"| {label} | left out: {found['left_out']} | | |"
    if measured:
        yield ""
        yield "| times as fast as | " + " | ".join(measured) + " |"
        yield "| --- |" + " --- |" * len(measured)
        for label, row in bulks.items():
            times = (f"{peer['seconds'] / row['seconds']:.1f}" for peer in measured.values())
            yield f"| {label} | {' | '.join(times)} |"
    yield ""
    yield "| small things | " + " | ".join(told["lines"]) + " |"
    yield "| --- |" + " --- |" * len(told["lines"])
    for what, tell in _SMALL.items():
        cells = [tell(found) for found in told["lines"].values()]
        if any(cells):
            yield f"| {what} | {' | '.join(cells)} |"
    if "cost" in told:
        yield ""
        yield from _cost(told["cost"])


def _nothing(found: dict[str, Any]) -> str:
    it = found["nothing_changed"]
    sizes = f"{it['bytes_to_keypad']} bytes, reply {it['bytes_of_reply']}"
    return f"{it['round_trips']} round trip, {sizes}, {it['median_ms']} ms, {it['slots_in_table']} slots"


def _change(found: dict[str, Any], name: str) -> str:
    return f"{found['one_slot_changed'][name]['bytes']} bytes" if "one_slot_changed" in found else ""


def _press(found: dict[str, Any]) -> str:
    it = found.get("key_press_to_hub")
    return f"p50 {it['p50_ms']} ms, p99 {it['p99_ms']} ms of {it['presses']}" if it else ""


_SMALL: dict[str, Callable[[dict[str, Any]], str]] = {
    "nothing changed: STATE": _nothing,
    "a code was made at the keypad: HINT, STATE, SINCE": lambda found: _change(found, "made_at_keypad"),
    "one code is sent by the hub: PUT": lambda found: _change(found, "made_by_hub"),
    "key press to the hub's hands: HINT, EVENTS": _press,
}


def _cost(it: dict[str, Any]) -> Iterator[str]:
    yield f"| a frame of {it['slots_a_frame']} slots costs | |"
    yield "| --- | --- |"
    each = f"{it['keypad_us_a_slot']} µs a slot, {it['keypad_us_a_frame']} µs in all"
    yield f"| the keypad, in MicroPython: receive, check, open, decode, seal the reply | {each} |"
    heap = f"{it['keypad_heap_bytes_a_frame']} bytes, of {it['keypad_heap_free_bytes']} free at rest"
    yield f"| the keypad's heap of {it['keypad_heap']} | {heap} |"
    yield f"| the hub, in CPython: encode, seal, and read the reply | {it['hub_us_a_frame']} µs |"
