"""The golden sessions in protocol/vectors: made from the specification by other people's code, kept by both ends.

A changed byte on the wire shows here, and is a break for every keypad in the field. If it is meant:
`python tests/link/test_session_vector.py` writes the files anew.
"""

import json
from pathlib import Path
from typing import Any

import cbor2
import reference
from doorpad_link.host import Hinted, HostSession, Opened, Replied

FOLDER = Path(__file__).parents[2] / "protocol" / "vectors"
VECTOR = FOLDER / "session-1.json"
WORK = FOLDER / "session-2.json"

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

ID, CODE_ID = bytes.fromhex("0102030405060708"), bytes.fromhex("00112233445566778899aabbccddeeff")
OTHER_ID = bytes.fromhex("1112131415161718")
EPOCH, JOURNAL_EPOCH = bytes.fromhex("e0e1e2e3"), bytes.fromhex("e4e5e6e7")
WINDOW = [1_760_000_000, 1_760_003_600]
RECORD = [7, 301, 35, b"482913", *WINDOW, ID, CODE_ID, MAKER]
# What a hub asks in the second session, and what the keypad answers: (name, operation, arguments, status, result).
ASKED: list[tuple[str, int, Any, int, Any]] = [
    ("PUT", 21, [ID, CODE_ID, [[0, 7, b"482913", *WINDOW, 3]]], 0, [[7, 0, 301]]),
    ("PUT conflict", 21, [OTHER_ID, CODE_ID, [[0, 7, b"736450", None, None, 3]]], 0, [[7, 3, 301]]),
    ("SINCE", 24, [300, 1, True], 0, [EPOCH, 301, None, [RECORD]]),
    (
        "EVENTS",
        30,
        [70_000, 15],
        0,
        [JOURNAL_EPOCH, 1, 70_001, [[70_001, 1_760_000_042, 500, 2, 0, 7, 301, CODE_ID, 3, 60_000, 0]]],
    ),
    ("unknown operation", 99, None, 7, None),
]


def build() -> dict[str, Any]:
    """The whole session as the specification has it: no line of `doorpad_link` takes part."""
    return {
        "about": "One whole session of the doorpad link, version 1. All bytes hexadecimal; frames with delimiters.",
        **_session(),
    }


def build_work() -> dict[str, Any]:
    """A session in which a hub works: it writes, meets a conflict, and reads table and journal."""
    about = (
        "A session of the doorpad link, version 1, in which a hub works: a PUT whose reply is lost, so that it is "
        "sent and answered twice, bit for bit; a conflict; the change feed; the journal. In the order of the line."
    )
    session = _session()
    frames = {name: session["frames"][name] for name in ("HELLO", "HELLO_R", "AUTH", "AUTH_R")}
    keys = _keys()
    for counter, (name, operation, arguments, status, result) in enumerate(ASKED, 1):
        asked = keys.sealed(reference.REQ, counter, [operation, arguments], from_device=False).hex()
        told = keys.sealed(reference.REP, counter, [operation, status, result], from_device=True).hex()
        frames |= {f"REQ {name}": asked, f"REP {name}": told}
        if counter == 1:
            frames |= {f"REQ {name} again": asked, f"REP {name} again": told}
    return {"about": about, **session, "frames": frames}


def _hello() -> bytes:
    return cbor2.dumps([1, 1, HOST_NONCE, HOST_ID])


def _hello_r(proof: bytes) -> bytes:
    return cbor2.dumps([1, DEVICE_NONCE, DEVICE_ID, BOOT_ID, reference.key_id(PSK), proof])


def _keys() -> reference.Keys:
    return reference.Keys(PSK, _hello(), _hello_r(b""))


def _session() -> dict[str, Any]:
    keys = _keys()
    hello, hello_r = _hello(), _hello_r(keys.device_proof)

    def plain(kind: int, body: bytes, *, from_device: bool) -> str:
        return reference.frame(reference.header(kind, 0, 0, from_device=from_device), body).hex()

    def sealed(kind: int, counter: int, value: Any, *, from_device: bool) -> str:
        return keys.sealed(kind, counter, value, from_device=from_device).hex()

    return {
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


def test_stored_vectors_follow_from_the_specification():
    assert json.loads(VECTOR.read_text()) == build()
    assert json.loads(WORK.read_text()) == build_work()


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


def test_hub_at_work_sends_and_reads_the_stored_frames():
    frames = {name: bytes.fromhex(wire) for name, wire in json.loads(WORK.read_text())["frames"].items()}
    hub = HostSession(HOST_ID, lambda device_id: PSK, lambda size: HOST_NONCE[:size])
    hub.start(0)
    hub.receive(frames["HELLO_R"], 0)
    hub.receive(frames["AUTH_R"], 0)
    hub.take_output()
    for number, (name, operation, arguments, status, result) in enumerate(ASKED, 1):
        hub.request(operation, arguments, 0)
        assert hub.take_output() == frames[f"REQ {name}"]
        if again := frames.get(f"REQ {name} again"):
            wake_ms = hub.wake_at_ms()
            assert wake_ms is not None
            assert hub.on_time(wake_ms) == []
            assert hub.take_output() == again
        [replied] = hub.receive(frames[f"REP {name}"], 0)
        assert isinstance(replied, Replied)
        assert (replied.number, replied.op, replied.status, replied.body) == (
            number,
            operation,
            status,
            result,
        )


def _described(value: Any) -> Any:
    match value:
        case bytes():
            return {"bytes": value.hex()}
        case list():
            return [_described(item) for item in value]
        case _:
            return value


def test_keypad_at_work_answers_with_the_stored_frames(check):
    stored = json.loads(WORK.read_text())
    frames = list(stored["frames"].items())
    question = {
        "do": "device_answers",
        **{name: stored[name] for name in ("device_id", "boot_id", "host_id")},
        "psk": stored["key"],
        "random": stored["device_nonce"],
        "capabilities": [*CAPABILITIES[:-1], {"text": CAPABILITIES[-1].encode().hex()}],
        "results": [[status, _described(result)] for _, _, _, status, result in ASKED],
        "hint": HINT,
        "frames": [wire for _, wire in frames[::2]],
    }
    check(
        [
            (
                question,
                [
                    *(wire for _, wire in frames[1::2]),
                    json.loads(VECTOR.read_text())["frames"]["HINT"],
                    True,
                    0,
                ],
            )
        ]
    )


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
    question = {
        "do": "session_keys",
        "psk": stored["key"],
        "hello": _hello().hex(),
        "hello_r": _hello_r(b"").hex(),
    }
    check([(question, [stored["device_proof"], stored["host_proof"], stored["session"]])])


if __name__ == "__main__":
    for path, vector in ((VECTOR, build()), (WORK, build_work())):
        path.write_text(json.dumps(vector, indent=2) + "\n")
