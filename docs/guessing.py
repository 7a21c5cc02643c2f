"""Write the tables of guessing.md: what a patient attacker can guess at the keypad in a day.

    python docs/guessing.py            print the tables
    python docs/guessing.py --write    put them into guessing.md
    python docs/guessing.py --check    fail if guessing.md says something else

The number of tries comes from the firmware's own lockout, run inside MicroPython on a clock that the program moves.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from doorpad.emulator import runtime

PAGE = Path(__file__).with_name("guessing.md")
TRY_MS = 1000  # of a quick finger for a PIN and `#`
OPENINGS = 50  # by the people of the house, in a day
LENGTHS = (4, 5, 6, 7, 8)
CODES = (1, 10, 50, 200, 1000)

TRIES = """
import sys, time
now = 0
time.ticks_add = lambda ticks, ms: ticks + ms
time.ticks_diff = lambda left, right: left - right
from doorpad_fw.lockout import Lockout
wrong_max, lockout_s, try_ms, days = [int(word) for word in sys.argv[1:]]
lockout = Lockout(0, 0, {"wrong_max": wrong_max, "lockout_s": lockout_s})
for day in range(days):
    tries = 0
    while now < (day + 1) * 86_400_000:
        lockout.lapse(now)
        if not lockout.shut:
            tries += 1
            lockout.wrong_pin(now)
        now += try_ms
    print(tries)
"""


def tries_a_day(wrong_max: int = 5, lockout_s: int = 30, days: int = 2) -> list[int]:
    """How many PINs are examined on each of the first days of somebody who never stops entering wrong ones."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "tries.py"
        program.write_text(TRIES)
        arguments = [str(number) for number in (wrong_max, lockout_s, TRY_MS, days)]
        done = subprocess.run(
            [*runtime.micropython(), str(program), *arguments],
            env={**os.environ, "MICROPYPATH": runtime.search_path(runtime.compile_program(Path(folder)))},
            capture_output=True,
            text=True,
            check=True,
        )
    return [int(line) for line in done.stdout.split()]


def chance(length: int, codes: int, tries: int) -> float:
    """That one of `tries` different PINs of a length is among `codes` random ones of that length."""
    pins = 10**length
    missed = 1.0
    for code in range(codes):
        missed *= max(pins - tries - code, 0) / (pins - code)
    return 1 - missed


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else f"1 in {1 / share:,.0f}"


def _table(tries: int) -> str:
    lines = ["| digits | " + " | ".join(f"{codes:,} code{'s' * (codes > 1)}" for codes in CODES) + " |"]
    lines.append("| --- |" + " --- |" * len(CODES))
    for length in LENGTHS:
        cells = [_percent(chance(length, codes, tries)) for codes in CODES]
        lines.append(f"| {length} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def tables() -> str:
    """The text between the marks of guessing.md."""
    first, later = tries_a_day()
    stricter_first, stricter = tries_a_day(wrong_max=3, lockout_s=900)
    patient = 4 * OPENINGS
    return "\n\n".join(
        [
            f"Somebody who never stops is examined {first} times on the first day and {later} times on each\n"
            f"later one. With the strictest settings (`wrong_max` 3, `lockout_s` 900) it is {stricter_first} and "
            f"{stricter}.",
            f"Chance of opening within a day, {later} tries, PINs at random:",
            _table(later),
            f"And by somebody who stops after four wrong tries, and goes on after each of {OPENINGS} openings a\n"
            f"day by others ({patient} tries, and never a lockout):",
            _table(patient),
        ]
    )


def main() -> int:
    text = PAGE.read_text()
    head, rest = text.split("<!-- tables -->\n", 1)
    _, tail = rest.split("<!-- end of tables -->\n", 1)
    made = f"{head}<!-- tables -->\n{tables()}\n<!-- end of tables -->\n{tail}"
    if "--write" in sys.argv:
        PAGE.write_text(made)
    elif "--check" in sys.argv:
        if made != text:
            print("docs/guessing.md is out of date: run python docs/guessing.py --write", file=sys.stderr)
            return 1
    else:
        print(tables())
    return 0


if __name__ == "__main__":
    sys.exit(main())
