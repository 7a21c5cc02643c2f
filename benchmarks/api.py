"""The API's speed beside the published fake server of the same API, and beside a bare ASGI application.

    (cd tests/conformance/js && npm ci)
    python benchmarks/api.py [--rounds 5] [--seconds 2] [--writes 1000]

All servers are one process each, on the same machine, and are measured in turn, round by round; what is printed are
medians of the rounds, and ratios of them. doorpad keeps each code on disk before it answers; the fake keeps it in
memory. Both have 1,000 codes on the device that is asked for.

    get, list       8 clients, today's verbs and queries
    create, update  64 clients, by POST, which both know; update replaces the PIN
    floor           the same bytes from an application that does nothing else, under the same HTTP server

doorpad answers a question again from memory until anything is committed: `get` and `list` are such answers.
`list_after_change` is the first after a commit, with one client.

Prints one JSON object. `cpu_ms` is what a server used for each answer, in all its threads: it depends less than the
rates on what else the machine does, and so do the ratios `_by_cpu`. `busy` is the share of a core that the load
generator needed: near 1 it would be the limit.
"""

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
from api_servers import Server, bare, doorpad, fake

CODES = 1_000
READERS, WRITERS = 8, 64

Request = tuple[str, str, dict[str, str], str]
_pins = itertools.count(100_000)


def load(
    server: Server, clients: int, requests: list[Request], seconds: float | None = None
) -> dict[str, Any]:
    """What a load generator in a process of its own measured."""
    work: dict[str, Any] = {"port": server.port, "clients": clients, "requests": requests}
    if seconds is not None:
        work["seconds"] = seconds
    script = Path(__file__).parent / "api_load.py"
    used_ms = cpu_ms(server.pid)
    done = subprocess.run(
        [sys.executable, str(script)], input=json.dumps(work), stdout=subprocess.PIPE, text=True, check=True
    )
    measured: dict[str, Any] = json.loads(done.stdout)
    measured["cpu_ms"] = (cpu_ms(server.pid) - used_ms) / measured["answers"]
    if measured["not_ok"]:
        raise SystemExit(f"requests failed: {measured['not_ok']} (status: number)")
    return measured


def cpu_ms(pid: int) -> float:
    """What a process and its threads have used so far."""
    numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) * 1_000 / os.sysconf("SC_CLK_TCK")


def headers(server: Server) -> dict[str, str]:
    return {"authorization": f"Bearer {server.api_key}", "content-type": "application/json"}


def create(server: Server, number: int) -> list[Request]:
    return [_create(server, next(_pins)) for _ in range(number)]


def _create(server: Server, pin: int) -> Request:
    body = {"device_id": server.device_id, "name": f"Guest {pin}", "code": str(pin)}
    return ("POST", "/access_codes/create", headers(server), json.dumps(body))


def update(server: Server, ids: list[str]) -> list[Request]:
    made = []
    for id_ in ids:
        body = {"access_code_id": id_, "code": str(next(_pins))}
        made.append(("POST", "/access_codes/update", headers(server), json.dumps(body)))
    return made


def get(server: Server, ids: list[str]) -> list[Request]:
    return [
        ("GET", f"/access_codes/get?access_code_id={id_}&_strict=true", headers(server), "") for id_ in ids
    ]


def list_(server: Server) -> list[Request]:
    return [("GET", f"/access_codes/list?device_id={server.device_id}&_strict=true", headers(server), "")]


def body_of(server: Server, request: Request) -> str:
    verb, path, sent, body = request
    return httpx.request(
        verb, f"http://127.0.0.1:{server.port}{path}", headers=sent, content=body, timeout=60
    ).text


def list_after_change(server: Server, id_: str, number: int) -> list[float]:
    """Milliseconds of a list that follows a change of a name."""
    taken = []
    with httpx.Client(
        base_url=f"http://127.0.0.1:{server.port}", headers=headers(server), timeout=60
    ) as client:
        for at in range(number):
            client.post("/access_codes/update", json={"access_code_id": id_, "name": f"Name {at}"})
            began = time.perf_counter()
            client.get("/access_codes/list", params={"device_id": server.device_id}).raise_for_status()
            taken.append((time.perf_counter() - began) * 1_000)
    return taken


