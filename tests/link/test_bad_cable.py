"""The firmware behind a bad cable: whatever is lost, spoilt, doubled or late, each change is one change in the end.

The seed is in the test's id. Another choice of faults: the request `faults` of the bench (emulator/faults.py).
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import pytest
from bad_line import Hub, Keypad, on_each_line, writes
from doorpad.emulator.faults import Faults, Spoiler
from doorpad.link import operations
from doorpad_link import frame, messages

WAIT_S = 120.0


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Keypad]]:
    with on_each_line(tmp_path_factory.mktemp("bad")) as at:
        yield at


@pytest.fixture
def keypad(at: Callable[[str], Keypad]) -> Keypad:
    return at("uart")


KNOWN = writes(1, 1)[0]  # the code that opens while the cable is bad

# At a bit error rate of 1e-3 a frame of 16 slots never arrives; slots one by one do.
BYTES = Faults(seed=4, drop=3e-3, insert=3e-3, double=3e-3)
FRAMES = Faults(seed=7, swap_frame=0.2, replay_frame=0.4, splice_frame=0.4, lose_frame=0.1)
CASES = [
    pytest.param("uart", Faults(seed=1, flip=1e-6), 14, id="bit errors 1e-6, seed 1"),
    pytest.param("uart", Faults(seed=2, flip=1e-4), 4, id="bit errors 1e-4, seed 2"),
    pytest.param("uart", Faults(seed=3, flip=1e-3), 1, id="bit errors 1e-3, seed 3"),
    pytest.param("uart", BYTES, 2, id="bytes lost, added, doubled, seed 4"),
    pytest.param("uart", Faults(seed=5, lose_frame=0.25, repeat_frame=0.3), 4, id="frames lost, repeated, seed 5"),
    pytest.param("uart", Faults(seed=6, pause=0.1), 4, id="pauses, seed 6"),
    pytest.param("uart", FRAMES, 4, id="frames swapped, replayed, spliced, seed 7"),
    # A ring of 260 bytes, and frames of 193.
    pytest.param("console", BYTES, 2, id="console: bytes lost, added, doubled, seed 4"),
    pytest.param("console", FRAMES, 4, id="console: frames swapped, replayed, spliced, seed 7"),
    # A late answer meets the repetition of its request.
    pytest.param("pair of wires", Faults(seed=8, flip=1e-4, pause=0.1), 4, id="pair: bit errors, pauses, seed 8"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "faults", "together"), CASES)
async def test_each_change_over_a_bad_cable_is_one_change(
    at: Callable[[str], Keypad], line: str, faults: Faults, together: int
) -> None:
    """Method: write slots and press keys while the cable is bad, heal it, then compare what both sides hold.

    The keypad's generation counts its changes, its journal the openings: one more than was asked for shows.
    """
    keypad = at(line)
    hub = Hub(keypad, await keypad.connect())
    try:
        [known] = await hub.do(lambda connection: operations.put(connection, [KNOWN]))
        assert known.done
        before = await hub.do(operations.state)
        frames = 6
        wanted = writes(faults.seed * 100, frames * together)
        await keypad.spoil(faults)
        pressing = asyncio.create_task(keypad.bench.request(press=KNOWN.code + "#"))
        parts = [wanted[start : start + together] for start in range(0, len(wanted), together)]
        async with asyncio.timeout(WAIT_S):
            for part in parts:
                results = await hub.do(lambda connection, part=part: operations.put(connection, part))
                assert all(result.done for result in results)
            await hub.do(lambda connection: operations.events(connection, before.journal_head))
        await pressing
        harm = await keypad.spoil(Faults())
        async with asyncio.timeout(WAIT_S):
            after = await hub.do(operations.state)
            page = await hub.do(lambda connection: operations.events(connection, before.journal_head))
            slots = await hub.slots(wanted[0].slot, wanted[-1].slot)
    finally:
        hub.close()
    assert [(slot.slot, slot.code, slot.op_id) for slot in slots] == [
        (write.slot, write.code, write.op_id.hex()) for write in wanted
    ]
    assert after.generation - before.generation == len(wanted), "a change was made twice"
    # The end of the strike's time is an entry of its own; that of the opening before may come first.
    kinds = [entry.kind for entry in page.entries if entry.kind != messages.EV_LOCKED]
    assert kinds == [messages.EV_GRANTED], "one entry for one opening"
    if faults.flip > 1e-5 or not faults.flip:  # a bit in a million is seldom one of these
        asked = {name for name, chance in asdict(faults).items() if name != "seed" and chance}
        assert set(harm) == asked, "the cable was not bad at all"


def test_spoiler_does_the_same_harm_however_the_bytes_are_cut() -> None:
    chances = {name: 0.2 for name in asdict(Faults()) if name.endswith("_frame")}
    faults = Faults(seed=9, flip=1e-3, drop=0.01, insert=0.01, double=0.01, **chances)
    data = b"".join(b"\0" + bytes(range(1, 80)) + b"\0" for _ in range(50))
    whole = Spoiler(faults, "to hub")
    bytewise = Spoiler(faults, "to hub")
    assert whole.spoil(data) == b"".join(bytewise.spoil(data[at : at + 1]) for at in range(len(data)))
    assert whole.harm == bytewise.harm
    assert set(whole.harm) == {"flip", "drop", "insert", "double", *chances}
    assert Spoiler(faults, "to keypad").spoil(data) != Spoiler(faults, "to hub").spoil(data)


@pytest.mark.parametrize("faults", [{"flip": 2}, {"drop": "often"}, {"jam": 0.1}])
async def test_faults_that_no_cable_has_are_refused(keypad: Keypad, faults: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"chance|unexpected"):
        await keypad.bench.request(faults=faults)


def _frame(counter: int, body: bytes) -> bytes:
    return frame.pack(frame.Header(frame.REQ, 7, counter, False), body)


@pytest.mark.parametrize(
    ("faults", "arrives"),
    [
        (Faults(lose_frame=1), []),
        (Faults(repeat_frame=1), [(1, b"a"), (1, b"a"), (2, b"b"), (2, b"b")]),
        (Faults(swap_frame=1), [(2, b"b"), (1, b"a")]),
        (Faults(replay_frame=1), [(1, b"a"), (2, b"b"), (1, b"a")]),
        (Faults(splice_frame=1), [(1, b"a"), (2, b"b"), (2, b"a")]),
    ],
    ids=["lost", "repeated", "swapped", "replayed", "spliced"],
)
def test_frames_arrive_as_the_fault_says_and_intact(faults: Faults, arrives: list[tuple[int, bytes]]) -> None:
    splitter = frame.Splitter()
    out = Spoiler(faults, "to keypad").spoil(_frame(1, b"a") + _frame(2, b"b"))
    assert [(header.counter, bytes(body)) for header, body in splitter.feed(out)] == arrives
    assert splitter.dropped == 0


@pytest.mark.parametrize(
    ("cut", "error"), [({"cut_after": 0, "to": "hub"}, "one byte"), ({"cut_after": 1, "to": "me"}, "no such")]
)
async def test_cut_that_cannot_be_made_is_refused(keypad: Keypad, cut: dict[str, Any], error: str) -> None:
    with pytest.raises(Exception, match=error):
        await keypad.bench.request(**cut)
