"""What the keypad's firmware costs under MicroPython, with the emulated keypad's heap: one JSON object.

    python benchmarks/firmware.py

Ratios and counts hold anywhere; times are of this machine, which is some 80 times as fast as an ESP32.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from doorpad.emulator import runtime

INSIDE = Path(__file__).parent / "inside" / "decisions.py"
PARTS = Path(__file__).parent.parent / "tests" / "firmware" / "mpy"  # what its tests use too


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = runtime.compile_program(folder, named=True)
        done = subprocess.run(
            [*runtime.micropython(), "-X", f"heapsize={runtime.HEAP}", str(INSIDE)],
            cwd=folder,
            env={**os.environ, "MICROPYPATH": f"{runtime.search_path(program)}:{PARTS}", "TZ": "UTC"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode or not done.stdout.startswith("{"):
        sys.stderr.write(done.stdout + done.stderr)
        return 1
    measured = json.loads(done.stdout)
    measured["heap"] = runtime.HEAP
    measured["machine"] = f"{platform.machine()}, {os.cpu_count()} cores"
    print(json.dumps(measured, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
