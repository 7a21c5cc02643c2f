"""A key change on flash that takes nothing: it is refused, or done and proven once more; no session ends by it."""

import asyncio

import esp32
from doorpad_fw import health, keys, seldom
from doorpad_fw.link import Link
from doorpad_link import identity as identities
from doorpad_link import messages

from cases import equal
from keypad_parts import Keypad

HEAP = "400K"
MAKER = 1
NEXT = [b"nexthost", bytes([9]) + bytes(31)]  # any public key: this one is X25519's base point


class _FullNVS(esp32.NVS):
    def commit(self):
        raise OSError(28, "ESP_ERR_NVS_NOT_ENOUGH_SPACE")


def _keypad_and_link():
    keypad = Keypad()
    keys.store(identities.pack(keypad.identity))
    operations = keypad.operations
    parts = keypad.identity, keypad.slots, keypad.journal, b"bootboot", operations.capabilities
    return keypad, Link(None, *parts, operations.serve, asyncio.Event(), keypad.door.key_changed)


def _on_full_flash(do, *arguments):
    seldom.forget("doorpad_fw.keys")  # it is loaded anew for each write, and takes what stands there then
    real, esp32.NVS = esp32.NVS, _FullNVS
    try:
        return do(*arguments)
    finally:
        esp32.NVS = real


def test_key_that_flash_does_not_take_is_refused_and_what_was_agreed_before_holds():
    keypad, link = _keypad_and_link()
    equal(_on_full_flash(link._answer, MAKER, messages.OP_NEXT_KEY, NEXT), (messages.FLASH, None))
    equal((keypad.identity.following, link._session.following, keys.load().following), (None, None, None))
    status, _ = link._answer(MAKER, messages.OP_NEXT_KEY, NEXT)
    equal(status, messages.OK)
    agreed = keys.load().following
    other = [b"laterhst", NEXT[1]]
    equal(_on_full_flash(link._answer, MAKER, messages.OP_NEXT_KEY, other), (messages.FLASH, None))
    equal((keypad.identity.following, link._session.following, keys.load().following), (agreed,) * 3)


def test_proven_key_that_flash_does_not_promote_works_at_once_and_after_a_restart():
    keypad, link = _keypad_and_link()
    link._answer(MAKER, messages.OP_NEXT_KEY, NEXT)
    _, host_id, key = keypad.identity.following
    _on_full_flash(link._key_proven)
    equal(keypad.identity.hosts, [(host_id, key)])
    assert health.bits & messages.HEALTH_FLASH_WRITE
    equal(keys.load().following, (MAKER, host_id, key))
