"""The keys shared with keypads: kept for their owner alone, refused with a reason, and told in no message."""

import stat
from pathlib import Path

import pytest
from doorpad import keyring
from doorpad.errors import NextStep
from doorpad.keyring import KeyUnusable, LinkKey

SERIAL = "0123456789abcdef"
HOST_ID = bytes.fromhex("a1b2c3d4e5f60718")
PSK = bytes.fromhex("8f1e6a0b73d95c2248b7e0914d6fa3c5517f09e2ab3846dc12c07b95fe64d830")


def _file(folder: Path) -> Path:
    return folder / f"{SERIAL}.key"


def _write(folder: Path, text: str | bytes, mode: int = 0o600) -> None:
    _file(folder).write_bytes(text if isinstance(text, bytes) else text.encode())
    _file(folder).chmod(mode)


def test_saved_key_comes_back(tmp_path):
    keyring.save(tmp_path / "keys", SERIAL, LinkKey(HOST_ID, PSK))
    assert keyring.load(tmp_path / "keys", SERIAL) == LinkKey(HOST_ID, PSK)


def test_saved_key_is_readable_by_its_owner_alone(tmp_path):
    keyring.save(tmp_path / "new" / "keys", SERIAL, LinkKey(HOST_ID, PSK))
    assert stat.S_IMODE((tmp_path / "new" / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE(_file(tmp_path / "new" / "keys").stat().st_mode) == 0o600


def test_saving_again_replaces_the_key_and_leaves_nothing_else(tmp_path):
    keyring.save(tmp_path, SERIAL, LinkKey(HOST_ID, PSK))
    keyring.save(tmp_path, SERIAL, LinkKey(HOST_ID, PSK[::-1]))
    assert keyring.load(tmp_path, SERIAL).psk == PSK[::-1]
    assert list(tmp_path.iterdir()) == [_file(tmp_path)]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o601, 0o644, 0o666, 0o777])
def test_key_that_others_may_read_or_write_is_refused(tmp_path, mode):
    _write(tmp_path, f"{HOST_ID.hex()} {PSK.hex()}\n", mode)
    with pytest.raises(KeyUnusable, match="chmod 600") as caught:
        keyring.load(tmp_path, SERIAL)
    assert PSK.hex()[:8] not in str(caught.value)


UNUSABLE = {
    "empty": "",
    "one number": PSK.hex(),
    "three numbers": f"{HOST_ID.hex()} {PSK.hex()} 00",
    "not hexadecimal": f"{HOST_ID.hex()} {PSK.hex()[:-1]}g",
    "odd digits": f"{HOST_ID.hex()} {PSK.hex()[:-1]}",
    "short key": f"{HOST_ID.hex()} {PSK.hex()[:-2]}",
    "long key": f"{HOST_ID.hex()} {PSK.hex()}00",
    "short host id": f"{HOST_ID.hex()[:-2]} {PSK.hex()}",
    "other order": f"{PSK.hex()} {HOST_ID.hex()}",
    "all zero": f"{HOST_ID.hex()} {'00' * 32}",
    "a repeated word": f"{HOST_ID.hex()} {'deadbeef' * 8}",
    "eight digits repeated": f"{HOST_ID.hex()} {'0123456789abcdef' * 4}",
    "bytes that count up": f"{HOST_ID.hex()} {bytes(range(100, 132)).hex()}",
    "bytes that count down by three": f"{HOST_ID.hex()} {bytes(range(250, 154, -3)).hex()}",
    "a half twice": f"{HOST_ID.hex()} {PSK.hex()[:32] * 2}",
    "not ASCII": b"\xff\xfe" + PSK.hex().encode(),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_unusable_key_names_its_file_and_never_itself(tmp_path, what):
    _write(tmp_path, UNUSABLE[what])
    with pytest.raises(KeyUnusable) as caught:
        keyring.load(tmp_path, SERIAL)
    message = str(caught.value)
    assert str(_file(tmp_path)) in message
    assert caught.value.next_step is NextStep.PERSON
    text = UNUSABLE[what]
    for word in (text if isinstance(text, str) else text.decode("latin-1")).split():
        for start in range(len(word) - 7):
            if word[start : start + 8] != SERIAL[start : start + 8]:
                assert word[start : start + 8] not in message.replace(SERIAL, ""), "part of the key is told"


def test_missing_key_is_named(tmp_path):
    with pytest.raises(KeyUnusable, match=SERIAL):
        keyring.load(tmp_path, SERIAL)


def test_key_is_in_no_representation():
    assert PSK.hex() not in repr(LinkKey(HOST_ID, PSK))
    assert repr(PSK) not in repr(LinkKey(HOST_ID, PSK))
