"""Two hubs and a person at the keypad against a model of the table, while frames, sessions and power are lost.

Both ends of every session are the real ones, the keypad's with the firmware's table inside MicroPython. The
model is what was acknowledged; where the power went within a write it may be the table before or after that write.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from doorpad_link import messages
from doorpad_link.digest import Digest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from mpy_hub import TO_DEVICE, TO_HOST, Gone, Hub, Line
from mpy_keypad import MASTER_PIN, MicroPythonKeypad, running

HOSTS = [(b"hub----1", bytes(range(100, 132))), (b"hub----2", bytes(range(50, 82)))]
CAPACITY = 4
SLOTS = st.integers(1, CAPACITY + 2)
PINS = st.sampled_from([b"%04d" % (1111 * n) for n in range(1, 7)])
HUBS = st.integers(0, len(HOSTS) - 1)
FAULTS = st.sampled_from(
    ["none", "none", "request lost", "reply lost", "no request arrives", "no reply arrives", "power cut"]
)
CUTS = st.tuples(st.integers(1, 3), st.sampled_from(["nothing", "half", "all"]))
FLAGS = messages.MANAGED | messages.ENABLED
CODE_ID = bytes(range(16))


def _put_body(version: int, slot: int, op_id: bytes, pin: bytes) -> list[Any]:
    return [op_id, CODE_ID, [[version, slot, pin, None, None, FLAGS]]]


Table = dict[int, tuple[int, bytes, bytes, int]]  # slot -> version, PIN, operation id, maker


class TwoHubs(RuleBasedStateMachine):
    keypad: ClassVar[MicroPythonKeypad]

    @initialize()
    def build(self) -> None:
        self.keypad.build(CAPACITY, HOSTS)
        self.line = Line(self.keypad)
        self.hubs = [Hub(self.line, *host) for host in HOSTS]
        self.known: list[dict[int, int]] = [{}, {}]  # slot -> version, as each hub last read it
        self.cursors = [0, 0]
        self.last: list[tuple[int, list[Any]] | None] = [None, None]
        self.table: Table = {}
        self.cleared: dict[int, bytes] = {}  # operation id of a slot's clearing
        self.generation = 0
        self.number = 0  # of the newest operation
        self.edits: list[int] = []  # kinds of what was done at the keypad itself

    def _ask(self, which: int, op: int, body: object) -> tuple[int, Any]:
        """Over a good line; in a new session where the other hub has taken the old one's place."""
        while True:
            try:
                return self.hubs[which].ask(op, body)
            except Gone:
                continue

    @rule(which=HUBS)
    def look(self, which: int) -> None:
        first: int | None = 1
        until = None
        while first is not None:
            _, (_, generation, first, slots) = self._ask(
                which, messages.OP_SINCE, [self.cursors[which], first, True]
            )
            until = generation if until is None else until
            for slot, version, flags, *_ in slots:
                if flags:
                    self.known[which][slot] = version
                else:
                    self.known[which].pop(slot, None)
        assert until is not None
        self.cursors[which] = until
        assert self.known[which] == {slot: held[0] for slot, held in self.table.items()}

    @rule(which=HUBS, slot=SLOTS, pin=PINS, fault=FAULTS, cut=CUTS)
    def put(self, which: int, slot: int, pin: bytes, fault: str, cut: tuple[int, str]) -> None:
        self.number += 1
        op_id = self.number.to_bytes(8, "big")
        fields = [self.known[which].get(slot, 0), slot, op_id, pin]
        self._write(which, messages.OP_PUT, fields, fault, cut)

    @rule(which=HUBS, slot=SLOTS, fault=FAULTS, cut=CUTS)
    def clear(self, which: int, slot: int, fault: str, cut: tuple[int, str]) -> None:
        self.number += 1
        fields = [self.known[which].get(slot, 0), slot, self.number.to_bytes(8, "big")]
        self._write(which, messages.OP_DEL, fields, fault, cut)

    @rule(which=HUBS, fault=FAULTS, cut=CUTS)
    def retry(self, which: int, fault: str, cut: tuple[int, str]) -> None:
        """The newest write once more, as after a loss or a restart of the hub."""
        if (last := self.last[which]) is not None:
            self._write(which, *last, fault, cut)

    @rule(pin=PINS)
    def add_at_the_keypad(self, pin: bytes) -> None:
        self.keypad.ask("press", f"{MASTER_PIN}#1#{pin.decode()}#*", rest_ms=10_000)
        self.edits.append(messages.EV_PROGRAMMING)
        if self._holder(pin) is None and len(self.table) < CAPACITY:
            slot = next(number for number in range(1, 100) if number not in self.table)
            self.generation += 1
            op_id = self.generation.to_bytes(8, "little")
            self.table[slot] = (self.generation, pin, op_id, messages.MAKER_KEYPAD)
            self.edits.append(messages.EV_SLOT_SET)

    @rule(pin=PINS)
    def delete_at_the_keypad(self, pin: bytes) -> None:
        self.keypad.ask("press", f"{MASTER_PIN}#2#{pin.decode()}#*", rest_ms=10_000)
        self.edits.append(messages.EV_PROGRAMMING)
        if (slot := self._holder(pin)) is not None:
            self.generation += 1
            del self.table[slot]
            self.cleared[slot] = bytes(8)
            self.edits.append(messages.EV_SLOT_CLEARED)

    @rule()
    def restart_keypad(self) -> None:
        self.keypad.restart()

    @rule(which=HUBS)
    def restart_hub(self, which: int) -> None:
        self.hubs[which].forget()

    @invariant()
    def table_is_the_model(self) -> None:
        if not hasattr(self, "table"):
            return
        generation, root, held = self.keypad.ask("table")
        found = {
            slot: (version, pin.encode(), bytes.fromhex(op_id), maker)
            for slot, version, _, pin, op_id, maker in held
        }
        assert (generation, found) == (self.generation, self.table)
        digest = Digest(4096)
        for slot, (version, *_) in self.table.items():
            digest.add(slot, version)
        assert root == digest.root().hex()

    @invariant()
    def each_edit_at_the_keypad_is_told_once(self) -> None:
        if hasattr(self, "edits"):
            assert [kind for _, kind, _, _ in self.keypad.ask("journal", 0)] == self.edits

    def _holder(self, pin: bytes) -> int | None:
        return next((slot for slot, held in self.table.items() if held[1] == pin), None)

    def _expected(self, which: int, op: int, fields: list[Any]) -> tuple[int, Table]:
        """The status of a write, and the table after it."""
        version, slot = fields[:2]
        op_id = fields[2]
        held = self.table.get(slot)
        after = dict(self.table)
        if op == messages.OP_DEL:
            if held is None:
                return (messages.ALREADY if self.cleared.get(slot) == op_id else messages.NOT_FOUND), after
            if held[0] != version:
                return messages.CONFLICT, after
            del after[slot]
            return messages.OK, after
        if held is not None and held[2] == op_id:
            return messages.ALREADY, after
        if version != (held[0] if held else 0):
            return messages.CONFLICT, after
        if self._holder(fields[3]) not in (None, slot):
            return messages.DUPLICATE, after
        if held is None and len(self.table) >= CAPACITY:
            return messages.NO_SPACE, after
        after[slot] = (self.generation + 1, fields[3], op_id, which + 1)
        return messages.OK, after

    def _write(self, which: int, op: int, fields: list[Any], fault: str, cut: tuple[int, str]) -> None:
        self._ask(which, messages.OP_PING, None)  # a session stands before anything is spoilt
        self.last[which] = (op, fields)
        status, after = self._expected(which, op, fields)
        spoils = {
            "request lost": (TO_DEVICE, 1),
            "reply lost": (TO_HOST, 1),
            "no request arrives": (TO_DEVICE, 1000),
            "no reply arrives": (TO_HOST, 1000),
        }
        direction, left = spoils.get(fault, (TO_HOST, 0))

        def cable(towards: bool, data: bytes) -> bytes:
            nonlocal left
            if towards == direction and left > 0:
                left -= 1
                return b""
            return data

        if fault == "power cut":
            self.keypad.ask("cut_at", *cut)
        cuts = self.line.power_cuts
        self.line.cable = cable
        try:
            body = [fields] if op == messages.OP_DEL else _put_body(*fields)
            answered, result = self.hubs[which].ask(op, body)
        except Gone:
            assert fault in ("no request arrives", "no reply arrives") or self.line.power_cuts > cuts
            happened = fault == "no reply arrives"
            if self.line.power_cuts > cuts:
                happened = self._was_written(after)
        else:
            assert (answered, result[0][1]) == (messages.OK, status), (fault, result)
            happened = True
        finally:
            self.line.cable = lambda towards, data: data
            self.keypad.ask("cut_at", 0, "all")
        if happened and status == messages.OK:
            self.generation += 1
            self.table = after
            if op == messages.OP_DEL:
                self.cleared[fields[1]] = fields[2]

    def _was_written(self, after: Table) -> bool:
        """Whether a write that the power cut met is there whole. If not, versions go on behind the torn record's."""
        generation, _, held = self.keypad.ask("table")
        found = {slot: bytes.fromhex(op_id) for slot, _, _, _, op_id, _ in held}
        if found == {slot: op_id for slot, (_, _, op_id, _) in after.items()}:
            return True
        assert found == {slot: op_id for slot, (_, _, op_id, _) in self.table.items()}, (
            "neither before nor after"
        )
        assert generation >= self.generation
        self.generation = generation
        return False


@pytest.fixture(scope="module")
def keypad(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[MicroPythonKeypad]:
    with running(tmp_path_factory.mktemp("hubs"), request.config.cache.mkdir("firmware")) as keypad:
        yield keypad


def test_two_hubs_and_a_person_under_faults_leave_the_table_of_the_model(
    keypad: MicroPythonKeypad, long: bool
) -> None:
    TwoHubs.keypad = keypad
    profile = settings(
        max_examples=2000 if long else 60,
        stateful_step_count=60 if long else 30,
        deadline=None,
        derandomize=not long,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(TwoHubs, settings=profile)
