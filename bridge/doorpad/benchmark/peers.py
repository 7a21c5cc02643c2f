"""What the link is compared with: SMP's serial framing and JSON lines, one message at a time, over the same cable.

Each peer has both ends here: `python -m doorpad.benchmark.peers PEER PORT BAUD` runs the cable and, in a process of
its own, a responder that answers each message at once. The responder is CPython and writes to no flash; neither peer
seals anything. Both favour the peers. SMP needs PyPI's `smp` and `cbor2`: the extra `benchmarks`.
"""

import asyncio
import json
import os
import select
import socket
import subprocess
import sys
import time
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from doorpad.benchmark.rig import bulk
from doorpad.emulator.cable import Cable, Line, Plug
from doorpad.link.slot_writes import SlotWrite

_READ_BYTES = 4096
_USER_GROUP = 64  # the first that SMP leaves to users
_WAIT_S = 10.0
_MANY = 15  # slots: what a message of SMP's usual buffer of 1,024 bytes takes of them

Slots = list[dict[str, Any]]


class Peer(Protocol):
    """Messages as bytes on the wire. Both give one message for one, and both end it with a line feed."""

    label: str
    slots_a_message: int

    def request(self, number: int, slots: Slots) -> bytes: ...

    def reply_to(self, wire: bytes) -> bytes: ...

    def number_of_reply(self, wire: bytes) -> int: ...

    def is_whole(self, wire: bytes) -> bool: ...


class JsonLines:
    """One JSON object a line, without a space in it; bytes are hexadecimal."""

    label = "JSON lines, a slot a line"
    slots_a_message = 1

    def request(self, number: int, slots: Slots) -> bytes:
        [slot] = slots
        fields = {name: value.hex() if isinstance(value, bytes) else value for name, value in slot.items()}
        return self._line({"id": number, "op": "put", **fields})

    def reply_to(self, wire: bytes) -> bytes:
        asked = json.loads(wire)
        return self._line({"id": asked["id"], "slot": asked["slot"], "status": 0, "version": asked["id"]})

    def number_of_reply(self, wire: bytes) -> int:
        number: int = json.loads(wire)["id"]
        return number

    def is_whole(self, wire: bytes) -> bool:
        return wire.endswith(b"\n")

    @staticmethod
    def _line(value: dict[str, Any]) -> bytes:
        return json.dumps(value, separators=(",", ":")).encode() + b"\n"


class Smp:
    """SMP over a serial line: PyPI smp's header and framing, a CBOR map with keys of one letter for each slot."""

    label = "SMP serial framing, a slot a message"
    slots_a_message = 1

    def request(self, number: int, slots: Slots) -> bytes:
        import cbor2

        maps = [
            {name[0] if name != "flags" else "g": value for name, value in slot.items()} for slot in slots
        ]
        assert all(len(short) == len(slot) for short, slot in zip(maps, slots, strict=True))
        return self._wire("WRITE", number, cbor2.dumps({"s": maps} if self.slots_a_message > 1 else maps[0]))

    def reply_to(self, wire: bytes) -> bytes:
        import cbor2

        number, payload = self._read(wire)
        asked = cbor2.loads(payload)
        slots = asked["s"] if self.slots_a_message > 1 else [asked]
        told = [{"s": slot["s"], "r": 0, "v": slot["s"]} for slot in slots]
        return self._wire(
            "WRITE_RSP", number, cbor2.dumps({"s": told} if self.slots_a_message > 1 else told[0])
        )

    def number_of_reply(self, wire: bytes) -> int:
        return self._read(wire)[0]

    def is_whole(self, wire: bytes) -> bool:
        if not wire.endswith(b"\n"):
            return False
        return self._frame(wire) is not None

    def _wire(self, op: str, number: int, payload: bytes) -> bytes:
        from smp import packet
        from smp.header import OP, Flag, Header, Version

        header = Header(OP[op], Version.V2, Flag(0), len(payload), _USER_GROUP, number % 256, 1)
        return b"".join(packet.encode(header.BYTES + payload))

    def _read(self, wire: bytes) -> tuple[int, bytes]:
        from smp.header import Header

        frame = self._frame(wire)
        assert frame is not None
        return Header.loads(frame[: Header.SIZE]).sequence, frame[Header.SIZE :]

    @staticmethod
    def _frame(wire: bytes) -> bytes | None:
        """The frame in lines of the wire, or None if lines are missing."""
        from smp import packet

        decoder = packet.decode()
        next(decoder)
        try:
            for line in wire.splitlines(keepends=True):
                decoder.send(line)
        except StopIteration as done:
            frame: bytes = done.value
            return frame
        return None


