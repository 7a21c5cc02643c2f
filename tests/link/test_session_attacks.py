"""Somebody on the wire: replays, forgeries, altered handshakes, floods, and noise without end."""

import random
import tracemalloc
from typing import Any

import cbor2
import pytest
import reference
from doorpad_link import frame, host
from doorpad_link.host import HostSession, Lost, Opened, Replied
from link_world import BAD, HOST_ID, OP_ADD, TO_DEVICE, Keypad, World, exchange, handshake, make_host


def _open() -> tuple[HostSession, Keypad]:
    hub, keypad = make_host(), Keypad()
    [opened] = handshake(hub, keypad)
    assert isinstance(opened, Opened)
    return hub, keypad


def _plain(kind: int, body: Any, *, from_device: bool = False) -> bytes:
    return reference.frame(reference.header(kind, 0, 0, from_device=from_device), cbor2.dumps(body))


def _alter(wire: bytes, change: Any) -> bytes:
    """Decode a frame, apply `change(header bytes, body)`, and frame the result with a right CRC."""
    [(header, body)] = frame.Splitter().feed(wire)
    head, body = change(header.pack(), body)
    return reference.frame(head, body)


def _flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _replacing(place: int, value: Any) -> Any:
    """A change for `_alter`: another value at one place of the body's list."""

    def change(head: bytes, body: bytes) -> tuple[bytes, bytes]:
        items = cbor2.loads(body)
        items[place] = value
        return head, cbor2.dumps(items)

    return change


@pytest.mark.parametrize("seed", range(5))
def test_everything_a_hub_ever_sent_is_played_again_and_nothing_happens(seed):
    world = World(seed, BAD)
    assert world.run_until(lambda: len(world.answered) >= 30, limit_ms=3_600_000)
    effects = list(world.keypad.effects)
    recorded = [data for direction, data in world.wires if direction == TO_DEVICE]
    assert len(recorded) > 40
    rng = random.Random(seed)
    for data in recorded + rng.sample(recorded, len(recorded)):
        world.keypad.session.receive(data, 200)
    assert world.keypad.effects[: len(effects)] == effects
    # The one in flight may have arrived by a replay for the first time: that is its one effect.
    assert len(world.keypad.effects) <= len(effects) + 1
    for number in set(world.keypad.effects):
        assert world.keypad.effects.count(number) <= world.attempts[number]


def test_requests_of_an_earlier_session_are_never_executed_in_a_later_one():
    keypad = Keypad()
    recorded = []
    for session in range(20):
        hub = make_host(seed=session)
        handshake(hub, keypad)
        hub.request(OP_ADD, session, 0)
        recorded.append(hub.take_output())
        hub.receive(keypad.session.receive(recorded[-1], 1000), 0)
        for old in recorded:
            keypad.session.receive(old, 1000)
    assert keypad.effects == list(range(20))


def test_recorded_handshake_played_to_the_keypad_opens_no_session():
    keypad = Keypad()
    hub = make_host()
    hub.start(0)
    hello = hub.take_output()
    hub.receive(keypad.session.receive(hello, 1000), 0)
    auth = hub.take_output()
    fresh = Keypad(seed=1)
    assert fresh.session.receive(hello, 1000) != b""
    assert fresh.session.receive(auth, 1000) == b""
    assert not fresh.session.is_open
    assert fresh.session.forged == 1


def test_forged_hello_auth_and_alert_leave_a_live_session_alone():
    hub, keypad = _open()
    exchange(hub, keypad, 1)
    forged = [
        _plain(reference.HELLO, [1, 1, bytes(16), HOST_ID]),
        _plain(reference.AUTH, [bytes(16)]),
        _plain(reference.HELLO, [1, 1, bytes(16), b"stranger"]),
        _plain(reference.AUTH, [b"\xff" * 16]),
        _plain(reference.ALERT, [1, bytes(8)]),
    ]
    for wire in forged:
        keypad.session.receive(wire, 1000)
        # An idle hub is told of these too.
        from_device = _alter(wire, lambda head, body: (head[:1] + b"\x80" + head[2:], body))
        assert hub.receive(from_device, 0) == []
        [reply] = exchange(hub, keypad, 2)
        assert isinstance(reply, Replied)
    assert keypad.session.forged == 2
    assert keypad.effects == [1] + [2] * 5


def test_request_too_old_to_be_done_gets_nothing_from_a_cache_that_is_still_empty():
    """Method: two requests alone, 33 and then 0, a counter that no hub uses: its place was never filled."""
    hub, keypad = _open()
    keys = hub._keys
    assert keys is not None

    def request(counter: int) -> bytes:
        head = frame.Header(frame.REQ, keys.session, counter, False)
        return frame.pack(head, keys.seal(head, cbor2.dumps([OP_ADD, counter])))

    assert keypad.session.receive(request(33), 10) != b""
    assert keypad.session.receive(request(0), 10) == b""
    assert keypad.effects == [33]


