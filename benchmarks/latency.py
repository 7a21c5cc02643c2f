"""Create -> set, and key press -> strike, on one emulated keypad; beside a plain request in the same run.

    python benchmarks/latency.py [--count 200]

Prints one JSON object. Create -> set is timed by the client, from the request to the event that the keypad has
acknowledged. Key press -> strike is timed by the keypad's own bench, from the moment at which the contact of `#`
has stopped bouncing to the strike's output; the firmware waits for 8 ms of that before it believes the key.
"""

import argparse
import itertools
import json
import os
import platform
import queue
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx

MESSAGE_S = 30
_STABLE_MS = 8  # firmware/doorpad_fw/presses.py


class Lines:
    """JSON objects that a child process prints."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        assert process.stdout is not None
        threading.Thread(target=self._read, args=(process.stdout,), daemon=True).start()

    def _read(self, stream: Any) -> None:
        for line in stream:
            self._lines.put(json.loads(line))

    def until(self, **wanted: object) -> dict[str, Any]:
        while True:
            message = self._lines.get(timeout=MESSAGE_S)
            if wanted.items() <= message.items():
                return message


class Bench:
    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._file = self._socket.makefile("rwb")
        self._ids = itertools.count(1)
        self.outputs: list[dict[str, Any]] = []

    def ask(self, **request: object) -> dict[str, Any]:
        number = next(self._ids)
        self._file.write(json.dumps({"id": number, **request}).encode() + b"\n")
        self._file.flush()
        while True:
            message: dict[str, Any] = json.loads(self._file.readline())
            if message.get("id") == number:
                return message
            self.outputs.append(message)


def summary(values_ms: list[float]) -> dict[str, float]:
    ordered = sorted(values_ms)
    return {
        "median_ms": round(statistics.median(ordered), 2),
        "p99_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 2),
    }


def press_to_strike(bench: Bench, code: str, count: int) -> list[float]:
    """Milliseconds from the closing of `#` to the strike's output; the strike falls back in between."""
    taken = []
    for _ in range(count):
        bench.outputs.clear()
        pressed_ms = bench.ask(press=code + "#")["pressed_ms"]
        strike = next(o for o in bench.outputs if o.get("output") == "strike" and o["level"] == 1)
        taken.append(float(strike["ticks_ms"] - pressed_ms))
        while not any(o.get("output") == "strike" and o["level"] == 0 for o in bench.outputs):
            bench.ask(heap=True)
    return taken


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=200)
    count = arguments.parse_args().count
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        data = str(Path(folder) / "data")
        options = ("--port", "0", "--keypads", "1", "--strike-ms", "100", "--json", "--data", data)
        demo = subprocess.Popen(
            [sys.executable, "-m", "doorpad", "demo", *options], stdout=subprocess.PIPE, text=True
        )
        try:
            lines = Lines(demo)
            ready = lines.until(type="ready")
            ready_s = time.perf_counter() - began
            keypad = ready["keypads"][0]
            bench = Bench(keypad["control"])
            heap_at_start = bench.ask(heap=True)
            headers = {"authorization": f"Bearer {ready['api_key']}"}
            with httpx.Client(base_url=ready["endpoint"], headers=headers, timeout=30) as client:
                create_to_set = []
                get = []
                for number in range(count):
                    start = time.perf_counter()
                    body = {"device_id": keypad["device_id"], "code": str(100_000 + number)}
                    code = client.post("/access_codes/create", json=body).json()["access_code"]
                    lines.until(event_type="access_code.set_on_device", access_code_id=code["access_code_id"])
                    create_to_set.append((time.perf_counter() - start) * 1000)
                    start = time.perf_counter()
                    client.get("/devices/get", params={"device_id": keypad["device_id"]})
                    get.append((time.perf_counter() - start) * 1000)
                strike = press_to_strike(bench, "100000", count)
                for number in range(count, 1000):
                    body = {"device_id": keypad["device_id"], "code": str(100_000 + number)}
                    code = client.post("/access_codes/create", json=body).json()["access_code"]
                lines.until(event_type="access_code.set_on_device", access_code_id=code["access_code_id"])
                heap_full = bench.ask(heap=True)
        finally:
            demo.terminate()
            demo.wait()
    baseline = statistics.median(get)
    print(
        json.dumps(
            {
                "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
                "count": count,
                "demo_to_ready_s": round(ready_s, 2),
                "create_to_set": summary(create_to_set),
                "devices_get": summary(get),
                "create_to_set_over_devices_get": round(statistics.median(create_to_set) / baseline, 1),
                "press_to_strike": summary(strike),
                "press_to_strike_besides_debounce_ms": round(statistics.median(strike) - _STABLE_MS, 2),
                "heap_at_start": {key: heap_at_start[key] for key in ("free", "allocated")},
                "heap_with_1000_slots": {key: heap_full[key] for key in ("free", "allocated")},
            },
            indent=2,
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
