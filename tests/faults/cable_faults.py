"""Everything that can happen to the cable and its ends, on both lines, and what held: prints a table as it goes.

    .tests-venv/bin/python tests/faults/cable_faults.py [--long] [--only TEXT]

Without --long one seed of each fault, and samples of the cuts; with it three seeds, the cable pulled at every byte,
and a death each 32 bytes. Each line is one fault on one line: fresh keypad, real bridge, seeds as printed. Ends
with 1 if a promise did not hold.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "hil"), str(HERE.parent / "link")]

from bad_line import Hub, Keypad, emulated  # noqa: E402
from cable_cuts import ENDS, EXCHANGES, Cuts  # noqa: E402
from doorpad.emulator import runtime  # noqa: E402
from spoiled_life import Life, Outcome, life, spoilt  # noqa: E402

LINES = {"uart": ("--baud", "115200"), "console": ("--console", "--baud", "115200")}
HEAL_AFTER_S = 20.0

FAULTS: dict[str, dict[str, float]] = {
    "bit errors 1e-6": {"flip": 1e-6},
    "bit errors 1e-5": {"flip": 1e-5},
    "bit errors 1e-4": {"flip": 1e-4},
    "bit errors 1e-3": {"flip": 1e-3},
    "bytes dropped 1e-3": {"drop": 1e-3},
    "bytes inserted 1e-3": {"insert": 1e-3},
    "bytes doubled 1e-3": {"double": 1e-3},
    "bytes dropped, inserted, doubled 1e-2": {"drop": 1e-2, "insert": 1e-2, "double": 1e-2},
    "frames lost 20 %": {"lose_frame": 0.2},
    "frames lost 50 %": {"lose_frame": 0.5},
    "frames doubled 50 %": {"repeat_frame": 0.5},
    "frames swapped 30 %": {"swap_frame": 0.3},
    "frames replayed 50 %, of this session and older ones": {"replay_frame": 0.5},
    "frames spliced 50 %": {"splice_frame": 0.5},
    "receiver stands still for 45 to 400 ms": {"pause": 0.1},
    "all of it": {
        "flip": 1e-5,
        "drop": 1e-4,
        "lose_frame": 0.1,
        "repeat_frame": 0.1,
        "swap_frame": 0.1,
        "replay_frame": 0.1,
        "splice_frame": 0.1,
        "pause": 0.02,
    },
}
VICTIMS = ("bridge", "keypad")
DEATH = "dies within the start of a session with work to do"
CUT_SAMPLES = 6  # without --long: cuts a direction
DEATH_STEP_BYTES = 32  # with --long: from one death to the next; each takes its starts of processes


@dataclass
class Row:
    """A fault on a line, in several runs."""

    fault: str
    line: str
    runs: str
    seconds: float = 0.0
    harm: Counter[str] = field(default_factory=Counter)
    retransmits: int = 0
    noise: int = 0
    forged: int = 0
    broken: set[str] = field(default_factory=set)

    def add(self, outcome: Outcome) -> None:
        self.harm.update(outcome.harm)
        self.retransmits += outcome.retransmits
        self.noise += outcome.noise
        self.forged += outcome.forged
        self.broken.update(outcome.broken)

    def __str__(self) -> str:
        held = f"BROKEN: {', '.join(sorted(self.broken))}" if self.broken else "all"
        counts = f"{self.harm.total()} | {self.retransmits} | {self.noise} | {self.forged}"
        return f"| {self.fault} | {self.line} | {self.runs} | {self.seconds:.0f} | {counts} | {held} |"


HEAD = (
    "| fault | line | runs | seconds | harm done | retransmits | CRC errors | tags refused | what held |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


@contextmanager
def watched(row: Row) -> Iterator[None]:
    """What fails within is a promise broken, and no end of the whole command."""
    began = time.monotonic()
    try:
        yield
    except (AssertionError, pytest.fail.Exception) as error:
        row.broken.add("it came to an end")
        print(f"{row.fault}, {row.line}: {error}", file=sys.stderr, flush=True)
    row.seconds += time.monotonic() - began


@contextmanager
def new_life(row: Row, program: Path, options: tuple[str, ...]) -> Iterator[Life]:
    with (
        watched(row),
        tempfile.TemporaryDirectory() as folder,
        life(Path(folder), program, *options) as alive,
    ):
        yield alive


def spoilt_cables(program: Path, seeds: range, only: str) -> Iterator[Row]:
    for fault, chances in FAULTS.items():
        if only not in fault:
            continue
        for line, options in LINES.items():
            row = Row(fault, line, f"seeds {seeds.start} to {seeds.stop - 1}" if len(seeds) > 1 else "seed 1")
            for seed in seeds:
                with new_life(row, program, options) as alive:
                    with spoilt(alive, {"seed": seed, **chances}, HEAL_AFTER_S) as heal:
                        alive.live()
                        harm = heal()
                    row.add(alive.end(harm))
            yield row


def cut_exchanges(every_byte: bool, only: str) -> Iterator[Row]:
    exchanges = {f"cable pulled within: {name.replace('_', ' ')}": name for name in EXCHANGES}
    exchanges = {fault: name for fault, name in exchanges.items() if only in fault}
    for line, options in LINES.items() if exchanges else ():
        with tempfile.TemporaryDirectory() as folder, emulated(Path(folder), *options) as keypad:
            for fault, exchange in exchanges.items():
                row = Row(fault, line, "")
                with watched(row):
                    asyncio.run(_cut(keypad, exchange, every_byte, row))
                yield row


async def _cut(keypad: Keypad, exchange: str, every_byte: bool, row: Row) -> None:
    cuts = Cuts(keypad, Hub(keypad, await keypad.connect()))
    try:
        await cuts.exchange(exchange, 0, "keypad")
        size = dict(cuts.size)
        for end in ENDS:
            for count in range(1, size[end] + 1, 1 if every_byte else max(size[end] // CUT_SAMPLES, 1)):
                await cuts.exchange(exchange, count, end)
                row.harm["pulled"] += 1
                row.runs = f"{row.harm['pulled']} cuts"
    finally:
        cuts.hub.close()


def ends_that_die(program: Path, step: int | None, only: str) -> Iterator[Row]:
    """`step`: bytes from one cut to the next; None for samples."""
    for line, options in LINES.items():
        for victim in VICTIMS:
            row = Row(f"{victim} {DEATH}", line, "")
            if only not in row.fault:
                continue
            with new_life(row, program, options) as alive:
                before = _carried(alive)
                alive.start_cut(0, "", "")
                after = _carried(alive)
                for end in ENDS:
                    size = after[end] - before[end]
                    for count in range(1, size, step or size // CUT_SAMPLES):
                        alive.start_cut(count, end, victim)
                        row.harm["died"] += 1
                        row.runs = f"{row.harm['died']} deaths"
                row.add(alive.end({}))
            yield row


def _carried(alive: Life) -> dict[str, int]:
    """How many bytes have arrived at each end."""
    return dict(zip(ENDS, alive.bench.ask(about=True)["carried"], strict=True))


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--long", action="store_true", help="three seeds, and far more cuts")
    arguments.add_argument("--only", default="", help="faults whose name holds this")
    chosen = arguments.parse_args()
    print(HEAD, flush=True)
    broken = 0
    with tempfile.TemporaryDirectory() as folder:
        program = runtime.compile_program(Path(folder))
        rows = (
            spoilt_cables(program, range(1, 4 if chosen.long else 2), chosen.only),
            cut_exchanges(chosen.long, chosen.only),
            ends_that_die(program, DEATH_STEP_BYTES if chosen.long else None, chosen.only),
        )
        for row in (row for part in rows for row in part):
            print(row, flush=True)
            broken += bool(row.broken)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
