"""Two hosts and a person at the keypad change one table; each host knows only what its change feed told it.

The model is what was acknowledged, in order. No host ever overwrites what it has not read, no change of another
hand is lost, and after a last look both hosts mean the same table.
"""

import esp32_time

import asyncio
import random

from doorpad_link import cbor, messages

from cases import cases
from keypad_parts import MASTER, Keypad, put_body

HEAP = "400K"
_CAPACITY = 6
_NUMBERS = 8  # slots that the hosts use: more than may be used
_PINS = [b"%04d" % (1111 * n) for n in range(1, 10)]
_STEPS = 60


class _Host:
    def __init__(self, keypad, maker):
        self._keypad = keypad
        self.maker = maker
        self._cursor = 0
        self.known = {}  # slot -> (version, PIN) as last read
        self.last = None  # the last write: what a retry sends again

    def ask(self, op, body):
        body = cbor.decode(cbor.encode(body))
        status, answer = self._keypad.operations.serve(self.maker, op, body)
        return status, cbor.decode(cbor.encode(answer))

    def look(self):
        following, until = 1, None
        while following:
            _, (_, generation, following, slots) = self.ask(
                messages.OP_SINCE, [self._cursor, following or 1, True]
            )
            until = until or generation
            for number, version, flags, pin in [slot[:4] for slot in slots]:
                if flags:
                    self.known[number] = (version, pin)
                else:
                    self.known.pop(number, None)
        self._cursor = until

    def put(self, number, pin, op_id):
        version = self.known.get(number, (0, None))[0]
        self.last = (messages.OP_PUT, put_body(number, pin, version, op_id))
        return version, self.ask(*self.last)[1][0]

    def clear(self, number, op_id):
        version = self.known.get(number, (0, None))[0]
        self.last = (messages.OP_DEL, [[version, number, op_id]])
        return version, self.ask(*self.last)[1][0]


def _holder(table, pin):
    return next((number for number, (_, held) in table.items() if held == pin), None)


def _expected_put(table, version, number, pin):
    now = table.get(number, (0, None))[0]
    if version != now:
        return messages.CONFLICT
    holder = _holder(table, pin)
    if holder is not None and holder != number:
        return messages.DUPLICATE
    if number not in table and len(table) >= _CAPACITY:
        return messages.NO_SPACE
    return messages.OK


def _expected_clear(table, version, number):
    if number not in table:
        return messages.NOT_FOUND
    return messages.OK if table[number][0] == version else messages.CONFLICT


def _at_the_keypad(keypad, table, rng, makers):
    pin = rng.choice(_PINS)
    master = str(MASTER, "ascii")
    command, holder = rng.choice("12"), _holder(table, pin)
    keypad.enter("%s#%s#%s#*" % (master, command, str(pin, "ascii")))
    if command == "2" and holder is not None:
        del table[holder]
    elif command == "1" and holder is None and len(table) < _CAPACITY:
        number = next(n for n in range(1, 100) if n not in table)
        table[number] = (keypad.slots.generation, pin)
        makers[number] = messages.MAKER_KEYPAD


async def _life(seed):
    rng = random
    rng.seed(seed)
    keypad = Keypad(capacity=_CAPACITY)
    hosts = [_Host(keypad, 1), _Host(keypad, 2)]
    table = {}  # slot -> (version, PIN): everything acknowledged
    makers = {}
    conflicts = 0
    for step in range(_STEPS):
        host = rng.choice(hosts)
        number, op_id = rng.randint(1, _NUMBERS), bytes((seed, step)) + bytes(5) + b"o"
        act = rng.randint(0, 5)
        if act == 0:
            host.look()
        elif act == 1:
            _at_the_keypad(keypad, table, rng, makers)
        elif act == 2 and host.last is not None:
            before = keypad.slots.generation
            _, [(_, status, _)] = host.ask(*host.last)
            if status == messages.OK:
                # It was refused the first time and fits now: as good as asked for anew.
                _note(table, makers, host, keypad, host.last)
            else:
                assert keypad.slots.generation == before, "a retry changed something"
        elif act == 3:
            version, (_, status, _) = host.clear(number, op_id)
            expected = _expected_clear(table, version, number)
            assert status == expected, (seed, step, status, expected)
            conflicts += status == messages.CONFLICT
            if status == messages.OK:
                _note(table, makers, host, keypad, host.last)
        else:
            pin = rng.choice(_PINS)
            version, (_, status, _) = host.put(number, pin, op_id)
            expected = _expected_put(table, version, number, pin)
            assert status == expected, (seed, step, status, expected)
            conflicts += status == messages.CONFLICT
            if status == messages.OK:
                _note(table, makers, host, keypad, host.last)
    for host in hosts:
        host.look()
        assert host.known == table, (seed, host.maker)
    for number in table:
        assert keypad.slots.get(number).maker == makers[number]
    for pin in _PINS:
        found = keypad.slots.find(pin)
        assert (found.number if found else None) == _holder(table, pin)
    await asyncio.sleep_ms(10_000)
    return conflicts


def _note(table, makers, host, keypad, write):
    op, body = write
    [fields] = body[2] if op == messages.OP_PUT else body
    number = fields[1]
    if op == messages.OP_PUT:
        table[number] = (keypad.slots.generation, fields[2])
        makers[number] = host.maker
    else:
        del table[number]


@cases(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
def test_two_hosts_and_a_person_never_overwrite_what_they_have_not_read(seed):
    esp32_time.run(_life(seed))


def test_there_were_conflicts_to_survive():
    conflicts = []

    async def all_lives():
        for seed in range(4):
            conflicts.append(await _life(seed))

    esp32_time.run(all_lives())
    assert sum(conflicts) >= 8, conflicts