class SmpMany(Smp):
    """As no group of SMP is: many slots in a message."""

    label = f"SMP serial framing, {_MANY} slots a message"
    slots_a_message = _MANY


PEERS: dict[str, type[JsonLines] | type[Smp]] = {"smp": Smp, "smp-many": SmpMany, "json": JsonLines}


@dataclass(frozen=True)
class Missing:
    """A peer that cannot be measured here, and why."""

    reason: str


def measure(name: str, folder: Path, baud: int, writes: list[SlotWrite]) -> dict[str, float] | Missing:
    """Send the slots over a peer and a paced cable."""
    if name != "json" and not (find_spec("smp") and find_spec("cbor2")):
        return Missing("needs the packages smp and cbor2: pip install 'doorpad[benchmarks]'")
    peer, port = PEERS[name](), folder / f"{name}-link"
    command = [sys.executable, "-m", "doorpad.benchmark.peers", name, str(port), str(baud)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        process.stdout.readline()
        began = time.perf_counter()
        sent, received = put_all(peer, str(port), [fields(write) for write in writes])
        seconds = time.perf_counter() - began
        process.stdin.close()
    return bulk(len(writes), seconds, sent, received, baud)


def fields(write: SlotWrite) -> dict[str, Any]:
    """What the link tells of a slot."""
    return {
        "if_version": write.if_version,
        "slot": write.slot,
        "code": write.code,
        "valid_from": write.from_s,
        "until": write.until_s,
        "flags": write.flags,
        "op_id": write.op_id,
        "access_code_id": UUID(write.access_code_id).bytes,
    }


def put_all(peer: Peer, port: str, slots: Slots) -> tuple[int, int]:
    """Send all slots, each message after the reply to the one before; return the bytes sent and received."""
    descriptor = os.open(port, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(descriptor)
    sent = received = 0
    try:
        for number, first in enumerate(range(0, len(slots), peer.slots_a_message)):
            wire = peer.request(number, slots[first : first + peer.slots_a_message])
            os.write(descriptor, wire)
            sent += len(wire)
            held = b""
            while not peer.is_whole(held):
                ready, _, _ = select.select([descriptor], [], [], _WAIT_S)
                assert ready, f"no reply to message {number}"
                held += os.read(descriptor, _READ_BYTES)
            received += len(held)
            assert peer.number_of_reply(held) in (number, number % 256)
    finally:
        os.close(descriptor)
    return sent, received


def _messages(peer: Peer, descriptor: int) -> Iterator[bytes]:
    held = b""
    while data := os.read(descriptor, _READ_BYTES):
        held += data
        if peer.is_whole(held):
            yield held
            held = b""


def respond(peer: Peer, descriptor: int) -> None:
    """Answer whatever comes, until the other end is gone."""
    for wire in _messages(peer, descriptor):
        os.write(descriptor, peer.reply_to(wire))


async def _carry(port: Path, baud: int, end: socket.socket) -> None:
    end.setblocking(False)
    cable = Cable(port, Line(baud))
    cable.connect_keypad(end)
    cable.set(Plug.IN)
    print("ready", flush=True)
    try:
        await asyncio.to_thread(sys.stdin.read)
    finally:
        cable.close()


def main() -> None:
    if sys.argv[1] == "respond":
        respond(PEERS[sys.argv[2]](), int(sys.argv[3]))
        return
    name, port, baud = sys.argv[1:]
    cable_end, responder_end = socket.socketpair()
    command = [sys.executable, "-m", "doorpad.benchmark.peers", "respond", name, str(responder_end.fileno())]
    with subprocess.Popen(command, pass_fds=[responder_end.fileno()]):
        responder_end.close()
        asyncio.run(_carry(Path(port), int(baud), cable_end))


if __name__ == "__main__":
    main()
