"""Local programming key by key: what the master PIN's holder can do to codes, and what the journal says of it."""

import esp32_time

import board
import time
from doorpad_fw import keys
from doorpad_fw.clock_setting import set_time
from doorpad_fw.slots import op_id_at
from doorpad_link import messages

from cases import cases, equal
from journal_entries import entries_after
from keypad_parts import MASTER, Keypad, put_body
from strike_watch import strike, with_loop

HEAP = "400K"
BEGIN = MASTER.decode() + "#"

_buzzer = []
board.watch(lambda name, level: name == "buzzer" and _buzzer.append((esp32_time.now_ms(), level)))


def test_master_pin_adds_and_deletes_codes_and_each_is_journaled():
    def play():
        keypad = Keypad()
        keypad.enter(MASTER.decode() + "#1#5555#2#5555#*5555#")
        wanted = [
            (messages.EV_PROGRAMMING, 0, 0),
            (messages.EV_SLOT_SET, 0, 1),
            (messages.EV_SLOT_CLEARED, 0, 1),
            (messages.EV_DENIED, messages.UNKNOWN_PIN, 0),
        ]
        equal(keypad.entries(), wanted)
        equal((keypad.slots.used, keypad.slots.generation), (0, 2))

    with_loop(play)
    equal(strike, [])


def test_code_added_at_the_keypad_opens_and_says_that_it_came_from_there():
    def play():
        keypad = Keypad()
        keypad.enter(MASTER.decode() + "#1#5555#*")
        keypad.enter("5555#")
        slot = keypad.slots.get(keypad.slots.find(b"5555").number)
        equal((slot.number, slot.flags, slot.maker), (1, messages.ENABLED | messages.FROM_KEYPAD, 0))

    with_loop(play)
    equal(strike, [1, 0])


NOON = 1_794_916_800  # 2026-11-17T12:00:00Z
DAY_S = 86_400


def _at(keypad, unix_s):
    """Hold the keypad's clock at this second, trusted as after a hub has set it."""
    time.freeze(unix_s)
    set_time(keypad.clock, unix_s, 0, (0, 0), 1)


def _decision(keypad, pin):
    keypad.enter(pin + "#")
    return keypad.entries()[-1][:2]


@cases(1, 14, 365)
def test_code_for_days_opens_from_now_on_until_as_many_days_later_to_the_second(days):
    def play():
        keypad = Keypad()
        _at(keypad, NOON)
        keypad.enter(BEGIN + "6#%d#5555#*" % days)
        for unix_s, decision in (
            (NOON, (messages.EV_GRANTED, messages.GRANTED)),
            (NOON + days * DAY_S - 1, (messages.EV_GRANTED, messages.GRANTED)),
            (NOON + days * DAY_S, (messages.EV_DENIED, messages.TOO_LATE)),
        ):
            _at(keypad, unix_s)
            equal(_decision(keypad, "5555"), decision, unix_s - NOON)
        time.freeze(None)

    with_loop(play)


@cases("0", "366", "1000", "9999999999999999")
def test_number_of_days_that_no_code_may_have_adds_none(days):
    def play():
        keypad = Keypad()
        _at(keypad, NOON)
        for command in "68":
            keypad.enter(BEGIN + command + "#" + days + "#5555#*")
        equal(keypad.slots.used, 0)
        time.freeze(None)

    with_loop(play)


def test_code_for_days_is_not_added_while_the_clock_is_not_trusted():
    def play():
        keypad = Keypad()
        keypad.enter(BEGIN + "6#14#5555#8#14#6666#*")
        equal((keypad.slots.used, keypad.kinds()), (0, [(messages.EV_PROGRAMMING, 0)]))

    with_loop(play)


def test_code_that_opens_once_opens_once_and_within_its_days_alone():
    def play():
        keypad = Keypad()
        _at(keypad, NOON)
        keypad.enter(BEGIN + "7#5555#8#2#6666#8#2#7777#*")
        equal(_decision(keypad, "5555"), (messages.EV_GRANTED, messages.GRANTED))
        equal(_decision(keypad, "5555"), (messages.EV_DENIED, messages.USED_UP))
        equal(_decision(keypad, "6666"), (messages.EV_GRANTED, messages.GRANTED))
        equal(_decision(keypad, "6666"), (messages.EV_DENIED, messages.USED_UP))
        _at(keypad, NOON + 2 * DAY_S)
        equal(_decision(keypad, "7777"), (messages.EV_DENIED, messages.TOO_LATE))
        time.freeze(None)

    with_loop(play)


