"""Create -> set, key press -> strike at rest and in a sync, keypad event or code -> webhook: one emulated keypad.

    python benchmarks/latency.py [--count 200]

Prints one JSON object, and to standard error what it is at. Create -> set is timed by the client, from the
request to the event that the keypad has acknowledged. Key press -> strike is timed by the keypad's own bench,
from the moment at which the contact of `#` first closes to the strike's output; it bounces for 8 ms, and the
firmware wants 8 ms of rest after that. In the sync, clients change PINs as fast as the hub takes them, on a
table that has been written all around, and flash that erases stops everything for 45 to 80 ms. Fifteen keys a
second are pressed meanwhile, without a pause but for the strike's 100 ms. An entry of which a key was lost is
counted, and does not open. Keypad event -> webhook is timed from the moment at which the bench tells of the
strike to the one at which a receiver here has the whole `lock.unlocked`: journal on flash, link, database and
HTTP lie between. A plain request of the same run stands beside them. A code that somebody programs at the
keypad is timed in the same way, from the beep by which the keypad says that it has it; by then the API shows
it as an unmanaged one.
"""

import argparse
import http.server
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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from doorpad.emulator.used_flash import use_up_table

MESSAGE_S = 30
PIN = "7351"  # no two keys in a row alike
LOST_S = 2  # after which an entry has lost a key
CODES = 1000
_DEBOUNCE_MS = 8 + 8  # bouncing, firmware/emulator/finger.py, and rest, firmware/doorpad_fw/presses.py
_ERASE_MS = (45, 80)
_CLIENTS = 4


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
            self.outputs.append({**message, "came_at": time.perf_counter()})


def summary(values_ms: list[float]) -> dict[str, float]:
    ordered = sorted(values_ms)
    return {
        "median_ms": round(statistics.median(ordered), 2),
        "p99_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 2),
    }


class Receiver:
    """Where webhooks are posted to; tells when each event came."""

    def __init__(self) -> None:
        self.came: queue.Queue[tuple[str, float]] = queue.Queue()
        came = self.came

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                event = json.loads(self.rfile.read(int(self.headers["content-length"])))
                came.put((event["event_type"], time.perf_counter()))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}/"

    def wait(self, event_type: str) -> float:
        while True:
            came, at = self.came.get(timeout=MESSAGE_S)
            if came == event_type:
                return at


def open_door(bench: Bench) -> tuple[int, dict[str, Any]] | None:
    """Enter the code: when the contact of `#` first closed, in ms of the keypad, and the strike that it gave.

    None: a key of it was lost. The strike is at rest again on return.
    """
    bench.outputs.clear()
    touched_ms: int = bench.ask(press=PIN + "#")["touched_ms"]
    deadline = time.perf_counter() + LOST_S
    while time.perf_counter() < deadline:
        strikes = [it for it in bench.outputs if it.get("output") == "strike"]
        if [it["level"] for it in strikes] == [1, 0]:
            return touched_ms, strikes[0]
        bench.ask(flash=True)
    bench.ask(press="*")
    return None


def opened_door(bench: Bench) -> tuple[int, dict[str, Any]]:
    """The same where no key may be lost."""
    opened = open_door(bench)
    assert opened is not None
    return opened


def press_to_strike(bench: Bench, count: int) -> tuple[list[float], int]:
    """Milliseconds from the closing of `#` to the strike's output, and how many entries lost a key."""
    taken: list[float] = []
    lost = 0
    while len(taken) < count:
        opened = open_door(bench)
        if opened is None:
            lost += 1
        else:
            taken.append(float(opened[1]["ticks_ms"] - opened[0]))
    return taken, lost


