"""The servers that `api.py` compares: each is one process on the loopback."""

import contextlib
import json
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doorpad.api.keys import add_key, generate_key
from doorpad.keyring import LinkKey, save

FAKE = Path(__file__).parent.parent / "tests" / "conformance" / "js"
SERIAL = "00112233445566aa"


@dataclass(frozen=True)
class Server:
    """`device_id`: of the device that the codes are on."""

    port: int
    api_key: str
    device_id: str
    pid: int


@contextlib.contextmanager
def _process(arguments: list[str], given: str = "", **options: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """A process that prints a JSON object when it is ready, and ends when its standard input does; its id."""
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        if given:
            process.stdin.write(given + "\n")
            process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(arguments[:4])} did not start")
        # Nobody reads what it says further, and a pipe that is full would stop it.
        drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
        try:
            yield process.pid, json.loads(line)
        finally:
            process.stdin.close()
            process.wait(60)
            drain.wait(10)


@contextlib.contextmanager
def doorpad(folder: Path) -> Iterator[Server]:
    """A bridge whose one keypad is not connected: it takes codes, keeps them, and they wait."""
    key = generate_key()
    save(folder / "data" / "keys", SERIAL, LinkKey(secrets.token_bytes(8), secrets.token_bytes(32)))
    add_key(folder / "data", key, f"benchmark {secrets.token_hex(4)}")
    config = folder / "doorpad.toml"
    config.write_text(
        f'data = "{folder / "data"}"\nlisten = "127.0.0.1:0"\n'
        f'[[keypad]]\nserial = "{SERIAL}"\nname = "Door"\nport = "{folder / "no-such-port"}"\n'
    )
    command = [sys.executable, "-m", "doorpad", "run", "--config", str(config), "--json", "--until-eof"]
    with _process(command) as (pid, ready):
        yield Server(_port(ready["endpoint"]), key, ready["keypads"][0]["device_id"], pid)


@contextlib.contextmanager
def fake() -> Iterator[Server]:
    """npm `@seamapi/fake-seam-connect`; `npm ci` in tests/conformance/js installs it."""
    with _process(["node", "serve_fake.mjs"], cwd=FAKE) as (pid, ready):
        yield Server(_port(ready["endpoint"]), ready["apiKey"], ready["device_id"], pid)


@contextlib.contextmanager
def bare(bodies: Mapping[str, str]) -> Iterator[Server]:
    """An ASGI application that answers each path with these bytes, under doorpad's own HTTP server."""
    script = Path(__file__).parent / "bare_asgi.py"
    with _process([sys.executable, str(script)], json.dumps(bodies)) as (pid, ready):
        yield Server(ready["port"], "none", "", pid)


def _port(endpoint: str) -> int:
    return int(endpoint.rpartition(":")[2])
