"""Power is cut at every flash operation of a workload on the slot table, and again while it recovers.

The workload runs once, traced, over few enough segments that it has to copy and erase. Then, for each operation,
flash is brought to where it stood, the operation is torn, and the table is mounted: every acknowledged
change is there, the one in flight is old or new.
"""

import hashlib
import random
import struct

from doorpad_fw import slots as slots_module
from doorpad_fw.log import Log
from doorpad_fw.slots import LAYOUT, Slot, Slots
from doorpad_link import messages

from cases import cases, equal
from ram_flash import TEARS, Flash, PowerCut

HEAP = "400K"
SEGMENTS = 5
NUMBERS = 90  # more than fit in one segment of 63: what is reclaimed has records to be copied
DEVICE_KEY = bytes(range(32))
PINS = [b"%04d" % (n * 37) for n in range(110)]


def _mount(flash):
    return Slots(Log(flash, 0, SEGMENTS, LAYOUT, lambda: b"abcd"), 4096, DEVICE_KEY)


def _content(slots, number):
    slot = slots.get(number)
    if slot is None:
        return None
    return (slot.pin, slot.version, slot.flags, slot.from_s, slot.until_s, slot.op_id)


def _step(slots, model, op):
    # One random change that must succeed; returns (number, content before, content after).
    number = random.randrange(1, NUMBERS + 1)
    before = model.get(number)
    version = before[1] if before else 0
    op_id = op.to_bytes(8, "big")
    if before is not None and random.randrange(4) == 0:
        equal(slots.clear(number, version, op_id, 1)[0], messages.OK)
        model[number] = None
    else:
        taken = {content[0] for n, content in model.items() if content and n != number}
        pin = random.choice([pin for pin in PINS if pin not in taken])
        from_s = random.randrange(1 << 30)
        slot = Slot(number, 0, messages.ENABLED, from_s, from_s + 60, 1, op_id, bytes(16), pin)
        status, version = slots.put(version, slot)
        equal(status, messages.OK)
        model[number] = (pin, version, messages.ENABLED, from_s, from_s + 60, op_id)
    return number, before, model[number]


def _workload(steps_before, steps_traced):
    # Returns (image when tracing began, model then, trace, [(operations done, number, content)]).
    flash = Flash(SEGMENTS)
    slots = _mount(flash)
    model = {}
    for op in range(1, steps_before + 1):
        _step(slots, model, op)
    image = bytes(flash.image)
    start = dict(model)
    flash.trace = []
    steps = []
    for op in range(steps_before + 1, steps_before + steps_traced + 1):
        number, _, after = _step(slots, model, op)
        steps.append((len(flash.trace), number, after))
    return image, start, flash.trace, steps


_of_slots = {}


def _root(versions):
    # What the digest of a table is, put together from protocol/README.md, section 4.
    total = 0
    for slot in versions.items():
        if slot not in _of_slots:
            _of_slots[slot] = int.from_bytes(hashlib.sha256(struct.pack(">HI", *slot)).digest()[:8], "big")
        total += _of_slots[slot]
    return (total % (1 << 64)).to_bytes(8, "big")


def _check(slots, model, in_flight, generation, starts=1):
    # `in_flight`: (number, content after) of the change that the cut struck, or None.
    holders = {}
    for number in range(1, NUMBERS + 1):
        content = _content(slots, number)
        wanted = model.get(number)
        if in_flight and number == in_flight[0] and content != wanted:
            equal(content, in_flight[1], "slot %d in flight is neither old nor new" % number)
        else:
            equal(content, wanted, "slot %d" % number)
        if content:
            holders[content[0]] = number
            assert content[1] <= slots.generation, "a slot is newer than the table"
    for pin in PINS:
        found = slots.find(pin)
        equal(found.number if found else None, holders.get(pin), "holder of PIN %r" % pin)
    equal(slots.used, len(holders), "used")
    equal(slots.digest.root(), _root({n: _content(slots, n)[1] for n in holders.values()}), "digest")
    # One for the change in flight. Of each torn record the version is left out, for it may have been told, and the
    # record that keeps the generation takes another.
    assert generation <= slots.generation <= generation + 1 + 2 * starts, "generation %d" % slots.generation


