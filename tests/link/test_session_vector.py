"""The golden session in protocol/vectors: made from the specification by other people's code, kept by both ends.

A changed byte on the wire shows here, and is a break for every keypad in the field. If it is meant:
`python tests/link/test_session_vector.py` writes the file anew.
"""

import json
from pathlib import Path
from typing import Any

import cbor2
import reference
from doorpad_link.host import Hinted, HostSession, Opened, Replied

VECTOR = Path(__file__).parents[2] / "protocol" / "vectors" / "session-1.json"

PSK = bytes(range(0x40, 0x60))
HOST_ID = bytes.fromhex("a0a1a2a3a4a5a6a7")
DEVICE_ID = bytes.fromhex("d0d1d2d3d4d5d6d7")
BOOT_ID = bytes.fromhex("b0b1b2b3b4b5b6b7")
HOST_NONCE = bytes(range(0x00, 0x10))
DEVICE_NONCE = bytes(range(0xF0, 0x100))
CAPABILITIES = [1024, 4, 3584, 4096, 4, 12, "0.1.0"]
MAKER = 1
OP, ARGUMENTS, STATUS = 17, [b"ping", 7, None, True, -1, "grüß"], 0
HINT = [300, 70_000]


def build() -> dict[str, Any]:
    """The whole session as the specification has it: no line of `doorpad_link` takes part."""
    hello = cbor2.dumps([1, 1, HOST_NONCE, HOST_ID])
    answer = [1, DEVICE_NONCE, DEVICE_ID, BOOT_ID, reference.key_id(PSK)]
    keys = reference.Keys(PSK, hello, cbor2.dumps([*answer, b""]))
    hello_r = cbor2.dumps([*answer, keys.device_proof])

    def plain(kind: int, body: bytes, *, from_device: bool) -> str:
        return reference.frame(reference.header(kind, 0, 0, from_device=from_device), body).hex()

    def sealed(kind: int, counter: int, value: Any, *, from_device: bool) -> str:
        return keys.sealed(kind, counter, value, from_device=from_device).hex()

    return {
        "about": "One whole session of the doorpad link, version 1. All bytes hexadecimal; frames with delimiters.",
        "key": PSK.hex(),
        "host_id": HOST_ID.hex(),
        "device_id": DEVICE_ID.hex(),
        "boot_id": BOOT_ID.hex(),
        "host_nonce": HOST_NONCE.hex(),
        "device_nonce": DEVICE_NONCE.hex(),
        "session": keys.session,
        "device_proof": keys.device_proof.hex(),
        "host_proof": keys.host_proof.hex(),
        "frames": {
            "HELLO": plain(reference.HELLO, hello, from_device=False),
            "HELLO_R": plain(reference.HELLO_R, hello_r, from_device=True),
            "AUTH": plain(reference.AUTH, cbor2.dumps([keys.host_proof]), from_device=False),
            "AUTH_R": sealed(reference.AUTH_R, 0, [0, *CAPABILITIES, MAKER], from_device=True),
            "REQ": sealed(reference.REQ, 1, [OP, ARGUMENTS], from_device=False),
            "REP": sealed(reference.REP, 1, [OP, STATUS, ARGUMENTS], from_device=True),
            "HINT": sealed(reference.HINT, 1, HINT, from_device=True),
        },
    }


def test_stored_vector_follows_from_the_specification():
    assert json.loads(VECTOR.read_text()) == build()


def test_hub_sends_and_reads_the_stored_frames():
    stored = json.loads(VECTOR.read_text())
    frames = {name: bytes.fromhex(wire) for name, wire in stored["frames"].items()}
    hub = HostSession(
        bytes.fromhex(stored["host_id"]),
        lambda device_id: bytes.fromhex(stored["key"]) if device_id.hex() == stored["device_id"] else None,
        lambda size: bytes.fromhex(stored["host_nonce"])[:size],
    )
    hub.start(0)
    assert hub.take_output() == frames["HELLO"]
    assert hub.receive(frames["HELLO_R"], 0) == []
    assert hub.take_output() == frames["AUTH"]
    [opened] = hub.receive(frames["AUTH_R"], 0)
    assert isinstance(opened, Opened)
    assert opened.capabilities == [*CAPABILITIES, MAKER]
    hub.request(OP, ARGUMENTS, 0)
    assert hub.take_output() == frames["REQ"]
    replied, hinted = hub.receive(frames["REP"] + frames["HINT"], 0)
    assert isinstance(replied, Replied)
    assert (replied.op, replied.status, replied.body) == (OP, STATUS, ARGUMENTS)
    assert isinstance(hinted, Hinted)
    assert [hinted.generation, hinted.journal_head] == HINT


def test_keypad_answers_the_stored_frames_with_the_stored_frames(check):
    stored = json.loads(VECTOR.read_text())
    frames = stored["frames"]
    question = {
        "do": "device_answers",
        "device_id": stored["device_id"],
        "boot_id": stored["boot_id"],
        "host_id": stored["host_id"],
        "psk": stored["key"],
        "random": stored["device_nonce"],
        "capabilities": [*CAPABILITIES[:-1], {"text": CAPABILITIES[-1].encode().hex()}],
        "status": STATUS,
        "hint": HINT,
        "frames": [frames["HELLO"], frames["AUTH"], frames["REQ"], frames["AUTH"], frames["REQ"]],
    }
    answers = [
        frames["HELLO_R"],
        frames["AUTH_R"],
        frames["REP"],
        frames["AUTH_R"],
        frames["REP"],
        frames["HINT"],
    ]
    check([(question, [*answers, True, 0])])


def test_both_interpreters_derive_the_stored_proofs_and_session(check):
    stored = json.loads(VECTOR.read_text())
    hello = cbor2.dumps([1, 1, HOST_NONCE, HOST_ID])
    answer = cbor2.dumps([1, DEVICE_NONCE, DEVICE_ID, BOOT_ID, reference.key_id(PSK), b""])
    question = {"do": "session_keys", "psk": stored["key"], "hello": hello.hex(), "hello_r": answer.hex()}
    check([(question, [stored["device_proof"], stored["host_proof"], stored["session"]])])


if __name__ == "__main__":
    VECTOR.write_text(json.dumps(build(), indent=2) + "\n")
