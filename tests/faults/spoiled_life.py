"""One short life of a keypad and its bridge while something harms the cable or an end, and what must hold of it.

The bridge is the daemon with its database and API, the keypad the firmware on an emulated line. Codes are made,
changed and deleted by the API, others at the keypad, doors are opened; then the harm ends, both must come to agree,
and the table and the journal are read from the keypad itself and compared with what the API tells.
"""

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from doorpad import keyring
from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.operations import JournalRecord, KeypadStatistics, SlotRecord
from doorpad_link import messages
from hil_world import Bench, World, running

TIMING = "poll_s = 0.5\nstatistics_s = 0.5\nhandshake_s = 10.0"
KNOWN, AT_KEYPAD = "135790", "8642"
HEAP_SLACK_BYTES = 2048  # collections come when they come
RESIDENT_SLACK_BYTES = 24 << 20
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Told:
    """What the keypad itself holds in the end."""

    maker: int  # the keypad's number for this hub
    generation: int
    slots: list[SlotRecord]
    entries: list[JournalRecord]
    statistics: KeypadStatistics


@dataclass
class Outcome:
    """What came of one life. `harm`: how often each fault was done; `broken`: the promises that did not hold."""

    harm: dict[str, int] = field(default_factory=dict)
    retransmits: int = 0
    noise: int = 0  # frames with a wrong CRC, at both ends
    forged: int = 0
    broken: list[str] = field(default_factory=list)


class Life:
    """A world in which one code opens, and what was done in it since."""

    def __init__(self, world: World, bench: Bench) -> None:
        self.world, self.bench = world, bench
        world.create(code=KNOWN)
        self.changes = 1  # of the table, by whomever
        self.openings = 0
        self.at_keypad: set[str] = set()  # PINs that were programmed there
        self._heap_free = bench.ask(heap=True)["free"]
        self._resident = _resident_bytes(world.bridge.process.pid)

    def live(self) -> None:
        """Change what can be changed, from both sides, and open the door. Returns once both sides agree on all."""
        codes, bridge = self.world.seam.access_codes, self.world.bridge
        window = {"starts_at": "2025-01-01T00:00:00Z", "ends_at": "2039-01-01T00:00:00Z"}
        made = [
            codes.create(device_id=self.world.device_id, code=f"48291{n}", **(window if n % 2 else {}))
            for n in range(4)
        ]
        self.bench.ask(press=KNOWN + "#")
        for code in made:
            bridge.event("access_code.set_on_device", code.access_code_id)
        before = bridge.mark()
        codes.update(access_code_id=made[0].access_code_id, code="736450")
        codes.delete(access_code_id=made[1].access_code_id)
        self.bench.ask(program=AT_KEYPAD)
        self.bench.ask(press=KNOWN + "#")
        bridge.event("access_code.set_on_device", made[0].access_code_id, after=before)
        bridge.event("access_code.deleted", made[1].access_code_id, after=before)
        bridge.event("access_code.unmanaged.created", after=before)
        self.changes += len(made) + 3
        self.openings += 2
        self.at_keypad.add(AT_KEYPAD)
        opened: set[str] = set()

        def is_last_opening(message: dict[str, Any]) -> bool:
            if message.get("event_type") == "lock.unlocked":
                opened.add(message["event_id"])
            return len(opened) == self.openings

        bridge.message(is_last_opening)

    def start_cut(self, count: int, end: str, victim: str) -> None:
        """Let a bridge start with a code to bring and an opening to fetch, and cut that after `count` bytes.

        The cable is pulled when so many bytes have come to an `end`, then a `victim` dies: a bridge by SIGKILL, a
        keypad by its power. All is given back, and the code has to be set and the opening to be told, once each.
        """
        world, number = self.world, self.openings
        self.bench.ask(cable="out")
        code = world.seam.access_codes.create(device_id=world.device_id, code=f"5{number:05}")
        self.bench.ask(press=KNOWN + "#")
        assert world.bridge.stop() == 0
        self.bench.ask(cable="in")
        if count:
            self.bench.ask(cut_after=count, to=end)
        bridge = world.launch()
        if count:
            while self.bench.ask(about=True)["cable"] == "in":
                pass  # each question takes its time; nothing else tells of the cut
            if victim == "bridge":
                bridge.kill()
            else:
                self.bench.ask(power="off")
                self.bench.ask(power="on")
            self.bench.ask(cable="in")
        world.start_bridge(bridge if victim != "bridge" else None)
        self.changes += 1
        self.openings += 1
        self._wait_for_effects(code.access_code_id)

    def _wait_for_effects(self, code_id: str) -> None:
        types = self.world.event_types(code_id)
        if "access_code.set_on_device" not in types:
            self.world.bridge.event("access_code.set_on_device", code_id)
        while len(self.world.events(event_type="lock.unlocked")) < self.openings:
            self.world.bridge.event("lock.unlocked", after=self.world.bridge.mark())

    def end(self, harm: dict[str, int]) -> Outcome:
        """Compare what both sides hold. The bridge is stopped for it."""
        world, outcome = self.world, Outcome(harm)
        managed = world.seam.access_codes.list(device_id=world.device_id)
        unmanaged = world.seam.access_codes.unmanaged.list(device_id=world.device_id)
        openings = world.events(event_type="lock.unlocked")
        ids = [event.event_id for event in world.events(limit=100_000)]
        sets = [event.access_code_id for event in world.events(event_type="access_code.created")]
        resident = _resident_bytes(world.bridge.process.pid) - self._resident
        heap_free = self.bench.ask(heap=True)["free"]
        self._count(outcome)
        assert world.bridge.stop() == 0
        told = asyncio.run(_told_by_keypad(world))
        outcome.noise += told.statistics.noise
        outcome.forged += told.statistics.forged
        held = {(slot.access_code_id, slot.code) for slot in told.slots if slot.maker == told.maker}
        own = {slot.code for slot in told.slots if slot.maker == messages.MAKER_KEYPAD}
        granted = [entry for entry in told.entries if entry.kind == messages.EV_GRANTED]
        holds = {
            "tables equal": held == {(code.access_code_id, code.code) for code in managed},
            "every event once": len(granted) == len(openings) == self.openings
            and len(set(ids)) == len(ids)
            and len(set(sets)) == len(sets),
            "no keypad edit lost": own == self.at_keypad == {code.code for code in unmanaged},
            "no unauthenticated write": told.generation == self.changes
            and len(held) + len(own) == len(told.slots),
            "memory bounded": heap_free > self._heap_free - HEAP_SLACK_BYTES
            and resident < RESIDENT_SLACK_BYTES,
        }
        outcome.broken = [name for name, it in holds.items() if not it]
        return outcome

    def _count(self, outcome: Outcome) -> None:
        """Take what the bridge has counted in all sessions since it started."""
        bridge = self.world.bridge
        bridge.message(lambda it: it["type"] == "statistics")  # one that started just now has said none yet
        [*_, newest] = (it["hub"] for it in bridge.heard() if it["type"] == "statistics")
        outcome.retransmits, outcome.noise = newest["retransmits"], newest["noise"]
        outcome.forged = newest["forged"]


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES


