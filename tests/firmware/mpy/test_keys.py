"""The identity's two copies: each restores the other, and without both the keypad says so."""

import binascii
import os

from doorpad_fw import keys
from doorpad_link import cbor, identity
from esp32 import NVS

from cases import cases, equal, raises

PACKED = identity.pack(
    identity.Identity(b"devicedv", bytes(range(32)), bytes(32), [(b"hosthost", bytes(range(1, 33)))])
)
OTHER = identity.pack(identity.Identity(b"otherdev", bytes(range(1, 33)), bytes(32), []))


def _write_nvs(data):
    nvs = NVS("doorpad")
    nvs.set_blob("identity", data)
    nvs.commit()


def _write_file(data):
    with open("identity.bin", "wb") as file:
        file.write(data)


def _copies():
    buffer = bytearray(512)
    try:
        size = NVS("doorpad").get_blob("identity", buffer)
    except OSError:
        size = 0
    try:
        with open("identity.bin", "rb") as file:
            copy = file.read()
    except OSError:
        copy = b""
    return bytes(buffer[:size]), copy


def _lose(path):
    try:
        os.remove(path)
    except OSError:
        pass  # it was not there


def _flipped(data, place=20):
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def _check_loaded():
    loaded = keys.load()
    equal((loaded.device_id, loaded.device_key), (b"devicedv", bytes(range(32))))
    equal(loaded.hosts, [(b"hosthost", bytes(range(1, 33)))])
    equal(_copies(), (PACKED, PACKED), "both copies after the start")


def test_stored_identity_stands_in_both_places():
    keys.store(PACKED)
    equal(_copies(), (PACKED, PACKED))
    _check_loaded()


@cases("missing", "flipped", "cut", "empty")
def test_file_restores_nvs(damage):
    keys.store(PACKED)
    _lose("nvs-doorpad/identity")
    if damage != "missing":
        _write_nvs({"flipped": _flipped(PACKED), "cut": PACKED[:-1], "empty": b""}[damage])
    _check_loaded()


@cases("missing", "flipped", "cut", "empty", "other")
def test_nvs_restores_the_file(damage):
    keys.store(PACKED)
    _lose("identity.bin")
    if damage != "missing":
        _write_file({"flipped": _flipped(PACKED), "cut": PACKED[:-1], "empty": b"", "other": OTHER}[damage])
    _check_loaded()


@cases("missing", "flipped")
def test_without_an_intact_copy_the_keypad_is_not_commissioned(damage):
    keys.store(PACKED)
    _lose("identity.bin")
    _lose("nvs-doorpad/identity")
    if damage == "flipped":
        _write_nvs(_flipped(PACKED, 30))
        _write_file(_flipped(PACKED, 40))
    before = _copies()
    raises(keys.NotCommissioned, keys.load)
    equal(_copies(), before, "nothing may be written")


def test_four_hosts_and_a_key_to_come_fit_both_copies_and_a_fifth_host_is_none():
    hosts = [(b"host---" + bytes([n]), bytes([n]) * 32) for n in range(4)]
    full = identity.Identity(b"devicedv", bytes(range(32)), bytes(32), hosts)
    full.following = (4, b"nexthost", bytes(range(2, 34)))
    keys.store(identity.pack(full))
    loaded = keys.load()
    equal((loaded.hosts, loaded.following), (hosts, full.following))
    equal(_copies(), (identity.pack(full),) * 2)
    full.hosts.append((b"host---5", bytes(32)))
    equal(identity.unpack(identity.pack(full)), None)


def test_every_flipped_bit_of_an_identity_is_noticed():
    for bit in range(8 * len(PACKED)):
        data = bytearray(PACKED)
        data[bit // 8] ^= 1 << bit % 8
        equal(identity.unpack(bytes(data)), None, "bit %d" % bit)


@cases((True, 1), (2, 1), (b"", 1), (1, True), (1, 0), (1, 2), (1, None))
def test_identity_of_another_version_or_for_a_host_that_is_not_there_is_none(numbers):
    version, maker = numbers
    body = cbor.encode(
        [
            version,
            b"devicedv",
            bytes(32),
            bytes(32),
            [[b"hosthost", bytes(32)]],
            [maker, b"nexthost", bytes(32)],
        ]
    )
    equal(identity.unpack(body + binascii.crc32(body).to_bytes(4, "big")), None)


@cases(5, None, True, b"key", "key", [b"hosthost"], [1, 2], [b"hosthost", None], [8, b"k"])
def test_host_of_another_shape_under_a_right_crc_is_no_identity(host):
    body = cbor.encode([1, b"devicedv", bytes(32), bytes(32), [host]])
    equal(identity.unpack(body + binascii.crc32(body).to_bytes(4, "big")), None)


@cases(["hosthost", "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"], [b"hosthost", "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"])
def test_host_of_text_instead_of_bytes_is_no_identity(host):
    test_host_of_another_shape_under_a_right_crc_is_no_identity.function(host)
