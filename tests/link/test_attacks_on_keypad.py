"""Somebody without the key at a keypad with a live session: under CPython, and the firmware in MicroPython."""

from collections.abc import Iterator
from typing import Any

import cbor2
import pytest
import reference
from doorpad_link import frame, messages
from doorpad_link.host import MALFORMED, HostSession, Lost, Opened, Replied
from link_world import BOOT_ID, HOST_ID, PSK, Keypad, make_host
from mpy_keypad import MicroPythonKeypad, running

CODE_ID = bytes(range(16))
BODIES: dict[int, Any] = {
    messages.OP_TIME: [1_800_000_000, 0],
    messages.OP_SPEED: 921_600,
    messages.OP_DIGEST: [0, 64],
    messages.OP_PUT: [b"operatn1", CODE_ID, [[0, 7, b"4711", None, None, 3]]],
    messages.OP_DEL: [[1, 7, b"operatn2"]],
    messages.OP_ADOPT: [1, 7, b"operatn3", CODE_ID],
    messages.OP_SINCE: [0, 1, True],
    messages.OP_EVENTS: [0, 255],
    messages.OP_NEXT_KEY: [b"nexthost", bytes(31) + b"\1"],
    messages.OP_CONFIG: [0, [["strike_ms", 100]]],
}
OPERATIONS = range(256)


class InCPython:
    """The session alone; an effect is a request that was done."""

    change = (messages.OP_PING, "one more")

    def __init__(self) -> None:
        self._keypad = Keypad()

    def receive(self, data: bytes, elapsed_ms: int) -> bytes:
        return bytes(self._keypad.session.receive(data, elapsed_ms))

    def effects(self) -> Any:
        return list(self._keypad.effects)

    def forged(self) -> int:
        return self._keypad.session.forged


class InMicroPython:
    """The firmware's session, table and journal; an effect is a change of these."""

    change = (messages.OP_PUT, BODIES[messages.OP_PUT])

    def __init__(self, keypad: MicroPythonKeypad) -> None:
        self._keypad = keypad
        keypad.build(64, [(HOST_ID, PSK)])
        self.receive = keypad.receive

    def effects(self) -> Any:
        return self._keypad.ask("table"), self._keypad.ask("journal", 0)

    def forged(self) -> int:
        count: int = self._keypad.ask("about")["forged"]
        return count