async def _told_by_keypad(world: World) -> Told:
    key = keyring.load(world.data / "keys", world.keypad.serial)
    connection, opened = await Connection.open(str(world.keypad.link), 115_200, key, world.keypad.serial, 60)
    try:
        state = await operations.state(connection)
        slots: list[SlotRecord] = []
        first: int | None = 1
        while first is not None:
            page = await operations.changed_since(connection, 0, first)
            slots += [slot for slot in page.slots if slot.flags]
            first = page.following
        entries: list[JournalRecord] = []
        while (cursor := entries[-1].sequence if entries else state.journal_first - 1) < state.journal_head:
            entries += (await operations.events(connection, cursor)).entries
        maker = operations.capabilities(opened.capabilities).maker
        return Told(maker, state.generation, slots, entries, await operations.statistics(connection))
    finally:
        connection.close()


@contextmanager
def life(folder: Path, program: Path, *options: str) -> Iterator[Life]:
    """A life on a line of its own. `program`: the firmware, compiled; `options`: of `doorpad emulate`."""
    shutil.copytree(
        program, folder / "data" / "keypads" / program.name
    )  # else it would be compiled each time
    with running(folder, *options, timing=TIMING) as world, world.keypad.bench() as bench:
        yield Life(world, bench)


@contextmanager
def spoilt(
    life: Life, faults: dict[str, float], heal_after_s: float
) -> Iterator[Callable[[], dict[str, int]]]:
    """A bad cable, for `heal_after_s` at most; the function that is given heals it, and tells the harm done."""
    harm: dict[str, int] = {}
    once = threading.Lock()

    def heal() -> dict[str, int]:
        with once, life.world.keypad.bench() as bench:
            harm.update(bench.ask(faults={})["harm"])
        return harm

    life.bench.ask(faults=faults)
    timer = threading.Timer(heal_after_s, heal)
    timer.start()
    try:
        yield heal
    finally:
        timer.cancel()