def press_to_webhook(bench: Bench, receiver: Receiver, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds from the closing of `#` to the strike, and from the bench's word of it to the event's webhook."""
    strike, webhook = [], []
    for _ in range(count):
        touched_ms, output = opened_door(bench)
        strike.append(float(output["ticks_ms"] - touched_ms))
        webhook.append((receiver.wait("lock.unlocked") - output["came_at"]) * 1_000)
    return strike, webhook


def change_to_object(
    bench: Bench, receiver: Receiver, client: httpx.Client, device_id: str, master_pin: str, count: int
) -> list[float]:
    """Milliseconds from the beep by which the keypad takes a code that is programmed there to the webhook of it.

    By then the API has to show the code; it is deleted in between.
    """
    taken = []
    bench.ask(press=f"{master_pin}#")
    for number in range(count):
        bench.ask(press="1#")
        bench.outputs.clear()
        touched_ms: int = bench.ask(press=f"{2_000 + number}#")["touched_ms"]
        came_at = receiver.wait("access_code.unmanaged.created")
        beeps = (it for it in bench.outputs if it.get("output") == "buzzer" and it["level"] == 1)
        taken.append((came_at - next(it for it in beeps if it["ticks_ms"] >= touched_ms)["came_at"]) * 1_000)
        asked = {"device_id": device_id, "code": str(2_000 + number)}
        code = (
            client.get("/access_codes/unmanaged/get", params=asked).raise_for_status().json()["access_code"]
        )
        gone = {"access_code_id": code["access_code_id"]}
        client.post("/access_codes/unmanaged/delete", json=gone).raise_for_status()
        receiver.wait("access_code.unmanaged.removed")
    bench.ask(press="*")
    return taken


class Sync:
    """Changes PINs of codes, over and over, with several clients, while the block lasts. `changes`: how many."""

    def __init__(self, endpoint: str, headers: dict[str, str], codes: list[str]) -> None:
        self._endpoint = endpoint
        self._headers = headers
        self._codes = codes
        self._pins = itertools.count(10**9)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._change, args=(n,)) for n in range(_CLIENTS)]
        self.changes = 0

    def __enter__(self) -> "Sync":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _change(self, first: int) -> None:
        with httpx.Client(base_url=self._endpoint, headers=self._headers, timeout=30) as client:
            for code in itertools.cycle(self._codes[first::_CLIENTS]):
                if self._over.is_set():
                    return
                body = {"access_code_id": code, "code": str(next(self._pins))}
                client.post("/access_codes/update", json=body).raise_for_status()
                self.changes += 1


class Progress:
    """Says on standard error what is begun, and how long the part before it took."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def __call__(self, part: str) -> None:
        now = time.perf_counter()
        print(f"{now - self._began:6.1f} s  {part}", file=sys.stderr, flush=True)
        self._began = now


@contextmanager
def demo(data: Path) -> Iterator[tuple[Lines, dict[str, Any]]]:
    """A demo with one keypad, while the block lasts: its lines, and the one that says that it is ready."""
    options = ("--port", "0", "--keypads", "1", "--strike-ms", "100", "--json", "--data", str(data))
    process = subprocess.Popen(
        [sys.executable, "-m", "doorpad", "demo", *options], stdout=subprocess.PIPE, text=True
    )
    try:
        lines = Lines(process)
        yield lines, lines.until(type="ready")
    finally:
        process.terminate()
        process.wait()


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=200, help="of each latency, at most 800")
    count = arguments.parse_args().count
    told = Progress()
    told("start")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        began = time.perf_counter()
        with demo(data):
            ready_s = time.perf_counter() - began
        keypad_folder = data / "keypads" / "k1"
        use_up_table(keypad_folder / "flash.bin")
        master_pin = json.loads((keypad_folder / "keypad.json").read_text())["master_pin"]
        with demo(data) as (lines, ready):
            keypad = ready["keypads"][0]
            bench = Bench(keypad["control"])
            heap_at_start = bench.ask(heap=True)
            headers = {"authorization": f"Bearer {ready['api_key']}"}
            with httpx.Client(base_url=ready["endpoint"], headers=headers, timeout=30) as client:
                told(f"create -> set, {count} times")
                create_to_set = []
                codes = []
                get = []
                pins = [PIN, *(str(100_000 + number) for number in range(CODES - 1))]
                for pin in pins[:count]:
                    start = time.perf_counter()
                    body = {"device_id": keypad["device_id"], "code": pin}
                    code = client.post("/access_codes/create", json=body).json()["access_code"]
                    lines.until(event_type="access_code.set_on_device", access_code_id=code["access_code_id"])
                    create_to_set.append((time.perf_counter() - start) * 1000)
                    codes.append(code["access_code_id"])
                    start = time.perf_counter()
                    client.get("/devices/get", params={"device_id": keypad["device_id"]})
                    get.append((time.perf_counter() - start) * 1000)
                receiver = Receiver()
                client.post("/webhooks/create", json={"url": receiver.url}).raise_for_status()
                told(f"key press -> strike -> webhook, {count} times")
                strike, webhook = press_to_webhook(bench, receiver, count)
                unmanaged_count = max(count // 4, 1)
                told(f"code made at the keypad -> object, {unmanaged_count} times")
                unmanaged = change_to_object(
                    bench, receiver, client, keypad["device_id"], master_pin, unmanaged_count
                )
                told(f"{CODES - count} codes more")
                for pin in pins[count:]:
                    body = {"device_id": keypad["device_id"], "code": pin}
                    code = client.post("/access_codes/create", json=body).json()["access_code"]
                lines.until(event_type="access_code.set_on_device", access_code_id=code["access_code_id"])
                heap_full = bench.ask(heap=True)
                told(f"key press -> strike in a sync, {count} times")
                bench.ask(erase_ms=_ERASE_MS)
                before = bench.ask(flash=True)
                began = time.perf_counter()
                with Sync(ready["endpoint"], headers, codes[1:]) as sync:
                    strike_in_sync, lost = press_to_strike(bench, count)
                    typed_s = time.perf_counter() - began
                    after = bench.ask(flash=True)
                told("done")
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
                "press_to_strike_besides_debounce_ms": round(statistics.median(strike) - _DEBOUNCE_MS, 2),
                "press_to_strike_in_a_sync": {
                    **summary(strike_in_sync),
                    "entries_that_lost_a_key": lost,
                    "seconds": round(typed_s, 1),
                    "changes": sync.changes,
                    "flash_operations": after["operations"] - before["operations"],
                    "erases": after["erases"] - before["erases"],
                },
                "event_to_webhook": summary(webhook),
                "event_to_webhook_over_devices_get": round(statistics.median(webhook) / baseline, 1),
                "change_to_object": summary(unmanaged),
                "heap_at_start": {key: heap_at_start[key] for key in ("free", "allocated")},
                "heap_with_1000_slots": {key: heap_full[key] for key in ("free", "allocated")},
            },
            indent=2,
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
