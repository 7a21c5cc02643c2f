"""What a frame of slots costs the keypad: micropython -c "import link_cost" beside a job.json and a frames.bin.

The keypad's end of a session takes a hub's frames one after the other, each in pieces as a line brings them, and
answers without a table behind it: receiving, CRC, opening, decoding, and sealing the reply. Prints one JSON object.
"""

import gc
import json

import time
from doorpad_link.device import DeviceSession

_PIECE_BYTES = 256  # as firmware/doorpad_fw/link.py reads


def _serve(_maker, _op, body):
    return 0, [(place, 0, 1) for place in range(len(body[2]))]


def _frames(file, sizes):
    for size in sizes:
        yield file.read(size)


def _feed(session, wire):
    out = b""
    for at in range(0, len(wire), _PIECE_BYTES):
        out = session.receive(wire[at : at + _PIECE_BYTES], 1000) or out
    return out


def main():
    with open("job.json") as file:
        job = json.load(file)
    host = (bytes(job["host_id"]), bytes(job["key"]))
    session = DeviceSession(
        bytes(job["device_id"]), bytes(8), [host], job["capabilities"], lambda size: bytes(size), _serve
    )
    gc.collect()
    ballast = bytearray(max(gc.mem_free() - job["free_bytes"], 0))  # what the rest of the program takes
    frames = open("frames.bin", "rb")
    for wire in _frames(frames, job["handshake"]):
        assert _feed(session, wire)
    gc.collect()
    free = gc.mem_free()
    taken_us = most = 0
    for place, wire in enumerate(_frames(frames, job["requests"])):
        counted = place < job["counted"]  # for how much a frame allocates, the collector stays out
        if counted:
            gc.collect()
            gc.disable()
        before, began = gc.mem_alloc(), time.ticks_us()
        out = _feed(session, wire)
        passed = time.ticks_diff(time.ticks_us(), began)
        if counted:
            most = max(most, gc.mem_alloc() - before)
            gc.enable()
        else:
            taken_us += passed
        assert out
    print(json.dumps({"us": taken_us, "bytes_a_frame": most, "free": free, "ballast": len(ballast)}))


main()
