"""What the link is compared with: SMP's serial framing and JSON lines, one slot a message, one message at a time.

Each peer has both ends here, over the emulated cable of doorpad: `python benchmarks/link_peers.py PEER PORT BAUD`
runs the cable and, in a process of its own, a responder that answers each message at once. The responder is CPython
and writes to no flash; neither peer seals anything. Both favour the peers.
"""

import asyncio
import json
import os
import select
import socket
import subprocess
import sys
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import cbor2
from doorpad.emulator.cable import Cable, Line, Plug
from smp import packet
from smp.header import OP, Flag, Header, Version

_READ_BYTES = 4096
_USER_GROUP = 64  # the first that SMP leaves to users
_WAIT_S = 10.0


class Peer(Protocol):
    """Messages as bytes on the wire. Both give one message for one, and both end it with a line feed."""

    def request(self, number: int, slot: dict[str, Any]) -> bytes: ...

    def reply_to(self, wire: bytes) -> bytes: ...

    def number_of_reply(self, wire: bytes) -> int: ...

    def is_whole(self, wire: bytes) -> bool: ...


class JsonLines:
    """One JSON object a line, without a space in it; bytes are hexadecimal."""

    label = "JSON lines"

    def request(self, number: int, slot: dict[str, Any]) -> bytes:
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
    """SMP over a serial line: PyPI smp's own header and framing, a CBOR map with keys of one letter."""

    label = "SMP"

    def request(self, number: int, slot: dict[str, Any]) -> bytes:
        short = {name[0] if name != "flags" else "g": value for name, value in slot.items()}
        assert len(short) == len(slot)
        return self._wire(OP.WRITE, number, short)

    def reply_to(self, wire: bytes) -> bytes:
        header, asked = self._read(wire)
        return self._wire(OP.WRITE_RSP, header.sequence, {"s": asked["s"], "r": 0, "v": asked["s"]})

    def number_of_reply(self, wire: bytes) -> int:
        return self._read(wire)[0].sequence

    def is_whole(self, wire: bytes) -> bool:
        if not wire.endswith(b"\n"):
            return False
        return self._frame(wire) is not None

    def _wire(self, op: OP, number: int, value: dict[str, Any]) -> bytes:
        payload = cbor2.dumps(value)
        header = Header(op, Version.V2, Flag(0), len(payload), _USER_GROUP, number % 256, 1)
        return b"".join(packet.encode(header.BYTES + payload))

    def _read(self, wire: bytes) -> tuple[Header, dict[str, Any]]:
        frame = self._frame(wire)
        assert frame is not None
        return Header.loads(frame[: Header.SIZE]), cbor2.loads(frame[Header.SIZE :])

    @staticmethod
    def _frame(wire: bytes) -> bytes | None:
        """The frame in lines of the wire, or None if lines are missing."""
        decoder = packet.decode()
        next(decoder)
        try:
            for line in wire.splitlines(keepends=True):
                decoder.send(line)
        except StopIteration as done:
            frame: bytes = done.value
            return frame
        return None


PEERS: dict[str, type[JsonLines] | type[Smp]] = {"json": JsonLines, "smp": Smp}


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


def put_all(peer: Peer, port: str, slots: list[dict[str, Any]]) -> tuple[int, int]:
    """Send all slots, each after the reply to the one before; return the bytes sent and received."""
    descriptor = os.open(port, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(descriptor)
    sent = received = 0
    try:
        for number, slot in enumerate(slots):
            wire = peer.request(number, slot)
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
    command = [sys.executable, __file__, "respond", name, str(responder_end.fileno())]
    with subprocess.Popen(command, pass_fds=[responder_end.fileno()]):
        responder_end.close()
        asyncio.run(_carry(Path(port), int(baud), cable_end))


if __name__ == "__main__":
    main()