@pytest.fixture(scope="module")
def process(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[MicroPythonKeypad]:
    with running(tmp_path_factory.mktemp("attacked"), request.config.cache.mkdir("firmware")) as keypad:
        yield keypad


@pytest.fixture(params=["cpython", "micropython"])
def end(request: pytest.FixtureRequest) -> InCPython | InMicroPython:
    return InCPython() if request.param == "cpython" else InMicroPython(request.getfixturevalue("process"))


End = InCPython | InMicroPython


def _open(end: End) -> HostSession:
    hub = make_host()
    hub.start(0)
    events: list[Any] = []
    while out := hub.take_output():
        events += hub.receive(end.receive(out, 1000), 0)
    assert isinstance(events[0], Opened)
    return hub


def _ask(hub: HostSession, end: End, op: int = messages.OP_PING, body: Any = b"still there") -> bytes:
    """One request with its reply, which shows that the session lives; returns the request's frame."""
    hub.request(op, body, 0)
    wire = hub.take_output()
    [reply] = hub.receive(end.receive(wire, 10), 0)
    assert isinstance(reply, Replied) and reply.status == messages.OK
    return wire


def _session(hub: HostSession) -> int:
    assert hub._keys is not None
    return hub._keys.session


def _kinds(wire: bytes) -> list[int]:
    return [header.kind for header, _ in frame.Splitter().feed(wire)]


@pytest.mark.parametrize("whose", ["no session", "the live session"])
def test_operation_of_any_number_sent_unsealed_has_no_effect_and_no_answer(end: End, whose: str, ear) -> None:
    hub = _open(end)
    effects = end.effects()
    session = 0 if whose == "no session" else _session(hub)
    for op in OPERATIONS:
        for kind in range(8):
            head = reference.header(kind, session, 1 if session else 0, from_device=False)
            answer = end.receive(reference.frame(head, cbor2.dumps([op, BODIES.get(op)])), 10)
            assert _kinds(answer) in ([], [frame.ALERT]), "of an ALERT it says that there is no such session"
            assert not answer or session == 0
    assert end.effects() == effects
    _ask(hub, end)


def test_any_flipped_bit_of_header_or_tag_with_a_right_crc_is_not_taken(end: End) -> None:
    hub = _open(end)
    hub.request(*end.change, 0)
    request = hub.take_output()
    head, sealed = reference.parse(request.strip(b"\0"))
    effects, forged = end.effects(), end.forged()
    whole = head + sealed
    bits = [*range(8 * len(head)), *range(8 * (len(whole) - reference.TAG_BYTES), 8 * len(whole))]
    assert len(bits) == 128
    counted = 0
    for bit in bits:
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        answer = end.receive(reference.frame(bytes(changed[:8]), bytes(changed[8:])), 200)
        assert _kinds(answer) in ([], [frame.ALERT]), bit
        counted += not 16 <= bit < 32 and not bit < 16  # those of the session number meet no session
    assert end.effects() == effects
    assert end.forged() - forged == counted, "counter and tag are what shows a forgery"
    [reply] = hub.receive(end.receive(request, 10), 0)
    assert isinstance(reply, Replied)


def test_keypads_own_frames_reflected_to_it_change_nothing(end: End) -> None:
    hub = make_host()
    hub.start(0)
    reflected = []
    while out := hub.take_output():
        reflected.append(end.receive(out, 1000))
        hub.receive(reflected[-1], 0)
    hub.request(messages.OP_PING, b"x", 0)
    reflected.append(end.receive(hub.take_output(), 10))
    hub.receive(reflected[-1], 0)
    effects = end.effects()
    for wire in reflected:
        assert end.receive(wire, 1000) == b""
        toward = bytearray(reference.parse(wire.strip(b"\0"))[0])
        toward[1] = 0  # as if it were the hub's
        end.receive(reference.frame(bytes(toward), reference.parse(wire.strip(b"\0"))[1]), 1000)
    assert end.effects() == effects
    _ask(hub, end)


def test_requests_of_lower_counters_get_their_own_old_answer_or_none(end: End) -> None:
    hub = _open(end)
    sent = [_ask(hub, end)]
    sent.append(_ask(hub, end, *end.change))
    sent += [_ask(hub, end) for _ in range(40)]
    effects = end.effects()
    for wire in sent:
        again = end.receive(wire, 10)
        assert _kinds(again) in ([], [frame.REP])
        assert hub.receive(again, 0) == [], "an answer that was given already tells nothing new"
    assert end.effects() == effects
    _ask(hub, end)


@pytest.mark.parametrize(("least", "most"), [(0, 0), (2, 2), (2, 7), (7, 2)])
def test_hello_whose_versions_were_made_others_gets_no_answer(end: End, least: int, most: int) -> None:
    hub = _open(end)
    head = reference.header(reference.HELLO, 0, 0, from_device=False)
    body = cbor2.dumps([least, most, bytes(16), HOST_ID])
    assert end.receive(reference.frame(head, body), 1000) == b""
    _ask(hub, end)


@pytest.mark.parametrize("host_id", [HOST_ID, b"stranger"])
def test_flood_of_hellos_is_answered_five_times_a_second_and_opens_nothing(end: End, host_id: bytes) -> None:
    hub = _open(end)
    end.receive(b"", 10_000)
    head = reference.header(reference.HELLO, 0, 0, from_device=False)
    answers, seconds = 0, 3
    for step in range(seconds * 100):
        body = cbor2.dumps([1, 1, step.to_bytes(16, "big"), host_id])
        answers += bool(end.receive(reference.frame(head, body), 10))
    assert answers <= 5 * seconds + 5
    effects = end.effects()
    auth = reference.header(reference.AUTH, 0, 0, from_device=False)
    for guess in range(20):
        assert end.receive(reference.frame(auth, cbor2.dumps([bytes([guess]) * 16])), 1000) == b""
    assert end.effects() == effects
    _ask(hub, end)


def test_sealed_request_cut_at_any_byte_is_invalid_and_the_next_one_is_done(end: End, ear) -> None:
    """This is what a hub with the key and a defect could send: nobody else gets so far."""
    ear.nonsense.add("refusal")
    hub = _open(end)
    keys = hub._keys
    assert keys is not None
    effects, counter = end.effects(), 0
    for op, body in BODIES.items():
        plain = cbor2.dumps([op, body])
        for size in range(len(plain)):
            counter += 1
            head = frame.Header(frame.REQ, keys.session, counter, False)
            answer = end.receive(frame.pack(head, keys.seal(head, plain[:size])), 10)
            [(told, sealed)] = frame.Splitter().feed(answer)
            reply = keys.open(told, sealed)
            assert reply is not None and cbor2.loads(bytes(reply)) == [0, messages.INVALID, None]
    assert end.effects() == effects
    hub._counter = counter
    _ask(hub, end, *end.change)


def test_sealed_answers_cut_at_any_byte_end_the_session_or_tell_nothing(end: End) -> None:
    """As above, from a keypad."""
    bodies = {
        frame.REP: [messages.OP_PING, 0, b"x"],
        frame.HINT: [7, 7],
        frame.AUTH_R: [0, 1024, 4, 3584, "more"],
    }
    for kind, body in bodies.items():
        plain = cbor2.dumps(body)
        for size in range(len(plain)):
            hub = _open(InCPython())
            keys = hub._keys
            assert keys is not None
            hub.request(messages.OP_PING, b"x", 0)
            head = frame.Header(kind, keys.session, kind != frame.AUTH_R, True)
            events = hub.receive(frame.pack(head, keys.seal(head, plain[:size])), 0)
            assert all(isinstance(event, Lost) and event.reason == MALFORMED for event in events)


def test_forged_hint_alert_and_reply_tell_the_hub_nothing(end: End) -> None:
    hub = _open(end)
    session = _session(hub)
    hub.request(messages.OP_PING, b"x", 0)
    request = hub.take_output()
    sealed = bytes(24)
    for kind in range(8):
        for number in (0, session):
            for body in (sealed, cbor2.dumps([7, 7]), cbor2.dumps([1, BOOT_ID]), cbor2.dumps([17, 0, b"x"])):
                head = reference.header(kind, number, 1, from_device=True)
                assert hub.receive(reference.frame(head, body), 0) == []
    [reply] = hub.receive(end.receive(request, 10), 0)
    assert isinstance(reply, Replied)
