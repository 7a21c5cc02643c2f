"""What a frame of slots costs the processor and the heap of each end, without a line between them."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from doorpad_link import messages
from doorpad_link.device import DeviceSession
from doorpad_link.host import HostSession, Replied

from doorpad.emulator import runtime
from doorpad.link.slot_writes import PUTS_MAX

_KEY, _HOST_ID, _DEVICE_ID = bytes(range(100, 132)), b"hub----1", b"keypad-1"
_CAPABILITIES: list[object] = [1024, 4, 3584, 4096, 4, 12, "0.1.0"]
_FRAMES = 300
_COUNTED = 20  # of them for the heap


class CostFailed(RuntimeError):
    """The program inside MicroPython failed; the message is what it printed."""


def _serve(_maker: int, _op: int, body: Any) -> tuple[int, object]:
    return messages.OK, [[place, 0, 1] for place in range(len(body[2]))]


def _body() -> list[object]:
    pin, window = b"123456", (1_000_000_000, 1_003_600_000)
    count = PUTS_MAX
    return [bytes(8), os.urandom(16 * count), [[0, 1, pin, *window, 3] for _ in range(count)]]


def measure(folder: Path, free_bytes: int) -> dict[str, Any]:
    """Play full frames of PUT to both ends.

    Args:
        free_bytes: what is left of the keypad's heap at rest.
    """
    device = DeviceSession(_DEVICE_ID, bytes(8), [(_HOST_ID, _KEY)], _CAPABILITIES, bytes, _serve)
    host = HostSession(_HOST_ID, lambda device_id: _KEY, bytes)
    host.start(0)
    opening: list[bytes] = []
    while wire := host.take_output():
        opening.append(wire)
        host.receive(bytes(device.receive(wire, 1000)), 0)
    body = _body()
    requests: list[bytes] = []
    taken_s = 0.0
    for _ in range(_FRAMES):
        began = time.process_time()
        host.request(messages.OP_PUT, body, 0)
        wire = host.take_output()
        taken_s += time.process_time() - began
        requests.append(wire)
        answer = bytes(device.receive(wire, 1000))
        began = time.process_time()
        [event] = host.receive(answer, 0)
        taken_s += time.process_time() - began
        assert isinstance(event, Replied)
    inside = _inside(folder, opening, requests, free_bytes)
    slots = (_FRAMES - _COUNTED) * PUTS_MAX
    return {
        "slots_a_frame": PUTS_MAX,
        "hub_us_a_frame": round(taken_s / _FRAMES * 1e6),
        "keypad_us_a_slot": round(inside["us"] / slots, 1),
        "keypad_us_a_frame": round(inside["us"] / (_FRAMES - _COUNTED)),
        "keypad_heap_bytes_a_frame": inside["bytes_a_frame"],
        "keypad_heap": runtime.HEAP,
        "keypad_heap_free_bytes": inside["free"],
    }


def _inside(folder: Path, opening: list[bytes], requests: list[bytes], free_bytes: int) -> dict[str, int]:
    program = runtime.compile_program(folder)
    job = {
        "host_id": list(_HOST_ID),
        "key": list(_KEY),
        "device_id": list(_DEVICE_ID),
        "capabilities": _CAPABILITIES,
        "handshake": [len(wire) for wire in opening],
        "requests": [len(wire) for wire in requests],
        "counted": _COUNTED,
        "free_bytes": free_bytes,
    }
    (folder / "job.json").write_text(json.dumps(job))
    (folder / "frames.bin").write_bytes(b"".join(opening + requests))
    command = [*runtime.micropython(), "-X", f"heapsize={runtime.HEAP}", "-c", "import link_cost"]
    environment = {**os.environ, "MICROPYPATH": runtime.search_path(program), "TZ": "UTC"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode or not done.stdout.startswith("{"):
        raise CostFailed(done.stdout + done.stderr)
    told: dict[str, int] = json.loads(done.stdout)
    return told
