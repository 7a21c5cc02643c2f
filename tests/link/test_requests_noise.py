"""Requests that nearly are what an operation takes, of a hub that has the key and a defect, to the firmware.

Each is answered within a frame, as the grammar says; one that is refused changes nothing. From a right body of each
operation one part after the other is replaced, left out or doubled, at random and by seed.
"""

import copy
import random
from collections import Counter
from typing import Any

import cbor2
import pytest
from doorpad_link import frame, messages
from grammar import check, follows
from grammar_samples import SAMPLES
from link_world import HOST_ID, PSK, make_host
from mpy_keypad import MicroPythonKeypad, running

ROUNDS = 1500
BODY_BYTES_MAX = 900
GROWTH_BYTES_MAX = 2048
MOST = 2**32 - 1
NOW = 1_800_000_000
ODD: list[Any] = [None, True, False, 0, 1, 2, -1, 7, 23, 255, 4096, 4097, 65_535, 946_684_799, NOW, 2**31 - 1]
ODD += [MOST, -(2**32), b"", b"4711", bytes(7), bytes(8), bytes(16), bytes(32), b"1234567890123", bytes(300)]
ODD += [
    "",
    "4711",
    "strike_ms",
    "x" * 8,
    "x" * 16,
    "ü" * 16,
    [],
    [[]],
    [0] * 6,
    [0] * 8,
    [7] * 16,
    [None] * 40,
]
REQUESTS = [sample for rule, (sample, _) in SAMPLES.items() if rule.endswith("-request")]
REQUESTS += [[messages.OP_CLOCK, None], [messages.OP_CONFIG, None]]
TWO = [[0, 1, b"4711", None, None, 3], [0, 1, b"4712", None, None, 3]]
# What a defect would hardly draw.
RARE: list[list[Any]] = [
    [messages.OP_PUT, [bytes(8), bytes(32), [[0, MOST, *TWO[0][2:]], [0, MOST, *TWO[1][2:]]]]],
    [messages.OP_PUT, [bytes(8), bytes(32), [TWO[0], [0, -9, *TWO[1][2:]]]]],
    [messages.OP_PUT, [bytes(8), b"", []]],
    [messages.OP_DEL, []],
    [messages.OP_DEL, [[0, -1, bytes(8)]]],
    [messages.OP_DIGEST, [-1, 2]],
    [messages.OP_STRIKE, [1, 1, 5_000, [7] * 16]],
    [messages.OP_TIME, [MOST, 0]],
    [messages.OP_TIME, [messages.UNIX_OF_2100, 0]],
    [-1, None],
    [True, None],
]


def _mutated(value: Any, chance: random.Random) -> Any:
    """The value with one part of it, at any depth, changed."""
    if isinstance(value, list) and value and chance.randrange(8):
        changed = list(value)
        at = chance.randrange(len(changed))
        act = chance.randrange(8)
        if act == 0:
            del changed[at]
        elif act == 1:
            changed.insert(at, changed[at])
        else:
            changed[at] = _mutated(changed[at], chance)
        return changed
    return chance.choice(ODD)


def _requests(chance: random.Random) -> list[Any]:
    found = copy.deepcopy(RARE)
    while len(found) < ROUNDS:
        request = chance.choice(REQUESTS)
        if request[0] == messages.OP_NEXT_KEY and chance.randrange(20):
            continue  # each takes as long as some hundred others
        for _ in range(chance.randrange(4)):
            request = [request[0], _mutated(request[1], chance)]
        if len(cbor2.dumps(request)) <= BODY_BYTES_MAX:
            found.append(request)
    chance.shuffle(found)
    return found


class _Hub:
    """Sends whatever body it is given, sealed as the key's owner can."""

    def __init__(self, keypad: MicroPythonKeypad) -> None:
        self._keypad = keypad
        hub = make_host()
        hub.start(0)
        while out := hub.take_output():
            hub.receive(keypad.receive(out, 1000), 0)
        assert hub._keys is not None
        self._keys = hub._keys
        self._counter = 0

    def ask(self, request: list[Any]) -> tuple[bytes, int]:
        """Body and status of the reply."""
        self._counter += 1
        head = frame.Header(frame.REQ, self._keys.session, self._counter, False)
        wire = self._keypad.receive(frame.pack(head, self._keys.seal(head, cbor2.dumps(request))), 10)
        [(told, sealed)] = frame.Splitter().feed(wire)
        body = self._keys.open(told, sealed)
        assert body is not None
        return bytes(body), cbor2.loads(bytes(body))[1]


@pytest.fixture(scope="module")
def keypad(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Any:
    with running(tmp_path_factory.mktemp("noise"), request.config.cache.mkdir("firmware")) as keypad:
        yield keypad


def _at_rest(keypad: MicroPythonKeypad, hub: _Hub) -> int:
    """Bytes of the heap that are taken while no update is under way."""
    assert hub.ask([messages.OP_UPDATE_CANCEL, None])[1] == messages.OK
    used: int = keypad.ask("heap")
    return used


@pytest.mark.parametrize("seed", [1, 2])
def test_any_request_is_answered_by_the_grammar_and_a_refused_one_changes_nothing(
    keypad: MicroPythonKeypad, seed: int
) -> None:
    keypad.build(64, [(HOST_ID, PSK)])
    hub = _Hub(keypad)
    answered: Counter[int] = Counter()
    used = 0
    requests = list(_requests(random.Random(seed)))
    # Half of them again: what is loaded for the first time leaves its names on the heap, what comes again nothing.
    for turn, request in enumerate([*requests, *requests[: ROUNDS // 2]]):
        before = _state(keypad)
        body, status = hub.ask(request)
        check(frame.REP, body)
        answered[status] += 1
        if status != messages.OK:
            assert _state(keypad) == before, (request, status)
        if turn == ROUNDS - 1:
            used = _at_rest(keypad, hub)
    assert _at_rest(keypad, hub) - used < GROWTH_BYTES_MAX
    assert {messages.OK, messages.CONFLICT, messages.INVALID, messages.UNSUPPORTED} <= set(answered)
    assert answered[messages.OK] > ROUNDS // 20, answered


@pytest.mark.parametrize("request_", RARE, ids=str)
def test_request_that_does_not_follow_the_grammar_is_invalid_as_a_whole(
    keypad: MicroPythonKeypad, request_: list[Any]
) -> None:
    assert not follows("request", request_)
    keypad.build(64, [(HOST_ID, PSK)])
    assert _Hub(keypad).ask(request_)[1] == messages.INVALID


def _state(keypad: MicroPythonKeypad) -> Any:
    return keypad.ask("table"), keypad.ask("newest"), keypad.ask("settings")