@pytest.mark.parametrize("kind", range(8))
def test_sealed_frame_relabelled_as_another_kind_or_direction_is_not_taken(kind):
    hub, keypad = _open()
    hub.request(OP_ADD, 1, 0)
    request = hub.take_output()
    for address in (0, 0x80):
        if (kind, address) == (reference.REQ, 0):
            continue
        wire = _alter(
            request, lambda head, body, a=address: (bytes((1 << 5 | kind << 2, a)) + head[2:], body)
        )
        keypad.session.receive(wire, 1000)
        assert hub.receive(wire, 0) == []
    assert keypad.effects == []
    [reply] = hub.receive(keypad.session.receive(request, 10), 0)
    assert isinstance(reply, Replied)


def test_own_frames_coming_back_as_an_echo_change_nothing():
    hub, keypad = make_host(), Keypad()
    hub.start(0)
    events = []
    for _ in range(4):
        out = hub.take_output()
        answer = keypad.session.receive(out, 1000)
        assert keypad.session.receive(answer, 0) == b"", "the keypad took its own frame"
        events += hub.receive(out + answer, 0)
    assert [type(event) for event in events] == [Opened]


def test_flipped_bit_in_seal_or_header_with_a_right_crc_is_told_as_forged():
    hub, keypad = _open()
    hub.request(OP_ADD, 1, 0)
    request = hub.take_output()
    [(_, body)] = frame.Splitter().feed(request)
    for bit in range(8 * len(body)):
        assert (
            keypad.session.receive(_alter(request, lambda head, body, b=bit: (head, _flipped(body, b))), 10)
            == b""
        )
        assert keypad.session.forged == bit + 1
    for counter in (0, 2, 3, 2**32 - 1):
        wire = _alter(request, lambda head, body, c=counter: (head[:4] + c.to_bytes(4, "big"), body))
        assert keypad.session.receive(wire, 10) == b""
    assert keypad.session.forged == 8 * len(body) + 4
    assert keypad.effects == []
    [reply] = hub.receive(keypad.session.receive(request, 10), 0)
    assert isinstance(reply, Replied)


def test_flipped_bit_in_a_reply_with_a_right_crc_is_not_taken():
    hub, keypad = _open()
    hub.request(OP_ADD, 1, 0)
    answer = keypad.session.receive(hub.take_output(), 10)
    [(_, body)] = frame.Splitter().feed(answer)
    for bit in range(8 * len(body)):
        assert hub.receive(_alter(answer, lambda head, body, b=bit: (head, _flipped(body, b))), 0) == []
    [reply] = hub.receive(answer, 0)
    assert isinstance(reply, Replied)


# Where a man in the middle changes the handshake, and to what. Positions as the specification lists them.
HELLO_CHANGES = {"proto_min": (0, 0), "proto_max": (1, 2), "nonce": (2, bytes(16))}
HELLO_R_CHANGES = {
    "nonce": (1, bytes(16)),
    "device_id": (2, b"keypad-2"),
    "boot_id": (3, bytes(8)),
    "proof": (5, bytes(16)),
}


@pytest.mark.parametrize("what", HELLO_CHANGES)
def test_hello_changed_on_its_way_fails_the_proof(what):
    change = _replacing(*HELLO_CHANGES[what])
    hub, keypad = make_host(), Keypad()
    hub.start(0)
    answer = keypad.session.receive(_alter(hub.take_output(), change), 1000)
    assert answer != b""
    [lost] = hub.receive(answer, 0)
    assert isinstance(lost, Lost)
    assert lost.reason == host.WRONG_PROOF
    assert (hub.take_output(), keypad.session.is_open) == (b"", False)


@pytest.mark.parametrize("what", HELLO_R_CHANGES)
def test_answer_to_hello_changed_on_its_way_fails_the_proof(what):
    change = _replacing(*HELLO_R_CHANGES[what])
    hub, keypad = make_host(), Keypad()
    hub.start(0)
    [lost] = hub.receive(_alter(keypad.session.receive(hub.take_output(), 1000), change), 0)
    assert isinstance(lost, Lost)
    assert lost.reason == host.WRONG_PROOF
    assert (hub.take_output(), keypad.session.is_open) == (b"", False)


@pytest.mark.parametrize("proto", [0, 2, None, b""])
def test_answer_in_a_protocol_that_was_not_offered_is_not_taken(proto):
    hub, keypad = make_host(), Keypad()
    hub.start(0)
    good = keypad.session.receive(hub.take_output(), 1000)
    assert hub.receive(_alter(good, _replacing(0, proto)), 0) == []
    assert hub.take_output() == b""
    hub.receive(good, 0)
    assert hub.take_output() != b"", "the right answer is still awaited"


