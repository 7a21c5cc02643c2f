"""Requests that nearly are what an operation takes: each is answered, and one that is refused changes nothing.

From a right body of each operation one part after the other is replaced, left out or doubled, at random and by seed.
"""

# ruff: noqa: I001 - virtual time changes `time` for all that is imported after it
import esp32_time  # noqa: F401

import asyncio
import gc
import random

from doorpad_fw.link import Link
from doorpad_link import cbor, frame, messages

from cases import cases, equal
from keypad_parts import Keypad, put_body

HEAP = "600K"
HOST = 1
ROUNDS = 1500
GROWTH_BYTES_MAX = 2048
NOW = 1_800_000_000
ODD = [None, True, False, 0, 1, 2, -1, 7, 23, 255, 4096, 4097, 65_535, 946_684_799, NOW, 0x7FFF_FFFF]
ODD += [0xFFFF_FFFF, -(2**32), b"", b"4711", bytes(7), bytes(8), bytes(16), bytes(32), b"1234567890123"]
ODD += [bytes(300), "", "4711", "strike_ms", [], [[]], [0, 0, 0, 0, 0, 0], [None] * 40]
BODIES = {
    messages.OP_STATE: None,
    messages.OP_TIME: [NOW, 0],
    messages.OP_DIGEST: [0, 64],
    messages.OP_PUT: [
        b"op-id--2",
        bytes(32),
        [[0, 8, b"4712", NOW, NOW + 60, 3], [0, 1, b"4713", None, None, 3]],
    ],
    messages.OP_DEL: [[1, 7, b"op-id--3"], [0, 9, b"op-id--4"]],
    messages.OP_ADOPT: [1, 7, b"op-id--5", bytes(16)],
    messages.OP_SINCE: [0, 1, True],
    messages.OP_EVENTS: [0, 255],
    messages.OP_CONFIG: [1, [["strike_ms", 3000], ["pin_min", 4]]],
    messages.OP_NEXT_KEY: [b"nexthost", bytes(31) + b"\1"],
    messages.OP_STATISTICS: None,
}


def _mutated(value):
    """The value with one part of it, at any depth, changed."""
    if isinstance(value, list) and value and random.getrandbits(3):
        changed = list(value)
        at = random.randrange(len(changed))
        act = random.getrandbits(3)
        if act == 0:
            del changed[at]
        elif act == 1:
            changed.insert(at, changed[at])
        else:
            changed[at] = _mutated(changed[at])
        return changed
    return random.choice(ODD)


class _Line:
    """No bytes come or go: bodies are handed over. Statistics ask how often it ran over."""

    overruns = 0


def _link(keypad):
    operations = keypad.operations
    return Link(
        _Line(),
        keypad.identity,
        keypad.slots,
        keypad.journal,
        b"bootboot",
        operations.capabilities,
        operations.serve,
        asyncio.Event(),
        keypad.door.key_changed,
    )


def _state(keypad):
    slots = keypad.slots
    return slots.generation, slots.used, slots.digest.root(), keypad.journal.head, dict(keypad.settings)


@cases(1, 2, 3)
def test_any_body_is_answered_within_a_frame_and_a_refused_one_changes_nothing(seed):
    random.seed(seed)
    keypad = Keypad()
    link = _link(keypad)
    equal(keypad.operations.serve(HOST, messages.OP_PUT, put_body(7, b"4711"))[0], messages.OK)
    operations = sorted(BODIES)
    answered = {messages.OK: 0, messages.INVALID: 0}
    used = None
    for turn in range(ROUNDS):
        op = random.choice(operations)
        body = BODIES[op]
        for _ in range(random.randint(1, 3)):
            body = _mutated(body)
        try:
            _, body = cbor.decode(cbor.encode([op, body]))
        except cbor.CborError:
            continue  # nested too deeply: no session hands that over
        before = _state(keypad)
        status, result = link._answer(HOST, op, body)
        reply = cbor.encode([op, status, result])
        assert len(reply) <= frame.INNER_BYTES_MAX - frame.HEADER_BYTES - 8, (op, body)
        answered[status] = answered.get(status, 0) + 1
        if status != messages.OK:
            equal(_state(keypad), before, (op, body, status))
        if turn == ROUNDS // 4:
            gc.collect()
            used = gc.mem_alloc()
    gc.collect()
    assert gc.mem_alloc() - used < GROWTH_BYTES_MAX
    assert min(answered.values()) > 0 and answered[messages.OK] > ROUNDS // 20, answered