def test_code_for_duress_opens_and_is_told_apart_in_the_journal():
    def play():
        keypad = Keypad()
        keypad.enter(BEGIN + "9#5555#*")
        equal(_decision(keypad, "5555"), (messages.EV_GRANTED, messages.UNDER_DURESS))

    with_loop(play)


def test_code_that_is_given_another_pin_keeps_its_days_and_that_it_opens_once():
    def play():
        keypad = Keypad()
        _at(keypad, NOON)
        keypad.enter(BEGIN + "8#2#5555#3#5555#6666#*")
        slot = keypad.slots.find(b"6666")
        equal((slot.until_s - slot.from_s, slot.flags & messages.COUNTED), (2 * DAY_S, messages.COUNTED))
        equal(_decision(keypad, "6666"), (messages.EV_GRANTED, messages.GRANTED))
        equal(_decision(keypad, "6666"), (messages.EV_DENIED, messages.USED_UP))
        time.freeze(None)

    with_loop(play)


@cases("123", "1234567890123", "99887766", "4711")
def test_pin_that_cannot_be_added_changes_nothing(pin):
    # Too short, too long, the master PIN, and one that a slot has.
    def play():
        keypad = Keypad()
        keypad.add(9, b"4711")
        keypad.enter(MASTER.decode() + "#1#" + pin + "#*")
        equal((keypad.slots.used, keypad.slots.generation), (1, 1))
        equal([kind for kind, _, _ in keypad.entries()], [messages.EV_PROGRAMMING])

    with_loop(play)


def test_full_table_takes_no_code_at_the_keypad():
    def play():
        keypad = Keypad(capacity=1)
        keypad.add(9, b"4711")
        keypad.enter(MASTER.decode() + "#1#5555#*")
        equal((keypad.slots.used, keypad.slots.find(b"5555")), (1, None))

    with_loop(play)


def test_pause_of_30_seconds_ends_programming():
    def play():
        keypad = Keypad()
        keypad.enter(MASTER.decode() + "#1#")
        esp32_time.advance(30_000)
        keypad.door.tick()
        keypad.enter("5555#")
        equal(keypad.entries()[-1][:2], (messages.EV_DENIED, messages.UNKNOWN_PIN))
        equal(keypad.slots.used, 0)

    with_loop(play)


def test_without_a_master_pin_no_entry_opens_local_programming():
    def play():
        keypad = Keypad(master=None)
        for pin in (MASTER.decode(), "0" * 8, "0" * 4):
            keypad.enter(pin + "#")
        equal(keypad.kinds(), [(messages.EV_DENIED, messages.UNKNOWN_PIN)] * 3)

    with_loop(play)


def test_local_programming_switched_off_makes_the_master_pin_a_wrong_one():
    def play():
        keypad = Keypad(programming=0)
        keypad.enter(MASTER.decode() + "#1#5555#")
        equal(keypad.kinds()[0], (messages.EV_DENIED, messages.UNKNOWN_PIN))
        equal(keypad.slots.used, 0)

    with_loop(play)


def test_local_programming_that_is_switched_off_ends_for_whoever_is_at_it():
    def play():
        keypad = Keypad()
        keypad.enter(BEGIN + "1#")
        keypad.settings["programming"] = 0
        keypad.door.tick()
        keypad.enter("5555#")
        equal(keypad.kinds()[-1], (messages.EV_DENIED, messages.UNKNOWN_PIN))
        equal(keypad.slots.used, 0)

    with_loop(play)


def test_code_given_another_pin_keeps_its_slot_window_and_owner():
    def play():
        keypad = Keypad()
        owner = bytes(range(16))
        put = put_body(7, b"4711", window=(1_800_000_000, 1_800_003_600), code_id=owner)
        equal(keypad.operations.serve(1, messages.OP_PUT, put)[1], [(7, messages.OK, 1)])
        before = keypad.slots.get(7)
        keypad.enter(BEGIN + "3#4711#5555#*")
        slot = keypad.slots.get(keypad.slots.find(b"5555").number)
        equal((slot.number, slot.version, slot.maker, slot.op_id), (7, 2, messages.MAKER_KEYPAD, op_id_at(2)))
        equal((slot.from_s, slot.until_s, slot.access_code_id), (before.from_s, before.until_s, owner))
        equal(slot.flags, before.flags | messages.FROM_KEYPAD)
        equal(keypad.slots.find(b"4711"), None)
        equal(keypad.entries()[1:], [(messages.EV_SLOT_CHANGED, 0, 7)])

    with_loop(play)


