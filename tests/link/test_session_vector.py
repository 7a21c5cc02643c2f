"""The golden sessions in protocol/vectors: made from the specification by other people's code, kept by both ends.

A changed byte on the wire shows here, and is a break for every keypad in the field. If it is meant:
`python tests/link/test_session_vector.py` writes the files anew.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cbor2
import pytest
import reference
from doorpad_link.host import Hinted, HostSession, Opened, Replied

FOLDER = Path(__file__).parents[2] / "protocol" / "vectors"

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
COUNTED_ID = bytes.fromhex("2122232425262728")
USED = [8, 303, 267, b"591024", None, None, COUNTED_ID, CODE_ID, MAKER]  # 3 + 8, and one more use
CLEARED = [7, 302, 0, None, None, None, None, None, MAKER]
ROOT = bytes.fromhex("f0e1d2c3b4a59687")

# RFC 7748, section 6.1: Alice is the hub, Bob the keypad.
HUB_PRIVATE = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
HUB_PUBLIC = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
KEYPAD_PRIVATE = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
KEYPAD_PUBLIC = bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
SHARED = bytes.fromhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
NEXT_HOST_ID = bytes.fromhex("a8a9aaabacadaeaf")
NEXT_KEY = reference.next_key(PSK, SHARED, NEXT_HOST_ID, HUB_PUBLIC, KEYPAD_PUBLIC)

Asked = tuple[str, int, Any, int, Any]  # name, operation, arguments, status, result


@dataclass(frozen=True)
class Work:
    """A session in which a hub asks. `again`: the request whose reply is lost, so that both come twice."""

    about: str
    asked: list[Asked]
    again: str = ""
    psk: bytes = PSK
    host_id: bytes = HOST_ID
    more: dict[str, str] = field(default_factory=dict)  # further values that the session is about


WORK = {
    "session-2": Work(
        "A session of the doorpad link, version 1, in which a hub works: a PUT whose reply is lost, so that it is "
        "sent and answered twice, bit for bit; a conflict; the change feed; the journal; a code that opens three "
        "times, and what the change feed says of it after its first use. In the order of the line.",
        [
            ("PUT", 21, [ID, CODE_ID, [[0, 7, b"482913", *WINDOW, 3]]], 0, [[7, 0, 301]]),
            ("PUT conflict", 21, [OTHER_ID, CODE_ID, [[0, 7, b"736450", None, None, 3]]], 0, [[7, 3, 301]]),
            ("SINCE", 24, [300, 1, True], 0, [EPOCH, 301, None, [RECORD]]),
            (
                "EVENTS",
                30,
                [70_000, 15],
                0,
                [
                    JOURNAL_EPOCH,
                    1,
                    70_001,
                    [[70_001, 1_760_000_042, 500, 2, 0, 7, 301, CODE_ID, 3, 60_000, 0]],
                ],
            ),
            ("unknown operation", 99, None, 7, None),
            (
                "PUT counted",
                21,
                [COUNTED_ID, CODE_ID, [[0, 8, b"591024", None, None, 523]]],
                0,
                [[8, 0, 302]],
            ),
            ("SINCE a use", 24, [302, 1, True], 0, [EPOCH, 303, None, [USED]]),
        ],
        "PUT",
    ),
    "session-3": Work(
        "A session of the doorpad link, version 1: a DEL whose reply is lost; the same change asked anew, as after "
        "a restart of the hub; a delete that comes too late, one of an empty slot; the cleared slot in the change "
        "feed; the journal after it ran over, entry 12 being the last that the hub had; STATE; a new key.",
        [
            ("DEL", 22, [[301, 7, OTHER_ID]], 0, [[7, 0, 302]]),
            ("DEL by the same operation id", 22, [[301, 7, OTHER_ID]], 0, [[7, 1, 302]]),
            ("DEL conflict and empty", 22, [[44, 8, ID], [0, 9, ID]], 0, [[8, 3, 45], [9, 6, 0]]),
            ("SINCE", 24, [301, 1, True], 0, [EPOCH, 302, None, [CLEARED]]),
            (
                "EVENTS after an overflow",
                30,
                [12, 2],
                0,
                [
                    JOURNAL_EPOCH,
                    900,
                    4995,
                    [
                        [900, None, 0, 1, 1, 0, 0, bytes(16), 7, 12, 0],
                        [901, 1_760_000_100, 999, 3, 1, 0, 0, bytes(16), 7, 30_000, 0],
                    ],
                ],
            ),
            (
                "STATE",
                16,
                None,
                0,
                [BOOT_ID, EPOCH, 302, 44, 4096, JOURNAL_EPOCH, 900, 4995, 1_760_000_200, 7, 130_000, 0, ROOT],
            ),
            ("NEXT_KEY", 40, [NEXT_HOST_ID, HUB_PUBLIC], 0, KEYPAD_PUBLIC),
        ],
        "DEL",
        more={
            "hub_private": HUB_PRIVATE.hex(),
            "hub_public": HUB_PUBLIC.hex(),
            "keypad_private": KEYPAD_PRIVATE.hex(),
            "keypad_public": KEYPAD_PUBLIC.hex(),
            "next_host_id": NEXT_HOST_ID.hex(),
            "next_key": NEXT_KEY.hex(),
        },
    ),
    "session-4": Work(
        "A session of the doorpad link, version 1, under the key and the host id that session-3 agreed on.",
        [("HOSTS", 27, None, 0, [[MAKER, NEXT_HOST_ID, reference.key_id(NEXT_KEY)]])],
        psk=NEXT_KEY,
        host_id=NEXT_HOST_ID,
    ),
}


def build() -> dict[str, dict[str, Any]]:
    """Every file as the specification has it: no line of `doorpad_link` takes part."""
    about = "One whole session of the doorpad link, version 1. All bytes hexadecimal; frames with delimiters."
    return {"session-1": {"about": about, **_session(PSK, HOST_ID)}} | {
        name: _work(work) for name, work in WORK.items()
    }


def _work(work: Work) -> dict[str, Any]:
    session = _session(work.psk, work.host_id)
    frames = {name: session["frames"][name] for name in ("HELLO", "HELLO_R", "AUTH", "AUTH_R")}
    keys = _keys(work.psk, work.host_id)
    for counter, (name, operation, arguments, status, result) in enumerate(work.asked, 1):
        asked = keys.sealed(reference.REQ, counter, [operation, arguments], from_device=False).hex()
        told = keys.sealed(reference.REP, counter, [operation, status, result], from_device=True).hex()
        frames |= {f"REQ {name}": asked, f"REP {name}": told}
        if name == work.again:
            frames |= {f"REQ {name} again": asked, f"REP {name} again": told}
    return {"about": work.about, **session, **work.more, "frames": frames}


def _hello(host_id: bytes) -> bytes:
    return cbor2.dumps([1, 1, HOST_NONCE, host_id])


def _hello_r(psk: bytes, proof: bytes) -> bytes:
    return cbor2.dumps([1, DEVICE_NONCE, DEVICE_ID, BOOT_ID, reference.key_id(psk), proof])


def _keys(psk: bytes, host_id: bytes) -> reference.Keys:
    return reference.Keys(psk, _hello(host_id), _hello_r(psk, b""))


def _session(psk: bytes, host_id: bytes) -> dict[str, Any]:
    keys = _keys(psk, host_id)
    hello, hello_r = _hello(host_id), _hello_r(psk, keys.device_proof)

    def plain(kind: int, body: bytes, *, from_device: bool) -> str:
        return reference.frame(reference.header(kind, 0, 0, from_device=from_device), body).hex()

    def sealed(kind: int, counter: int, value: Any, *, from_device: bool) -> str:
        return keys.sealed(kind, counter, value, from_device=from_device).hex()

    return {
        "key": psk.hex(),
        "host_id": host_id.hex(),
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


def _stored(name: str) -> dict[str, Any]:
    vector: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return vector


def test_stored_vectors_follow_from_the_specification():
    assert {path.stem: _stored(path.stem) for path in FOLDER.glob("*.json")} == build()


def test_hub_sends_and_reads_the_stored_frames():
    stored = _stored("session-1")
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


@pytest.mark.parametrize("name", WORK)
def test_hub_at_work_sends_and_reads_the_stored_frames(name):
    stored = _stored(name)
    frames = {what: bytes.fromhex(wire) for what, wire in stored["frames"].items()}
    key, host_id = bytes.fromhex(stored["key"]), bytes.fromhex(stored["host_id"])
    hub = HostSession(host_id, lambda device_id: key, lambda size: HOST_NONCE[:size])
    hub.start(0)
    hub.receive(frames["HELLO_R"], 0)
    hub.receive(frames["AUTH_R"], 0)
    hub.take_output()
    for number, (what, operation, arguments, status, result) in enumerate(WORK[name].asked, 1):
        hub.request(operation, arguments, 0)
        assert hub.take_output() == frames[f"REQ {what}"]
        if again := frames.get(f"REQ {what} again"):
            wake_ms = hub.wake_at_ms()
            assert wake_ms is not None
            assert hub.on_time(wake_ms) == []
            assert hub.take_output() == again
        [replied] = hub.receive(frames[f"REP {what}"], 0)
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


def _keypad(stored: dict[str, Any]) -> dict[str, Any]:
    return {
        "do": "device_answers",
        **{name: stored[name] for name in ("device_id", "boot_id", "host_id")},
        "psk": stored["key"],
        "random": stored["device_nonce"],
        "capabilities": [*CAPABILITIES[:-1], {"text": CAPABILITIES[-1].encode().hex()}],
        "hint": HINT,
    }


@pytest.mark.parametrize("name", WORK)
def test_keypad_at_work_answers_with_the_stored_frames(check, name):
    stored, work = _stored(name), WORK[name]
    frames = list(stored["frames"].values())
    question = {
        **_keypad(stored),
        "results": [[status, _described(result)] for _, _, _, status, result in work.asked],
        "frames": frames[::2],
    }
    hint = _keys(work.psk, work.host_id).sealed(reference.HINT, 1, HINT, from_device=True).hex()
    check([(question, [*frames[1::2], hint, True, 0])])


def test_keypad_answers_the_stored_frames_with_the_stored_frames(check):
    stored = _stored("session-1")
    frames = stored["frames"]
    question = {
        **_keypad(stored),
        "status": STATUS,
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


@pytest.mark.parametrize("name", ["session-1", *WORK])
def test_both_interpreters_derive_the_stored_proofs_and_session(check, name):
    stored = _stored(name)
    key, host_id = bytes.fromhex(stored["key"]), bytes.fromhex(stored["host_id"])
    question = {
        "do": "session_keys",
        "psk": stored["key"],
        "hello": _hello(host_id).hex(),
        "hello_r": _hello_r(key, b"").hex(),
    }
    check([(question, [stored["device_proof"], stored["host_proof"], stored["session"]])])


def test_both_interpreters_and_both_ends_derive_the_stored_next_key(check):
    stored = _stored("session-3")
    question = {
        "do": "next_key",
        "psk": stored["key"],
        **{name: stored[name] for name in ("next_host_id", "hub_public", "keypad_public")},
    }
    for end, other in (("hub", "keypad"), ("keypad", "hub")):
        asked = {**question, "private": stored[f"{end}_private"], "other": stored[f"{other}_public"]}
        check([(asked, [stored[f"{end}_public"], stored["next_key"]])])


if __name__ == "__main__":
    for stem, vector in build().items():
        (FOLDER / f"{stem}.json").write_text(json.dumps(vector, indent=2) + "\n")
