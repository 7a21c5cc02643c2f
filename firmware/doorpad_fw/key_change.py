"""A new key for a host: agreed inside the sealed channel, kept beside the old one until the host has proven it.

A power cut at any step leaves a key that works on both sides: the old one until the new one is proven, and what is
kept here is written before the host is told.
"""

import os
import sys

from doorpad_link import identity as identities
from doorpad_link import messages
from doorpad_link.cbor import is_bytes
from doorpad_link.handshake import HOST_ID_BYTES, next_key

from doorpad_fw import health, seldom


def begin(identity, maker, host_id, host_public):
    """Agree on the key that follows the one of host `maker`; return our public key.

    `host_id`: the 8 bytes under which the host will use it. Raises ValueError for anything else, for an id that is
    taken, and for a public key of small order; OSError if flash does not take the key: then the old one holds.
    """
    from doorpad_link import x25519

    try:
        if not is_bytes(host_id, HOST_ID_BYTES) or not is_bytes(host_public, x25519.KEY_BYTES):
            raise ValueError("a host id of 8 and a public key of 32 bytes are needed")
        if host_id in [known for known, _ in identity.hosts]:
            raise ValueError("this host id has a key already")
        private = os.urandom(x25519.KEY_BYTES)
        public = x25519.public(private)
        shared = x25519.exchange(private, host_public)
        if shared == bytes(x25519.KEY_BYTES):
            raise ValueError("a public key of small order")
    finally:
        seldom.forget("doorpad_link.x25519")
    key = next_key(identity.hosts[maker - 1][1], shared, host_id, host_public, public)
    before, identity.following = identity.following, (maker, host_id, key)
    try:
        seldom.call("doorpad_fw.keys", "store", identities.pack(identity))
    except OSError:
        identity.following = before
        raise
    return public


def finish(identity):
    """The host has proven the following key: it takes its place.

    Where flash does not take that, both keys are still there, and the new one is proven once more after a restart.
    """
    identity.promote()
    try:
        seldom.call("doorpad_fw.keys", "store", identities.pack(identity))
    except OSError as error:
        health.report(messages.HEALTH_FLASH_WRITE)
        sys.print_exception(error)
