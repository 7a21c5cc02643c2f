"""Frames and the splitter under both interpreters: against a second implementation, flips, chunks and garbage."""

import random
import zlib
from typing import Any

import pytest
import reference
from doorpad_link import identity
from doorpad_link.identity import Identity

MTU_BYTES = 1024
OVERHEAD_BYTES = 8 + 4


def _frame(kind: int, session: int, counter: int, from_device: bool, body: bytes) -> bytes:
    return reference.frame(reference.header(kind, session, counter, from_device=from_device), body)


def _told(kind: int, session: int, counter: int, from_device: bool, body: bytes) -> list[Any]:
    return [kind, session, counter, from_device, body.hex()]


def _random_frames(rng: random.Random, count: int) -> list[tuple[int, int, int, bool, bytes]]:
    frames = []
    for _ in range(count):
        size = rng.choice([0, 1, 5, 40, 200, 241, 242, 243, 500, MTU_BYTES - OVERHEAD_BYTES])
        body = rng.randbytes(size) if rng.random() < 0.7 else bytes(size)
        frames.append(
            (rng.randrange(8), rng.randrange(2**16), rng.randrange(2**32), rng.random() < 0.5, body)
        )
    return frames


def test_frame_is_that_of_a_second_implementation_and_comes_back(check):
    pack, unpack = [], []
    for kind, session, counter, from_device, body in _random_frames(random.Random(1), 60):
        wire = _frame(kind, session, counter, from_device, body)
        question = {"kind": kind, "session": session, "counter": counter, "from_device": from_device}
        pack.append(({**question, "do": "frame_pack", "body": body.hex()}, wire.hex()))
        told = _told(kind, session, counter, from_device, body)
        unpack.append(({"do": "frames_of", "data": wire.hex(), "sizes": []}, [[told], 0, True]))
    check(pack)
    check(unpack)


def test_largest_frame_fits_and_one_byte_more_is_refused(check):
    largest = MTU_BYTES - OVERHEAD_BYTES
    question = {"do": "frame_pack", "kind": 4, "session": 1, "counter": 1, "from_device": False}
    wire = _frame(4, 1, 1, False, b"\1" * largest)
    check(
        [
            ({**question, "body": "01" * largest}, wire.hex()),
            ({**question, "body": "01" * (largest + 1)}, "refused"),
        ]
    )
    too_long = _frame(4, 1, 1, False, b"\1" * (largest + 1))
    told = _told(4, 1, 1, False, b"\1" * largest)
    check(
        [({"do": "frames_of", "data": (wire + too_long + wire).hex(), "sizes": []}, [[told, told], 1, True])]
    )


def test_header_of_another_version_or_with_unused_bits_is_no_frame(check):
    head = reference.header(4, 7, 9, from_device=False)
    bad = [bytes((value,)) + head[1:] for value in range(256) if value >> 5 != 1 or value & 3]
    bad += [head[:1] + bytes((value,)) + head[2:] for value in range(256) if value & 0x7F]
    cases = [
        (
            {"do": "frames_of", "data": reference.frame(head, b"x").hex(), "sizes": []},
            [[_told(4, 7, 9, False, b"x")], 0, True],
        )
    ]
    cases += [
        ({"do": "frames_of", "data": reference.frame(one, b"x").hex(), "sizes": []}, [[], 1, True])
        for one in bad
    ]
    check(cases)


def test_frame_shorter_than_header_and_crc_is_no_frame(check):
    cases = []
    for size in range(8):
        inner = reference.header(4, 7, 9, from_device=False)[:size]
        wire = b"\0" + reference.cobs(inner + zlib.crc32(inner).to_bytes(4, "little")) + b"\0"
        cases.append(({"do": "frames_of", "data": wire.hex(), "sizes": []}, [[], 1, True]))
    check(cases)


def test_every_change_of_one_or_two_bits_of_a_frame_is_refused(check):
    wire = _frame(4, 0x1234, 7, False, b"\x82\x15\x00\x01")
    bits = 8 * len(wire)
    check([({"do": "frame_flips", "data": wire.hex(), "double": True}, [bits * (bits + 1) // 2, 0])])


def test_every_flipped_bit_of_a_long_frame_is_refused(check):
    rng = random.Random(5)
    wire = _frame(5, 0x4321, 99, True, rng.randbytes(500))
    check([({"do": "frame_flips", "data": wire.hex(), "double": False}, [8 * len(wire), 0])])


@pytest.mark.parametrize("seed", range(4))
def test_chunks_of_any_size_give_the_same_frames(check, seed):
    rng = random.Random(seed)
    frames = _random_frames(rng, 12)
    stream = b"".join(_frame(*frame) for frame in frames)
    wanted = [[_told(*frame) for frame in frames], 0, True]
    sizes = []
    while sum(sizes) < len(stream):
        sizes.append(rng.choice([1, 2, 3, 7, 64, 300, 2000]))
    one_by_one = [1] * len(stream)
    check(
        [
            ({"do": "frames_of", "data": stream.hex(), "sizes": chosen}, wanted)
            for chosen in (sizes, one_by_one, [])
        ]
    )


@pytest.mark.parametrize("seed", range(4))
def test_garbage_between_frames_costs_no_frame(check, seed):
    rng = random.Random(100 + seed)
    frames = _random_frames(rng, 10)
    stream = b""
    garbage = 0
    for frame in frames:
        # What a boot message or noise leaves: no zero in it, so it is one piece to be dropped, and counted.
        size = rng.choice([0, 1, 30, 1028, 1029, 1030, 3000])
        garbage += size > 0
        stream += bytes(rng.randrange(1, 256) for _ in range(size)) + _frame(*frame)
    sizes = [rng.choice([1, 10, 100, 1000]) for _ in range(200)]
    wanted = [[_told(*frame) for frame in frames], garbage, True]
    check([({"do": "frames_of", "data": stream.hex(), "sizes": chosen}, wanted) for chosen in (sizes, [])])


def test_frame_cut_at_any_byte_is_none(check):
    rng = random.Random(21)
    wires = [_frame(4, 7, 9, False, rng.randbytes(size)) for size in (0, 1, 30, 253, 254, 255, 600)]
    check([({"do": "frame_cut", "data": wire.hex()}, 0) for wire in wires])


def test_stored_identity_cut_at_any_byte_is_none(check):
    whole = Identity(b"keypad-1", bytes(32), bytes(range(32)), [(b"hub----1", bytes(range(1, 33)))])
    whole.following = (1, b"hub----2", bytes(range(2, 34)))
    check([({"do": "identity_cut", "data": identity.pack(whole).hex()}, 0)])


def test_frame_right_after_a_cut_one_is_found(check):
    whole = (4, 1, 2, False, b"body of a request")
    wire = _frame(*whole)
    cases = []
    for end in range(2, len(wire)):
        data = wire[:end] + wire
        cases.append(({"do": "frames_of", "data": data.hex(), "sizes": []}, [[_told(*whole)], 1, True]))
    # Cut just before its closing zero the first one is whole: the next one's opening zero closes it.
    cases[-1] = (cases[-1][0], [[_told(*whole)] * 2, 0, True])
    check(cases)