@pytest.mark.parametrize(("proto_min", "proto_max"), [(2, 3), (0, 0), (2, 1)])
def test_hub_without_a_protocol_in_common_gets_no_answer(proto_min, proto_max):
    assert (
        Keypad().session.receive(_plain(reference.HELLO, [proto_min, proto_max, bytes(16), HOST_ID]), 1000)
        == b""
    )


@pytest.mark.parametrize("host_id", [HOST_ID, b"stranger"])
def test_flood_of_hellos_is_answered_five_times_a_second_and_requests_go_on(host_id):
    hub, keypad = _open()
    keypad.session.receive(b"", 10_000)
    answers = 0
    seconds = 10
    for step in range(seconds * 100):
        hello = _plain(reference.HELLO, [1, 1, step.to_bytes(16, "big"), host_id])
        answers += len(keypad.session.receive(hello, 10)) > 0
        if step % 100 == 0:
            [reply] = exchange(hub, keypad, step)
            assert isinstance(reply, Replied)
    # Five a second, and the five that a quiet second before has saved up.
    assert 5 * seconds <= answers <= 5 * seconds + 5
    assert keypad.effects == list(range(0, seconds * 100, 100))


def test_flood_of_frames_of_unknown_sessions_is_answered_five_times_a_second():
    keypad = Keypad()
    answers = 0
    for step in range(1000):
        head = reference.header(reference.REQ, step, 1, from_device=False)
        answers += len(keypad.session.receive(reference.frame(head, bytes(40)), 10)) > 0
    assert 50 <= answers <= 55


NOISES = ("bytes", "frames", "own header")


def _noise(rng: random.Random, kind: str, session: int) -> bytes:
    if kind == "bytes":
        return rng.randbytes(4096)
    pieces = []
    for _ in range(40):
        body = rng.randbytes(rng.randrange(60))
        if rng.random() < 0.7:
            items = [
                rng.choice([0, 1, 2, None, True, b"", bytes(4), bytes(8), bytes(16), "x", [], [[]]])
                for _ in range(rng.randrange(8))
            ]
            body = cbor2.dumps(items)
        number = session if kind == "own header" else rng.randrange(2**16)
        head = reference.header(rng.randrange(8), number, rng.randrange(4), from_device=rng.random() < 0.5)
        pieces.append(reference.frame(head, body))
    return b"".join(pieces)


@pytest.mark.parametrize("kind", NOISES)
def test_noise_without_end_neither_raises_nor_grows_nor_opens_anything(kind):
    rng = random.Random(kind)
    open_hub, open_keypad = _open()
    keys = open_hub._keys
    assert keys is not None
    waiting_hub, waiting_keypad = make_host(seed=5), Keypad(seed=5)
    waiting_hub.start(0)
    open_hub.request(OP_ADD, 1, 0)
    request = open_hub.take_output()
    fed = peak = 0
    noises = [_noise(rng, kind, keys.session) for _ in range(32)]
    for noise in noises[:2]:  # whatever is made once is made now
        waiting_keypad.session.receive(noise, 100)
        waiting_hub.receive(noise, 0)
    tracemalloc.start()
    while fed < (1_000_000 if kind == "bytes" else 300_000):
        for noise in noises:
            fed += len(noise)
            for keypad in (open_keypad, waiting_keypad):
                keypad.session.receive(noise, 100)
            assert not any(isinstance(event, Opened | Replied) for event in waiting_hub.receive(noise, 0))
            if open_hub.state == host.OPEN:
                assert not any(isinstance(event, Opened | Replied) for event in open_hub.receive(noise, 0))
            waiting_hub.take_output()
        peak = max(peak, tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert peak < 200_000, "memory grew"
    assert (open_keypad.effects, waiting_keypad.effects, waiting_keypad.session.is_open) == ([], [], False)
    # The noise may have ended in the middle of a frame: a zero ends that.
    assert open_keypad.session.receive(b"\0" + request, 1000) != b""
    assert open_keypad.effects == [1]


def test_keypad_survives_noise_under_both_interpreters(ask):
    limit = 1024 + 5
    for framed in (False, True):
        question = {
            "do": "device_survives",
            "seed": 1,
            "framed": framed,
            "bytes": 1_000_000 if not framed else 200_000,
        }
        [answer] = ask([question])
        held, answered, served, is_open = answer
        assert held <= limit
        assert (served, is_open) == (0, False)
        assert answered == framed, "intact frames reach the keypad's parser, noise does not"
