"""Codes that open so many times and no more: their uses at the door, through restarts, power cuts and bad flash."""

import esp32_time  # noqa: F401  # isort: skip - before anything takes hold of the time

import struct

from doorpad_link import messages

from cases import cases, equal
from journal_entries import entries_after
from keypad_parts import SEGMENTS, Keypad, put_body
from ram_flash import Flash, PowerCut
from strike_watch import strike, with_loop

HEAP = "700K"
MAKER = 1  # keypad_parts.py's

ONCE = messages.ENABLED | messages.COUNTED
THRICE = ONCE | 2 * messages.ONE_MORE_USE


def test_one_time_code_opens_once_also_across_a_restart():
    def play():
        keypad = Keypad()
        keypad.add(7, b"4711", ONCE)
        keypad.enter("4711#4711#")
        keypad = Keypad(keypad.flash)
        keypad.enter("4711#")
        wanted = [(messages.EV_GRANTED, messages.GRANTED, 7)] + [
            (messages.EV_DENIED, messages.USED_UP, 7)
        ] * 2
        equal(keypad.entries(), wanted)
        # The entry names the code as it was made: that is how a hub knows it.
        equal([entry.version for entry in entries_after(keypad.journal, 0, 1)], [1])
        slot = keypad.slots.get(7)
        equal((slot.flags, slot.version, slot.maker), (ONCE | messages.SPENT, 2, MAKER))
        equal(keypad.journal.lockout & 7, 0, "no wrong try")

    with_loop(play)
    equal(strike, [1, 0])


def test_counted_code_opens_as_often_as_it_says_also_across_restarts():
    def play():
        keypad = Keypad()
        keypad.add(7, b"4711", THRICE)
        left = []
        for _ in range(5):
            keypad.enter("4711#")
            left.append(keypad.slots.get(7).flags)
            keypad = Keypad(keypad.flash)
        equal(left, [THRICE - messages.ONE_MORE_USE, ONCE] + [ONCE | messages.SPENT] * 3)
        opened = [kind for kind, _, slot in keypad.entries() if slot == 7]
        equal(opened, [messages.EV_GRANTED] * 3 + [messages.EV_DENIED] * 2)

    with_loop(play)


def _uses_left(flags):
    return 0 if flags & messages.SPENT else (flags >> 8) + 1


def _full_to_the_next_segment(keypad):
    # The next record opens a segment, and another has to be copied and erased for it.
    keypad.add(1, b"1111")
    op = 0
    while keypad.slots.log.has_room() or keypad.slots.log.free_segments > 2:
        op += 1
        slot = keypad.slots.get(1)
        slot.op_id = op.to_bytes(8, "big")
        equal(keypad.slots.put(slot.version, slot)[0], messages.OK)


def _use_with_a_cut(flash, flags, operation, tear):
    # Enter the code of `flags` and cut the power in this operation; returns (opened, used, whether the cut came).
    seen = []

    def play():
        keypad = Keypad(flash)
        flash.cut_at(operation, tear)
        try:
            keypad.enter("4711#")
            was_cut = False
        except PowerCut:
            was_cut = True
        opened = strike.count(1)
        flash.power_up()
        keypad = Keypad(flash)
        left = _uses_left(keypad.slots.find(b"4711").flags)
        used = _uses_left(flags) - left
        what = "operation %d: opened %d, %d used" % (operation, opened, used)
        # The strike never moves before its use is on flash; a cut may cost that one, and no other.
        assert opened <= used <= 1, what
        keypad.enter("4711#" * (left + 1))
        kinds = [kind for kind, _, slot in keypad.entries() if slot == 7]
        equal(kinds[-left - 1 :], [messages.EV_GRANTED] * left + [messages.EV_DENIED], what)
        seen.append((opened, used, was_cut))

    with_loop(play)
    return seen[0]


@cases("nothing", "half", "all")
def test_power_cut_at_any_operation_of_a_use_never_opens_once_too_often(tear):
    flash = Flash(2 * SEGMENTS)
    for opens_segment in (False, True):
        seen = set()
        for flags in (ONCE, THRICE):
            for block in range(2 * SEGMENTS):
                flash.ioctl(6, block)
            keypad = Keypad(flash)
            keypad.add(7, b"4711", flags)
            if opens_segment:
                _full_to_the_next_segment(keypad)
            before = bytes(flash.image)
            operation, was_cut = 0, True
            while was_cut:
                operation += 1
                flash.image[:] = before
                opened, used, was_cut = _use_with_a_cut(flash, flags, operation, tear)
                seen.add((opened, used))
            assert operation > (4 if opens_segment else 3), "the use took %d operations" % (operation - 1)
        # Not yet used; used, and still shut; opened.
        equal(sorted(seen), [(0, 0), (0, 1), (1, 1)][1 if tear == "all" and not opens_segment else 0 :])


def test_one_time_code_that_flash_cannot_spend_opens_nothing():
    def play():
        keypad = Keypad()
        keypad.add(7, b"4711", ONCE)
        for place in (2, 3, 4):
            keypad.flash.stuck[64 * place + 9] = 0xFF
        keypad.enter("4711#")
        equal(keypad.entries(), [(messages.EV_DENIED, messages.CANNOT_SPEND, 7)])
        equal(strike, [])
        keypad.enter("4711#")
        equal(keypad.entries()[-1], (messages.EV_GRANTED, messages.GRANTED, 7))

    with_loop(play)
    equal(strike, [1, 0])


def test_codes_that_an_application_of_format_1_wrote_are_counted():
    # Its records had one byte of flags, and none for a count: 8 opened once, and 64 said that it has.
    def play():
        keypad = Keypad()
        keypad.add(1, b"1111", ONCE)
        keypad.add(2, b"2222", ONCE | messages.SPENT)
        keypad.add(3, b"3333")
        records = [bytes(keypad.flash.image[64 * place : 64 * place + 60]) for place in (1, 2, 3)]
        flags = [struct.unpack_from("<BBHIBxIIH8s16s16s", record)[4] for record in records]
        equal((flags, [record[9] for record in records]), ([10, 74, 2], [0, 0, 0]))
        keypad = Keypad(keypad.flash)
        keypad.enter("1111#1111#2222#3333#3333#")
        kinds = [(kind, slot) for kind, _, slot in keypad.entries()]
        granted, denied = messages.EV_GRANTED, messages.EV_DENIED
        equal(kinds, [(granted, 1), (denied, 1), (denied, 2), (granted, 3), (granted, 3)])

    with_loop(play)


def test_put_that_comes_again_does_not_renew_a_spent_code():
    def play():
        keypad = Keypad()

        def put():
            return keypad.operations.serve(1, messages.OP_PUT, put_body(7, b"4711", flags=ONCE))

        equal(put(), (messages.OK, [(7, messages.OK, 1)]))
        keypad.enter("4711#")
        equal(put(), (messages.OK, [(7, messages.ALREADY, 2)]))
        keypad.enter("4711#")
        equal(keypad.entries()[-1][:2], (messages.EV_DENIED, messages.USED_UP))

    with_loop(play)
    equal(strike, [1, 0])
