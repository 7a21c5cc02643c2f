"""The API with 1,000,000 codes over 1,000 keypads, beside itself with 1,000 codes on one.

    python benchmarks/api_scale.py [--keypads 1000] [--codes 1000]

Makes both databases by SQL, starts a bridge on each, and asks both in turn for the same page of 1,000 codes, each
time after a change, so that no answer is given again from memory. Prints one JSON object: the time of a page and of
single codes, the memory of the process before and after, how long the start took, and the ratios.
"""

import argparse
import json
import os
import sqlite3
import statistics
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import httpx
from api_servers import SERIAL, Server, doorpad
from doorpad.store.database import FILE_NAME
from doorpad.store.identity import device_id_for

_ROOT = UUID("00000000-0000-4000-8000-000000000000")
_CREATED_MS = 1_700_000_000_000
PAGE = 1_000


def fill(file: Path, keypads: int, codes: int) -> None:
    """Add keypads and their codes to a database, whose first keypad is there already."""
    with closing(sqlite3.connect(file)) as database, database:
        first = device_id_for(SERIAL)
        for number in range(keypads):
            device_id = first
            if number:
                serial = f"{number:016x}"
                device_id = device_id_for(serial)
                database.execute(
                    "INSERT INTO devices (device_id, serial, name, simulated, created_at_ms, link_changed_at_ms)"
                    " VALUES (?, ?, ?, 1, ?, ?)",
                    (device_id, serial, f"Door {number}", _CREATED_MS, _CREATED_MS),
                )
            database.executemany(
                "INSERT INTO access_codes (access_code_id, device_id, managed, name, code, created_at_ms)"
                " VALUES (?, ?, 1, ?, ?, ?)",
                (
                    (
                        str(uuid5(_ROOT, f"{number}/{at}")),
                        device_id,
                        f"Guest {at}",
                        str(100_000 + at),
                        _CREATED_MS + at,
                    )
                    for at in range(codes)
                ),
            )


def prepare(folder: Path, keypads: int, codes: int) -> None:
    """A data folder with so many codes, that a bridge has used once."""
    folder.mkdir()
    with doorpad(folder):
        pass
    fill(folder / "data" / FILE_NAME, keypads, codes)
    with doorpad(folder):  # finds that only one of the keypads is in its configuration, and says so, once
        pass


def memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(status.partition("VmRSS:")[2].split()[0]) / 1_024, 1)


class Asked:
    """One bridge, and how long its answers took."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.times_ms: dict[str, list[float]] = {}
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{server.port}",
            headers={"authorization": f"Bearer {server.api_key}"},
            timeout=120,
        )
        self._names = iter(range(1_000_000))

    def ask(self, what: str, path: str, **params: Any) -> dict[str, Any]:
        self._client.post(
            "/devices/update", json={"device_id": self.server.device_id, "name": f"{next(self._names)}"}
        )
        began = time.perf_counter()
        response = self._client.get(path, params=params).raise_for_status()
        self.times_ms.setdefault(what, []).append((time.perf_counter() - began) * 1_000)
        answer: dict[str, Any] = response.json()
        return answer

    def round(self) -> None:
        device = {"device_id": self.server.device_id}
        first = self.ask("page", "/access_codes/list", **device, limit=PAGE)
        assert len(first["access_codes"]) == PAGE
        one = first["access_codes"][PAGE // 2]
        self.ask("get", "/access_codes/get", access_code_id=one["access_code_id"])
        self.ask("get_by_code", "/access_codes/get", **device, code=one["code"])
        created = self._client.post("/access_codes/create", json=device).raise_for_status().json()
        self._client.post(
            "/access_codes/delete", json={"access_code_id": created["access_code"]["access_code_id"]}
        )

    def median_ms(self, what: str) -> float:
        return statistics.median(self.times_ms[what])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keypads", type=int, default=1_000)
    parser.add_argument("--codes", type=int, default=PAGE, help="on each keypad")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="doorpad-scale-") as folder, ExitStack() as stack:
        small, large = Path(folder) / "small", Path(folder) / "large"
        prepare(small, 1, options.codes)
        prepare(large, options.keypads, options.codes)
        began = time.perf_counter()
        asked = {"large": Asked(stack.enter_context(doorpad(large)))}
        start_s = time.perf_counter() - began
        began = time.perf_counter()
        asked["small"] = Asked(stack.enter_context(doorpad(small)))
        small_start_s = time.perf_counter() - began
        before = {name: memory_mb(it.server.pid) for name, it in asked.items()}
        for _ in range(options.rounds):
            for it in asked.values():
                it.round()
        result = {
            "codes": options.keypads * options.codes,
            "database_mb": round((large / "data" / FILE_NAME).stat().st_size / 1e6),
            "start_s": {"large": round(start_s, 2), "small": round(small_start_s, 2)},
            "memory_mb": {
                name: {"before": before[name], "after": memory_mb(it.server.pid)}
                for name, it in asked.items()
            },
            "times": {
                what: {
                    **{name: round(it.median_ms(what), 2) for name, it in asked.items()},
                    "ratio": round(asked["large"].median_ms(what) / asked["small"].median_ms(what), 2),
                }
                for what in asked["large"].times_ms
            },
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1),
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
