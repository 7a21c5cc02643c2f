"""What an update needs once: what runs here, room for another application, and whether that could run here.

Imported for each of these, and forgotten (seldom.py).
"""

import hashlib
import os
import struct
import sys

from doorpad_link import messages
from micropython import const

import selector
from doorpad_fw import memory
from doorpad_fw.version import FORMAT, MANIFEST, UPDATE_ID, VERSION

_MAGIC = b"dpM1"
_HEADER_BYTES = const(32)
_RECORD_BYTES = const(96)
_HEADER = "<4sHBBH22s"
_RECORD = "<32sI60s"
_FILES_MAX = const(200)
_REMOVED_AT_ONCE = const(4)  # each removal may erase: nothing is read from the line meanwhile
_SPARE_BYTES = const(32_768)  # of the file system, for settings, keys and crashes
_FOLDER = const(0x4000)  # in a mode

assert struct.calcsize(_HEADER) == _HEADER_BYTES and struct.calcsize(_RECORD) == _RECORD_BYTES


def sha256(path):
    """Return (size, hash) of a file; (0, None) if there is none."""
    hashed = hashlib.sha256()
    size = 0
    piece = memoryview(memory.scratch)  # shared; there may be no room for another
    try:
        with open(path, "rb") as file:
            got = file.readinto(piece)
            while got:
                hashed.update(piece[:got])
                size += got
                got = file.readinto(piece)
    except OSError:
        return 0, None
    return size, hashed.digest()


def state():
    """What operation UPDATE_STATE tells."""
    folder, trial_starts, _ = selector.read()
    mpy = sys.implementation._mpy & 0xFF
    _, identity = sha256(folder + "/" + MANIFEST)
    return [VERSION, identity, trial_starts is not None, FORMAT, mpy, _free_bytes()]


def _free_bytes():
    status = os.statvfs(".")
    return min(status[1] * status[3], 0x3FFF_FFFF)


def begin(update, body):
    """Operation UPDATE_BEGIN: make room, a few files at a time, and note which update it is for."""
    size, identity, room = body
    if selector.read()[1] is not None:
        return messages.CONFLICT, None  # the other folder holds what a failing trial goes back to
    if len(identity) != 32 or not _HEADER_BYTES < size <= _HEADER_BYTES + _FILES_MAX * _RECORD_BYTES:
        return messages.INVALID, None
    identity += struct.pack("<I", size)
    if update.identity() == identity:
        return messages.OK, [True]
    if update.is_attended():
        return messages.BUSY, None
    update.close()
    update.right.clear()
    update.count = 0
    folder = update.folder[:-1]
    if folder in os.listdir() and not _remove(folder):
        return messages.OK, [False]
    if _free_bytes() < room + _SPARE_BYTES:
        return messages.NO_SPACE, _free_bytes()
    if folder not in os.listdir():
        os.mkdir(folder)
    with open(update.folder + UPDATE_ID, "wb") as file:
        file.write(identity)
    return messages.OK, [True]


def _remove(folder):
    """Take some of the files away, first of all what says what they are; return whether all are gone."""
    for name in (UPDATE_ID, MANIFEST):
        try:
            os.remove(folder + "/" + name)
        except OSError:
            pass  # it is not there
    for _ in range(_REMOVED_AT_ONCE):
        path = _first_in(folder)
        if path is None:
            return True
        inner = _first_in(path[:-1]) if path[-1] == "/" else path
        if inner is None:
            os.rmdir(path[:-1])
        else:
            os.remove(inner)
    return _first_in(folder) is None


def _first_in(folder):
    """The path of what stands first in a folder, with a slash behind a folder's; None if it is empty."""
    found = None
    # To the end, and without a list of them: that may not fit the heap, and an iterator that is left would be
    # closed by the collector only.
    for name, mode, *_ in os.ilistdir(folder):
        if found is None:
            found = folder + "/" + name + ("/" if mode & _FOLDER else "")
    return found


def examine(path):
    """Return (status, number of files) for the manifest at `path`, of which the hash is right."""
    with open(path, "rb") as file:
        magic, mpy, oldest, newest, count, _ = struct.unpack(_HEADER, file.read(_HEADER_BYTES))
        if magic != _MAGIC or os.stat(path)[6] != _HEADER_BYTES + count * _RECORD_BYTES:
            return messages.INVALID, 0
        if mpy != sys.implementation._mpy & 0xFF or not oldest <= FORMAT <= newest:
            return messages.UNSUPPORTED, 0  # it would not load, or not read what is stored here
        for _ in range(count):
            _, _, name = struct.unpack(_RECORD, file.read(_RECORD_BYTES))
            if not _is_module(name.rstrip(b"\0")):
                return messages.INVALID, 0
    return messages.OK, count


def _is_module(path):
    # One folder deep at most, and nothing that a file system could take for another place.
    if path[-4:] != b".mpy":
        return False
    parts = path[:-4].split(b"/")
    for part in parts:
        for char in part:
            if not (0x61 <= char <= 0x7A or 0x30 <= char <= 0x39 or char == 0x5F):
                return False
    return len(parts) <= 2 and min([len(part) for part in parts]) > 0
