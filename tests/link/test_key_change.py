"""A keypad's key is changed over the link, with the firmware at the other end and the power cut in between."""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cbor2
import pytest
import taped
from doorpad import keyring
from doorpad.emulator.bench import BenchClient
from doorpad.keyring import LinkKey
from doorpad.link import operations, rotation
from doorpad.link.connection import Connection
from doorpad.link.errors import LinkDown, NoSession
from doorpad_link import messages, x25519
from doorpad_link.handshake import next_key
from grammar import Ear

BAUD = 115_200


@dataclass(frozen=True)
class Keypad:
    serial: str
    link: str
    control: Path
    keys: Path

    async def works_with(self, key: LinkKey) -> bool:
        try:
            connection, _ = await Connection.open(self.link, BAUD, key, self.serial)
        except NoSession:
            return False
        connection.close()
        return True

    async def cut_power(self) -> None:
        bench = BenchClient(self.control)
        await bench.request(power="off")
        await bench.request(power="on")


@pytest.fixture
def keypad(tmp_path: Path, ear: Ear) -> Iterator[Keypad]:
    data = tmp_path / "data"
    command = [sys.executable, *taped.ARGUMENTS, "emulate", "--data", str(data), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        about: dict[str, Any] = json.loads(process.stdout.readline())["keypads"][0]
        yield Keypad(about["serial"], about["link"], Path(about["control"]), data / "keys")
        process.terminate()
    taped.check(data, ear.nonsense)


async def test_changed_key_holds_and_the_old_one_is_let_go(keypad: Keypad) -> None:
    old = keyring.load(keypad.keys, keypad.serial)
    await rotation.change_key(keypad.link, BAUD, keypad.keys, keypad.serial)
    new = keyring.load(keypad.keys, keypad.serial)
    assert (new.psk != old.psk, new.host_id != old.host_id) == (True, True)
    await keypad.cut_power()
    assert not await keypad.works_with(old)  # first: the new one, tried first, would end it anew
    assert await keypad.works_with(new)
    assert sorted(path.name for path in keypad.keys.iterdir()) == [f"{keypad.serial}.key"]


async def test_line_that_was_recorded_holds_the_public_keys_and_nothing_that_gives_the_new_one(
    keypad: Keypad, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read with the old key, as whoever stole it can."""
    old = keyring.load(keypad.keys, keypad.serial)
    privates: list[bytes] = []
    exchange = x25519.exchange

    def kept(private: bytes, public: bytes) -> bytes:
        privates.append(private)
        return exchange(private, public)

    monkeypatch.setattr(x25519, "exchange", kept)
    await rotation.change_key(keypad.link, BAUD, keypad.keys, keypad.serial)
    new = keyring.load(keypad.keys, keypad.serial)
    heard = taped.check(keypad.keys.parent)
    [hub_public] = [body[1][1] for rule, body in heard if rule == "next-key-request"]
    [keypad_public] = [body[2] for rule, body in heard if rule == "next-key-reply"]
    said = b"".join(cbor2.dumps(body) for _, body in heard)
    secret = exchange(privates[0], keypad_public)
    for unsaid in (privates[0], secret, new.psk, old.psk):
        assert unsaid not in said
    assert next_key(old.psk, secret, new.host_id, hub_public, keypad_public) == new.psk
    for guess in (hub_public, keypad_public, bytes(32), exchange(old.psk, keypad_public)):
        assert next_key(old.psk, guess, new.host_id, hub_public, keypad_public) != new.psk
    assert next_key(bytes(32), secret, new.host_id, hub_public, keypad_public) != new.psk, (
        "the old one counts"
    )


async def test_cut_after_the_keypad_kept_the_new_key_leaves_the_old_one_working(keypad: Keypad) -> None:
    old = keyring.load(keypad.keys, keypad.serial)
    connection, _ = await rotation.open_session(keypad.link, BAUD, keypad.keys, keypad.serial)
    public = x25519.public(bytes(range(32)))
    status, _ = await connection.request(messages.OP_NEXT_KEY, [b"nexthost", public])
    assert status == messages.OK
    await keypad.cut_power()  # and the answer never reached the hub's disk
    connection.close()
    assert await keypad.works_with(old)
    await rotation.change_key(keypad.link, BAUD, keypad.keys, keypad.serial)
    assert not await keypad.works_with(old)
    assert await keypad.works_with(keyring.load(keypad.keys, keypad.serial))


@pytest.mark.parametrize("proven", [False, True])
async def test_cut_after_the_hub_kept_the_new_key_finds_the_one_that_works(
    keypad: Keypad, proven: bool
) -> None:
    old = keyring.load(keypad.keys, keypad.serial)
    connection, _ = await rotation.open_session(keypad.link, BAUD, keypad.keys, keypad.serial)
    private, host_id = bytes(range(32)), b"nexthost"
    public = x25519.public(private)
    _, device_public = await connection.request(messages.OP_NEXT_KEY, [host_id, public])
    assert isinstance(device_public, bytes)
    shared = x25519.exchange(private, device_public)
    new = LinkKey(host_id, next_key(old.psk, shared, host_id, public, device_public))
    keyring.save_next(keypad.keys, keypad.serial, new)
    if proven:
        connection.close()
        assert await keypad.works_with(new)
    await keypad.cut_power()
    connection.close()
    connection, _ = await rotation.open_session(keypad.link, BAUD, keypad.keys, keypad.serial)
    assert (await operations.state(connection)).used == 0
    connection.close()
    assert keyring.load(keypad.keys, keypad.serial) == new
    assert keyring.load_next(keypad.keys, keypad.serial) is None
    assert not await keypad.works_with(old)


async def test_next_key_that_the_keypad_never_had_is_dropped(keypad: Keypad) -> None:
    old = keyring.load(keypad.keys, keypad.serial)
    keyring.save_next(keypad.keys, keypad.serial, LinkKey(b"nowhere!", secrets.token_bytes(32)))
    connection, _ = await rotation.open_session(keypad.link, BAUD, keypad.keys, keypad.serial)
    connection.close()
    assert keyring.load_next(keypad.keys, keypad.serial) is None
    assert keyring.load(keypad.keys, keypad.serial) == old


@pytest.mark.parametrize(
    "body",
    [
        pytest.param([b"nexthost", bytes(32)], id="public key of small order"),
        pytest.param([b"short", bytes(range(32))], id="host id too short"),
        pytest.param([b"nexthost", bytes(31)], id="public key too short"),
        pytest.param([b"nexthost"], id="no public key"),
        pytest.param(None, id="nothing"),
    ],
)
async def test_bad_request_for_a_key_is_refused_and_the_session_lives(
    keypad: Keypad, body: object, ear: Ear
) -> None:
    ear.nonsense.add("next-key-request")
    connection, _ = await rotation.open_session(keypad.link, BAUD, keypad.keys, keypad.serial)
    assert await connection.request(messages.OP_NEXT_KEY, body) == (messages.INVALID, None)
    await operations.state(connection)
    connection.close()


async def test_session_is_lost_with_a_clear_error_when_the_cable_is_pulled(keypad: Keypad) -> None:
    await BenchClient(keypad.control).request(cable="out")
    with pytest.raises(LinkDown, match=r"link does not exist"):
        await rotation.change_key(keypad.link, BAUD, keypad.keys, keypad.serial)
