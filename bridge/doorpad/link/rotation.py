"""Changing the key of a keypad, and opening a session with whichever key is the right one meanwhile.

    1  the hub asks for the next key; the keypad keeps it beside the old one and answers
    2  the hub keeps it in a file of its own
    3  the hub opens a session with it: proven, the keypad lets the old one go
    4  the hub lets the old one go

After a cut at any point each side still has a key that the other has too.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from doorpad_link import messages, x25519
from doorpad_link.handshake import next_key
from doorpad_link.host import Opened

from doorpad import keyring
from doorpad.keyring import LinkKey
from doorpad.link.asking import Refused
from doorpad.link.connection import Connection
from doorpad.link.errors import NoSession, ProtocolViolation


async def open_session(
    path: str,
    baud: int,
    keys: Path,
    serial: str,
    timeout_s: float = 10.0,
    *,
    half_duplex: bool = False,
) -> tuple[Connection, Opened]:
    """Open a session with the keypad's key, or with the next one if a change was interrupted.

    Raises:
        LinkDown: one of its kinds.
        KeyUnusable: the key file was damaged since the start.
    """
    following = keyring.load_next(keys, serial)
    if following is not None:
        with contextlib.suppress(NoSession):
            opened = await Connection.open(path, baud, following, serial, timeout_s, half_duplex=half_duplex)
            keyring.promote(keys, serial)
            return opened
    opened = await Connection.open(
        path, baud, keyring.load(keys, serial), serial, timeout_s, half_duplex=half_duplex
    )
    if following is not None:
        keyring.drop_next(keys, serial)  # a proven one would have ended the key that just worked
    return opened


async def change_key(
    path: str,
    baud: int,
    keys: Path,
    serial: str,
    *,
    half_duplex: bool = False,
    noted: Callable[[], contextlib.AbstractAsyncContextManager[None]] = contextlib.nullcontext,
) -> None:
    """Agree on a new key and let the old one go on both sides.

    Args:
        noted: entered before the keypad is asked, and left when it has agreed or not.
    Raises:
        LinkDown: no session; run it again, whichever key holds is found.
        Refused: the keypad did not agree; the old key holds.
    """
    connection, _ = await open_session(path, baud, keys, serial, half_duplex=half_duplex)
    try:
        old = keyring.load(keys, serial)
        async with noted():
            following = await _agree(connection, old)
        keyring.save_next(keys, serial, following)
    finally:
        connection.close()
    connection, _ = await Connection.open(path, baud, following, serial, half_duplex=half_duplex)
    connection.close()
    keyring.promote(keys, serial)


async def _agree(connection: Connection, old: LinkKey) -> LinkKey:
    private = os.urandom(x25519.KEY_BYTES)
    host_id = os.urandom(len(old.host_id))
    public = x25519.public(private)
    status, device_public = await connection.request(messages.OP_NEXT_KEY, [host_id, public])
    if status != messages.OK:
        raise Refused(connection.serial, messages.OP_NEXT_KEY, status)
    if not isinstance(device_public, bytes) or len(device_public) != x25519.KEY_BYTES:
        raise ProtocolViolation("the keypad's public key has not 32 bytes")
    shared = x25519.exchange(private, device_public)
    if shared == bytes(x25519.KEY_BYTES):
        raise ProtocolViolation("the keypad's public key is of small order")
    return LinkKey(host_id, next_key(old.psk, shared, host_id, public, device_public))
