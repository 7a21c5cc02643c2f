"""What would erase flash while somebody types has to wait: the changes of a hub, and the use of a counted code."""

import esp32_time  # isort: skip - before anything takes hold of the time

import board
from doorpad_fw import pins
from doorpad_link import messages

from cases import cases, equal
from keypad_parts import Keypad, put_body
from strike_watch import with_loop

HEAP = "400K"
PAUSE_TICKS = 2  # after which nobody types any more
OP_ID = b"op-id--2"
NO_ID = bytes(16)
ONCE = messages.ENABLED | messages.COUNTED

_keypads = []
_erased_at_strike = []


def _watch(name, level):
    if name == "strike" and level == pins.STRIKE_ACTIVE:
        _erased_at_strike.append(_keypads[-1].erased)


board.watch(_watch)


class _Used(Keypad):
    """A keypad whose next change of the table opens a segment, so that another one has to be erased."""

    def __init__(self):
        super().__init__()
        self.add(9, b"4711", ONCE)
        self.version = 0  # of slot 1
        while self.slots.has_room(1):
            equal(self.put(), messages.OK)
        self.before = self.flash.erases
        _keypads[:] = [self]

    @property
    def erased(self):
        return self.flash.erases - self.before

    def ask(self, op, body):
        return self.operations.serve(1, op, body)

    def put(self):
        """Change slot 1 over the link; return the status."""
        body = put_body(1, b"1234", self.version, (self.version + 1).to_bytes(8, "big"))
        status, results = self.ask(messages.OP_PUT, body)
        if results is not None:
            _, status, self.version = results[0]
        return status

    def type(self, keys):
        """Press a key each second."""
        for key in keys:
            self.enter(key)
            esp32_time.advance(1000)
            self.door.tick()


def test_change_that_erases_waits_until_nobody_types():
    def play():
        keypad = _Used()
        keypad.enter("1")
        for _ in range(PAUSE_TICKS):
            equal((keypad.put(), keypad.erased), (messages.BUSY, 0))
            keypad.door.tick()
        equal((keypad.put(), keypad.erased), (messages.OK, 1))

    with_loop(play)


@cases("put", "delete", "adopt")
def test_of_a_change_that_waits_nothing_is_done(change):
    def play():
        keypad = _Used()
        keypad.enter("1")
        op, body = {
            "put": (messages.OP_PUT, put_body(2, b"2222")),
            "delete": (messages.OP_DEL, [[keypad.version, 1, OP_ID]]),
            "adopt": (messages.OP_ADOPT, [keypad.version, 1, OP_ID, NO_ID]),
        }[change]
        operations = keypad.flash.operations
        equal(keypad.ask(op, body), (messages.BUSY, None))
        equal(keypad.flash.operations, operations)
        for _ in range(PAUSE_TICKS):
            keypad.door.tick()
        equal(keypad.ask(op, body)[0], messages.OK)

    with_loop(play)


def test_change_that_needs_no_erase_waits_for_nobody():
    def play():
        keypad = Keypad()
        keypad.enter("1")
        equal(keypad.operations.serve(1, messages.OP_PUT, put_body(2, b"2222"))[0], messages.OK)

    with_loop(play)


def test_who_types_for_ten_seconds_lets_one_change_erase_once_an_entry_has_ended():
    def play():
        keypad = _Used()
        keypad.type("12*12*12*")
        equal(keypad.put(), messages.BUSY)
        keypad.type("1")
        equal(keypad.put(), messages.BUSY, "an entry has begun")
        keypad.type("*")
        equal((keypad.put(), keypad.erased), (messages.OK, 1))
        while keypad.slots.has_room(1):
            equal(keypad.put(), messages.OK)
        equal((keypad.put(), keypad.erased), (messages.BUSY, 1))

    with_loop(play)


def test_who_types_without_end_keeps_a_hub_waiting_for_a_minute():
    def play():
        keypad = _Used()
        keypad.type("1" * 59)
        equal((keypad.put(), keypad.erased), (messages.BUSY, 0))
        keypad.type("1")
        equal((keypad.put(), keypad.erased), (messages.OK, 1))

    with_loop(play)


def test_use_of_a_counted_code_erases_nothing_before_the_door_is_open():
    _erased_at_strike.clear()

    def play():
        keypad = _Used()
        keypad.enter("4711#")

    with_loop(play)
    equal(_erased_at_strike, [0])


def test_uses_without_end_find_a_segment_to_be_written_to():
    def play():
        keypad = _Used()
        uses = keypad.slots.log.per_segment * 6
        for _ in range(uses):
            keypad.slots.spend(9)
        equal(keypad.slots.generation, keypad.version + uses)

    with_loop(play)
