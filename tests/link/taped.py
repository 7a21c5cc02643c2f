"""`python taped.py emulate …`: doorpad as ever, and what both sides say on each emulated cable is kept on a tape.

`check` puts every frame on such tapes to protocol/doorpad.cddl. A tape lies beside the end of its cable. It holds
what was sent, before the cable did its harm, and the keys that the keypad had then, for it may have others later.
"""

import runpy
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import grammar
import reference
from doorpad.emulator.cable import AT_ONCE, Cable, Line
from doorpad_link import frame, identity

ARGUMENTS = (str(Path(__file__)),)  # of a Python that is to run the emulator so
_NAME = "tape"
_TO_KEYPAD, _TO_HUB, _KEY = range(3)
_HEAD = struct.Struct("<BI")  # which of these, and how many bytes follow
_COPIES = ("identity.bin", "nvs-doorpad/identity")  # where a keypad keeps its keys


class _Tape:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = (folder / _NAME).open("ab", buffering=0)
        self._seen: dict[Path, int] = {}

    def add(self, what: int, data: bytes) -> None:
        self._file.write(_HEAD.pack(what, len(data)) + data)

    def add_keys(self) -> None:
        """Those of the keypad now, if they are others than before."""
        for copy in (self._folder / name for name in _COPIES):
            try:
                written_ns = copy.stat().st_mtime_ns
                if self._seen.get(copy) == written_ns:
                    continue
                known = identity.unpack(copy.read_bytes())
            except FileNotFoundError:
                continue
            self._seen[copy] = written_ns
            if known is not None:
                keys = [key for _, key in known.hosts] + ([known.following[2]] if known.following else [])
                for key in keys:
                    self.add(_KEY, key)


def start() -> None:
    """Keep a tape of every cable that this process makes from now on."""
    made = Cable.__init__

    def make(cable: Cable, name: Path, line: Line = AT_ONCE) -> None:
        made(cable, name, line)
        tape = _Tape(name.parent)
        for what, wire in ((_TO_KEYPAD, cable._to_keypad), (_TO_HUB, cable._to_hub)):
            _listen(tape, what, wire)

    Cable.__init__ = make  # type: ignore[method-assign]


def _listen(tape: _Tape, what: int, wire: Any) -> None:
    put = wire.put

    def heard(data: bytes, baud: int | None) -> None:
        if what == _TO_HUB:
            tape.add_keys()
        tape.add(what, data)
        put(data, baud)

    wire.put = heard


def check(folder: Path, nonsense: Iterable[str] = ()) -> list[tuple[str, Any]]:
    """Read all tapes below `folder`; return (rule, body) of each frame on them, repetitions left out.

    Fails for a frame that nobody can open, or that follows no rule of the grammar. `nonsense`: rules of requests
    that a test sends badly formed.
    """
    return [heard for tape in folder.rglob(_NAME) for heard in _Heard(tape.read_bytes(), nonsense).ear.heard]


class _Heard:
    """The frames of a tape, each put to the grammar once by `ear`."""

    def __init__(self, tape: bytes, nonsense: Iterable[str]) -> None:
        self._keys: dict[bytes, bytes] = {}  # by key id
        self._hellos: list[bytes] = []
        self._sessions: list[reference.Keys] = []
        self.ear = grammar.Ear(lambda: reversed(self._sessions))
        self.ear.nonsense.update(nonsense)
        self._rest = {_TO_KEYPAD: b"", _TO_HUB: b""}
        for what, data in _records(tape):
            if what == _KEY:
                self._keys[reference.key_id(data)] = data
            else:
                self._hear(what, data)

    def _hear(self, what: int, data: bytes) -> None:
        *pieces, self._rest[what] = (self._rest[what] + data).split(b"\0")
        for piece in pieces:
            wire = b"\0" + piece + b"\0"
            for header, body in frame.Splitter().feed(wire):  # else it is text of a console, or half a frame
                if header.kind == frame.HELLO and not header.from_device:
                    self._hellos.append(bytes(body))
                elif header.kind == frame.HELLO_R and header.from_device:
                    self._offered(bytes(body))
                self.ear.hear(wire, from_device=header.from_device)

    def _offered(self, hello_r: bytes) -> None:
        without_proof, key_id, proof = reference.split_proof(hello_r)
        assert key_id in self._keys, f"a keypad names a key that it does not have: {key_id.hex()}"
        for hello in reversed(self._hellos):
            keys = reference.Keys(self._keys[key_id], hello, without_proof)
            if keys.device_proof == proof:
                self._sessions.append(keys)
                return
        raise AssertionError(f"a proof that belongs to no HELLO: {hello_r.hex()}")


def _records(tape: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(tape):
        what, size = _HEAD.unpack_from(tape, at)
        at += _HEAD.size + size
        yield what, tape[at - size : at]


if __name__ == "__main__":
    del sys.argv[0]
    sys.argv.insert(0, "doorpad")
    start()
    runpy.run_module("doorpad", run_name="__main__", alter_sys=True)