class _Walk:
    """Brings one flash to each place of a traced workload in turn."""

    def __init__(self, workload):
        image, self.model, self._trace, self._steps = workload
        self.base = Flash(SEGMENTS)
        self.base.image[:] = image
        self.generation = _mount(self.base).generation

    def cuts(self, flash, tear):
        """Yield the change in flight at each cut, with `flash` torn there; `model` is what was acknowledged."""
        following = 0
        for done, (at, data) in enumerate(self._trace):
            while self._steps[following][0] <= done:
                _, number, after = self._steps[following]
                self.model[number] = after
                self.generation += 1
                following += 1
            flash.image[:] = self.base.image
            flash.power_up()
            flash.apply(at, data, tear)
            yield self._steps[following][1:]
            self.base.apply(at, data, "all")


@cases("nothing", "half", "all")
def test_power_cut_at_every_operation_keeps_what_was_acknowledged(tear):
    random.seed(1)
    walk = _Walk(_workload(300, 90))
    flash = Flash(SEGMENTS)
    cuts = old = new = 0
    for in_flight in walk.cuts(flash, tear):
        slots = _mount(flash)
        _check(slots, walk.model, in_flight, walk.generation)
        if _content(slots, in_flight[0]) == in_flight[1]:
            new += 1
        else:
            old += 1
        cuts += 1
    assert cuts > 170, "the workload copied too little: %d cuts" % cuts
    assert new and old, "%d new, %d old: one side was never seen" % (new, old)


@cases("nothing", "half", "all")
def test_power_cut_again_while_recovering_keeps_what_was_acknowledged(tear):
    random.seed(2)
    walk = _Walk(_workload(260, 60))
    flash = Flash(SEGMENTS)
    torn = Flash(SEGMENTS)
    recoveries = 0
    for in_flight in walk.cuts(flash, "half"):
        torn.image[:] = flash.image
        before = flash.operations
        _mount(flash)
        needed = flash.operations - before
        # Every operation of a short recovery; of a long one, that copies a segment, each ninth.
        for operation in range(1, needed + 1, 1 if needed < 4 else 9):
            flash.image[:] = torn.image
            flash.cut_at(operation, tear)
            try:
                _mount(flash)
                raise AssertionError("the power did not go")
            except PowerCut:
                pass
            flash.power_up()
            _check(_mount(flash), walk.model, in_flight, walk.generation, 2)
            recoveries += 1
    assert recoveries > 20, "recovery was cut only %d times" % recoveries


def test_power_cut_reaches_the_caller_and_the_next_write_goes_on():
    random.seed(3)
    flash = Flash(SEGMENTS)
    model = {}
    slots = _mount(flash)
    op = 0
    for round_ in range(60):
        flash.cut_at(random.randrange(1, 40), random.choice(TEARS))
        generation = slots.generation
        try:
            while True:
                op += 1
                acknowledged = dict(model)
                generation = slots.generation
                _step(slots, model, op)
        except PowerCut:
            pass
        flash.power_up()
        slots = _mount(flash)
        # The step that was struck left no trace in the model: take old or new from flash, and nothing else.
        changed = [n for n in range(1, NUMBERS + 1) if _content(slots, n) != acknowledged.get(n)]
        assert len(changed) <= 1, "round %d: slots %r changed" % (round_, changed)
        model = acknowledged
        for number in changed:
            content = _content(slots, number)
            assert content is None or content[5] == op.to_bytes(8, "big"), "slot %d is mixed" % number
            model[number] = content
        _check(slots, model, None, slots.generation)
        assert slots.generation >= generation, "the generation went back"


def test_the_workload_goes_around_the_flash():
    random.seed(1)
    flash = Flash(SEGMENTS)
    slots = _mount(flash)
    model = {}
    for op in range(1, 501):
        _step(slots, model, op)
    assert flash.erases >= 2, flash.erases
    assert flash.operations > 500 + 60, "no record was copied: %d operations" % flash.operations
    equal(slots_module.RECORD_BYTES, 64)
