"""Applications to update to: a few small files with their manifest, as a hub has them, and a hub that sends them."""

import hashlib
import struct
import sys

from doorpad_fw.version import FORMAT
from doorpad_link import messages

MPY = sys.implementation._mpy & 0xFF


def manifest(files, version="9.9.9", oldest=FORMAT, newest=FORMAT, mpy=MPY, magic=b"dpM1"):
    """`files`: [(path, bytes), ...]. Put together by hand from protocol/README.md, section 6."""
    text = version.encode()
    packed = magic + struct.pack("<HBBH", mpy, oldest, newest, len(files)) + text + bytes(22 - len(text))
    for path, data in files:
        name = path.encode()
        packed += hashlib.sha256(data).digest() + struct.pack("<I", len(data)) + name + bytes(60 - len(name))
    return packed


def begin(update, packed, room=0):
    """Begin, however often that takes; return the last status and result."""
    while True:
        identity = hashlib.sha256(packed).digest()
        status, ready = update.serve(messages.OP_UPDATE_BEGIN, [len(packed), identity, room])
        if status != messages.OK or ready == [True]:
            return status, ready


def check(update, number):
    return update.serve(messages.OP_UPDATE_CHECK, [number])


def send(update, number, data, piece=300):
    """Send what the keypad does not have of one file; return how many bytes that took."""
    status, found = check(update, number)
    assert status == messages.OK, status
    size, right = found
    if right:
        return 0
    offset = size if size < len(data) else 0
    sent = 0
    while offset < len(data) or not data:
        part = data[offset : offset + piece]
        status, size = update.serve(messages.OP_UPDATE_WRITE, [number, offset, part])
        assert (status, size) == (messages.OK, offset + len(part)), (status, size)
        offset += len(part)
        sent += len(part)
        if not data:
            break
    status, found = check(update, number)
    if found != [len(data), True]:  # what was there before was of another file
        assert sent < len(data), (number, found)
        status, size = update.serve(messages.OP_UPDATE_WRITE, [number, 0, data])
        assert (status, size) == (messages.OK, len(data)), (status, size)
        status, found = check(update, number)
    assert (status, found) == (messages.OK, [len(data), True]), (status, found)
    return sent


def bring(update, files, packed):
    """All of an update but the switch; return how many bytes were sent."""
    status, ready = begin(update, packed)
    assert (status, ready) == (messages.OK, [True]), (status, ready)
    sent = send(update, 0, packed)
    for place, (_, data) in enumerate(files):
        sent += send(update, place + 1, data)
    return sent