class Measured:
    """What the rounds gave for one server and one kind of request."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.latencies_ms: list[float] = []
        self.busy: list[float] = []
        self.cpu_ms: list[float] = []

    def add(self, measured: dict[str, Any]) -> None:
        self.rates.append(measured["answers"] / measured["seconds"])
        self.latencies_ms += measured["latencies_ms"]
        self.busy.append(measured["busy"])
        self.cpu_ms.append(measured["cpu_ms"])

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    def summary(self) -> dict[str, float]:
        ordered = sorted(self.latencies_ms)
        return {
            "per_second": round(self.rate, 1),
            "p50_ms": round(ordered[len(ordered) // 2], 2),
            "p99_ms": round(ordered[int(len(ordered) * 0.99)], 2),
            "cpu_ms": round(statistics.median(self.cpu_ms), 3),
            "busy": round(statistics.median(self.busy), 2),
        }


def measure(ours: Server, theirs: Server, options: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    servers = {"doorpad": ours, "fake": theirs}
    ids = {}
    for name, server in servers.items():
        load(server, 1, create(server, CODES))
        listed = json.loads(body_of(server, list_(server)[0]))["access_codes"]
        ids[name] = [code["access_code_id"] for code in listed][-CODES:]
    bodies = {
        "/access_codes/get": body_of(ours, get(ours, ids["doorpad"])[0]),
        "/access_codes/list": body_of(ours, list_(ours)[0]),
    }
    with bare(bodies) as floor:
        reads: dict[str, Callable[[str, Server], list[Request]]] = {
            "get": lambda name, server: get(server, ids.get(name, ids["doorpad"])),
            "list": lambda _name, server: list_(server),
        }
        for kind, requests in reads.items():
            found = {name: Measured() for name in (*servers, "floor")}
            for _ in range(options.rounds):
                for name, server in {**servers, "floor": floor}.items():
                    found[name].add(load(server, READERS, requests(name, server), options.seconds))
            yield kind, summary(found)
    yield (
        "list_after_change",
        {
            name: {"p50_ms": round(statistics.median(list_after_change(server, ids[name][0], 20)), 2)}
            for name, server in servers.items()
        },
    )
    for kind in ("update", "create"):  # the creates last: they make the device's list longer
        found = {name: Measured() for name in servers}
        for _ in range(options.rounds):
            for name, server in servers.items():
                chosen = (ids[name] * (options.writes // CODES + 1))[: options.writes]
                requests_ = update(server, chosen) if kind == "update" else create(server, options.writes)
                found[name].add(load(server, WRITERS, requests_))
        yield kind, summary(found)


def summary(found: dict[str, Measured]) -> dict[str, Any]:
    made: dict[str, Any] = {name: measured.summary() for name, measured in found.items()}
    by_cpu = statistics.median(found["fake"].cpu_ms) / statistics.median(found["doorpad"].cpu_ms)
    made["times_the_fake_by_cpu"] = round(by_cpu, 2)
    made["times_the_fake"] = round(found["doorpad"].rate / found["fake"].rate, 2)
    if "floor" in found:
        made["share_of_the_floor"] = round(found["doorpad"].rate / found["floor"].rate, 2)
        by_cpu = statistics.median(found["floor"].cpu_ms) / statistics.median(found["doorpad"].cpu_ms)
        made["share_of_the_floor_by_cpu"] = round(by_cpu, 2)
    return made


def fsyncs_per_second(folder: Path) -> float:
    """How many times a second this disk makes 4 KiB durable, one after the other."""
    number = 200
    with open(folder / "probe", "wb", buffering=0) as file:
        began = time.perf_counter()
        for _ in range(number):
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
        return number / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each round of reads")
    parser.add_argument("--writes", type=int, default=1_000, help="in each round of writes")
    parser.add_argument(
        "--data", type=Path, default=None, help="where to put the database; default: beside TMPDIR"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="doorpad-api-", dir=options.data) as folder:
        result: dict[str, Any] = {
            "machine": {
                "cores": os.cpu_count(),
                "load_before": round(os.getloadavg()[0], 1),
                "python": platform.python_version(),
                "node": subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip(),
                "uvicorn": version("uvicorn"),
                "fdatasync_per_second": round(fsyncs_per_second(Path(folder))),
            }
        }
        with doorpad(Path(folder)) as ours, fake() as theirs:
            for kind, measured in measure(ours, theirs, options):
                result[kind] = measured
                print(kind, json.dumps(measured), file=sys.stderr, flush=True)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
