"""A client written from the specification alone does its work with the real firmware, and passes the vectors."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import independent_client
import pytest
import taped
from doorpad.emulator.bench import BenchClient
from doorpad_link import messages
from independent_client import EVENTS, PUT, SINCE, STATE, Client, Silent

VECTORS = Path(__file__).parents[2] / "protocol" / "vectors"
WAIT_S = 60.0
FLAGS = messages.MANAGED | messages.ENABLED
ONE, TWO = b"operatn1", b"operatn2"
CODE_ID = bytes(range(16))


@dataclass(frozen=True)
class Keypad:
    link: str
    bench: BenchClient
    serial: str
    host_id: bytes
    key: bytes

    def client(self) -> Client:
        return Client(self.link, self.host_id, self.key)


@pytest.fixture(scope="module")
def keypad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keypad]:
    data = tmp_path_factory.mktemp("independent") / "data"
    command = [
        sys.executable,
        *taped.ARGUMENTS,
        "emulate",
        "--data",
        str(data),
        "--strike-ms",
        "100",
        "--json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        about: dict[str, Any] = json.loads(process.stdout.readline())["keypads"][0]
        host_id, key = (data / "keys" / f"{about['serial']}.key").read_text().split()
        bench = BenchClient(Path(about["control"]))
        yield Keypad(about["link"], bench, about["serial"], bytes.fromhex(host_id), bytes.fromhex(key))
        process.terminate()
    assert taped.check(data)


def test_client_takes_nothing_of_ours():
    source = Path(independent_client.__file__).read_text()
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [it.name for it in node.names]
        )
    }
    assert imported - set(sys.stdlib_module_names) == {"cbor2", "cryptography"}


@pytest.mark.parametrize("path", sorted(VECTORS.glob("session-*.json")), ids=lambda path: path.stem)
def test_client_makes_the_stored_frames(path: Path):
    vector = json.loads(path.read_text())
    assert independent_client.vector_frames(vector) == vector["frames"]


def test_client_derives_the_stored_next_key():
    vectors = [json.loads((VECTORS / f"session-{n}.json").read_text()) for n in (3, 4)]
    assert independent_client.next_key(vectors[0]) == vectors[0]["next_key"] == vectors[1]["key"]
    assert vectors[0]["next_host_id"] == vectors[1]["host_id"]


def test_session_opens_and_tells_who_is_there(keypad: Keypad):
    with keypad.client() as client:
        assert client.device_id.hex() == keypad.serial
        mtu, window, credit, capacity, *_ = client.capabilities
        assert (mtu, window >= 1, credit >= mtu, capacity) == (1024, True, True, 4096)
        status, state = client.request(STATE, None)
        assert (status, state[0]) == (messages.OK, client.boot_id)


def test_code_is_put_once_and_never_over_a_version_that_was_not_seen(keypad: Keypad):
    with keypad.client() as client:
        before = client.request(STATE, None)[1][2]
        put = [ONE, CODE_ID, [[0, 10, b"482913", None, None, FLAGS]]]
        assert client.request(PUT, put) == (messages.OK, [[10, messages.OK, before + 1]])
        assert client.repeat() == client.last[1], "a repeated request has the same answer, bit for bit"
        assert client.request(PUT, put) == (messages.OK, [[10, messages.ALREADY, before + 1]])
        other = [TWO, CODE_ID, [[0, 10, b"736450", None, None, FLAGS]]]
        assert client.request(PUT, other) == (messages.OK, [[10, messages.CONFLICT, before + 1]])
        elsewhere = [TWO, CODE_ID, [[0, 11, b"482913", None, None, FLAGS]]]
        assert client.request(PUT, elsewhere) == (messages.OK, [[11, messages.DUPLICATE, 10]])
        status, [_, generation, following, slots] = client.request(SINCE, [before, 1, True])
        assert (status, generation, following) == (messages.OK, before + 1, None)
        assert slots == [
            [10, before + 1, FLAGS, b"482913", None, None, ONE, CODE_ID, client.capabilities[-1]]
        ]


async def test_counted_code_opens_as_often_as_the_client_said(keypad: Keypad):
    with keypad.client() as client:
        version = client.request(STATE, None)[1][2] + 1
        put = [b"operatn4", CODE_ID, [[0, 30, b"736450", None, None, FLAGS | 8 | 2 * 256]]]
        assert client.request(PUT, put) == (messages.OK, [[30, messages.OK, version]])
        head = client.request(STATE, None)[1][7]
        told = []
        for tries in range(1, 5):
            await keypad.bench.request(press="736450#")
            entries: list[Any] = []
            while len(entries) < tries:  # the pulse's ends stand among them
                entries = [it for it in client.request(EVENTS, [head, 50])[1][3] if it[5] == 30]
            [[_, at_version, flags, *_, op_id, _, maker]] = client.request(SINCE, [version - 1, 30, True])[1][
                3
            ]
            assert (op_id, maker) == (b"operatn4", client.capabilities[-1]), "whose code it is stays told"
            told.append((entries[-1][3:5], flags & ~FLAGS, at_version - version))
        opened, denied = [messages.EV_GRANTED, messages.GRANTED], [messages.EV_DENIED, messages.USED_UP]
        assert told == [(opened, 8 + 256, 1), (opened, 8, 2), (opened, 8 + 64, 3), (denied, 8 + 64, 3)]


async def test_opened_door_is_hinted_at_and_stands_in_the_journal_once(keypad: Keypad):
    with keypad.client() as client:
        version = client.request(STATE, None)[1][2] + 1
        put = [b"operatn3", CODE_ID, [[0, 20, b"591024", None, None, FLAGS]]]
        assert client.request(PUT, put) == (messages.OK, [[20, messages.OK, version]])
        head = client.request(STATE, None)[1][7]
        client.hints.clear()
        await keypad.bench.request(press="591024#")
        client.wait_for_hint([version, head + 1], WAIT_S)
        status, [_, first, newest, entries] = client.request(EVENTS, [head, 50])
        assert (status, first, newest) == (messages.OK, 1, head + 1)
        [[sequence, _, _, kind, reason, slot, at_version, code_id, *_]] = entries
        assert (sequence, kind, reason) == (head + 1, messages.EV_GRANTED, messages.GRANTED)
        assert (slot, at_version, code_id) == (20, version, CODE_ID)


def test_client_with_another_key_is_refused_by_itself_and_by_the_keypad(keypad: Keypad, monkeypatch):
    with pytest.raises(AssertionError, match="another key"):
        Client(keypad.link, keypad.host_id, bytes(range(32)))
    monkeypatch.setattr(independent_client, "WAIT_S", (0.4, 0.4))
    with pytest.raises(Silent):  # an unknown hub gets an ALERT, and no handshake
        Client(keypad.link, b"stranger", keypad.key)
    with keypad.client() as client:
        assert client.request(STATE, None)[0] == messages.OK