def test_code_of_the_keypad_with_another_pin_is_another_code():
    def play():
        keypad = Keypad()
        keypad.enter(BEGIN + "1#4711#3#4711#5555#*")
        told = [(it.kind, it.slot, it.version) for it in entries_after(keypad.journal, 0) if it.slot]
        equal(
            told,
            [(messages.EV_SLOT_SET, 1, 1), (messages.EV_SLOT_CLEARED, 1, 1), (messages.EV_SLOT_SET, 1, 2)],
        )
        equal(keypad.slots.get(1).op_id, op_id_at(2))

    with_loop(play)


def test_code_of_the_keypad_is_told_by_the_version_under_which_it_was_made_however_often_it_is_used():
    def play():
        keypad = Keypad()
        keypad.enter(BEGIN + "7#4711#*4711#4711#" + BEGIN + "2#4711#*")
        told = [(it.kind, it.slot, it.version) for it in entries_after(keypad.journal, 0) if it.slot]
        kinds = messages.EV_SLOT_SET, messages.EV_GRANTED, messages.EV_DENIED, messages.EV_SLOT_CLEARED
        equal(told, [(kind, 1, 1) for kind in kinds])

    with_loop(play)


@cases("0815#5555", "4711#123", "4711#1234567890123", "4711#99887766", "4711#2222")
def test_change_that_cannot_be_done_changes_nothing(numbers):
    # No such code; too short, too long, the master PIN, the PIN of another code.
    def play():
        keypad = Keypad()
        keypad.add(9, b"4711")
        keypad.add(10, b"2222")
        keypad.enter(BEGIN + "3#" + numbers + "#*")
        equal((keypad.slots.generation, keypad.slots.find(b"4711").number), (2, 9))
        equal(keypad.kinds(), [(messages.EV_PROGRAMMING, 0)])

    with_loop(play)


# Digits are told by beeps of 0.1 s every 0.3 s, a zero by one of 0.6 s.
@cases((0, [600]), (3, [100, 100, 100]), (12, [100, 100, 100]), (20, [100, 100, 600]))
def test_count_of_codes_is_told_by_beeps(case):
    number, lengths_ms = case

    def play():
        keypad = Keypad()
        for n in range(1, number + 1):
            keypad.add(n, b"%04d" % n)
        keypad.enter(BEGIN + "4#")
        _buzzer.clear()

    with_loop(play)
    pairs = list(zip(_buzzer[::2], _buzzer[1::2]))
    equal([off[0] - on[0] for on, off in pairs], lengths_ms)
    equal([level for _, level in _buzzer], [1, 0] * len(lengths_ms))
    if number == 12:  # 1, then 2: a longer pause between the digits
        pauses = [later[0][0] - earlier[1][0] for earlier, later in zip(pairs, pairs[1:])]
        equal(pauses, [900, 200])


def test_new_master_pin_counts_at_once_and_after_a_restart_and_the_old_one_no_more():
    def play():
        keypad = Keypad()
        keypad.enter(BEGIN + "5#24681357#24681357#*")
        keypad.enter("24681357#*" + BEGIN)
        wanted = [
            messages.EV_PROGRAMMING,
            messages.EV_MASTER_CHANGED,
            messages.EV_PROGRAMMING,
            messages.EV_DENIED,
        ]
        equal([kind for kind, _, _ in keypad.entries()], wanted)
        stored = keys.load()
        keypad.identity.master_tag = stored.master_tag
        equal((keypad.door.is_master(b"24681357"), keypad.door.is_master(MASTER)), (True, False))

    with_loop(play)


@cases("24681357#24681358", "123#123", "1234567890123#1234567890123", "4711#4711")
def test_master_pin_that_cannot_be_set_leaves_the_old_one(numbers):
    # Not twice the same; too short; too long; the PIN of a code.
    def play():
        keypad = Keypad()
        keypad.add(9, b"4711")
        keypad.enter(BEGIN + "5#" + numbers + "#*")
        equal(keypad.kinds(), [(messages.EV_PROGRAMMING, 0)])
        equal(keypad.door.is_master(MASTER), True)

    with_loop(play)
