"""The door as a whole, key by key, on flash in RAM: decisions, lockout, power cuts and local programming."""

import esp32_time

import board
from doorpad_fw import health, inputs, pins
from doorpad_link import messages

from cases import cases, equal
from keypad_parts import MASTER, Keypad
from ram_flash import PowerCut
from strike_watch import strike, with_loop

HEAP = "400K"
UNIX_OF_2000 = 946_684_800
NOW_UNIX = 1_800_000_000
NOW_S = NOW_UNIX - UNIX_OF_2000


def test_right_pin_opens_and_is_journaled_with_its_slot():
    def play():
        keypad = Keypad()
        keypad.add(7, b"4711")
        keypad.enter("4711#")
        equal(keypad.entries(), [(messages.EV_GRANTED, messages.GRANTED, 7)])

    with_loop(play)
    equal(strike, [1, 0])


@cases(
    ("unknown", "0815#", 0),
    ("disabled", "1111#", 0),
    ("clock unknown", "2222#", 0),
    ("too early", "2222#", -1),
    ("too late", "2222#", 100),
)
def test_refused_pin_leaves_thestrike_alone_and_says_why(situation):
    name, keys, offset_s = situation
    reasons = {
        "unknown": messages.UNKNOWN_PIN,
        "disabled": messages.DISABLED,
        "clock unknown": messages.CLOCK_UNKNOWN,
        "too early": messages.TOO_EARLY,
        "too late": messages.TOO_LATE,
    }

    def play():
        keypad = Keypad()
        keypad.add(1, b"1111", flags=messages.MANAGED)
        keypad.add(2, b"2222", messages.ENABLED | messages.TIME_BOUND, NOW_S, NOW_S + 100)
        if name != "clock unknown":
            keypad.clock.move((NOW_UNIX + offset_s - UNIX_OF_2000, 0), (0, 0), 1, 0)
        keypad.enter(keys)
        slot = {"0815#": 0, "1111#": 1, "2222#": 2}[keys]
        equal(keypad.entries(), [(messages.EV_DENIED, reasons[name], slot)])

    with_loop(play)
    equal(strike, [])


def test_lockout_examines_nothing_and_ends_by_itself():
    def play():
        keypad = Keypad()
        keypad.add(7, b"4711")
        for _ in range(5):
            keypad.enter("0000#")
        keypad.enter("4711#")
        esp32_time.advance(29_999)
        keypad.door.tick()
        keypad.enter("4711#")
        equal(strike, [])
        esp32_time.advance(1)
        keypad.door.tick()
        keypad.enter("4711#")
        wanted = [(messages.EV_DENIED, messages.UNKNOWN_PIN, 0)] * 5 + [(messages.EV_LOCKOUT, 1, 0)]
        wanted += [(messages.EV_DENIED, messages.LOCKED_OUT, 0)] * 2  # nothing tells that the PIN was right
        wanted += [(messages.EV_LOCKOUT_END, 0, 0), (messages.EV_GRANTED, 0, 7)]
        equal(keypad.entries(), wanted)

    with_loop(play)
    equal(strike, [1, 0])


def test_master_pin_is_not_examined_during_a_lockout():
    def play():
        keypad = Keypad()
        for _ in range(5):
            keypad.enter("0000#")
        keypad.enter(MASTER.decode() + "#")
        keypad.enter("1#5555#")
        equal(keypad.slots.used, 0)

    with_loop(play)


def test_right_pin_outside_its_window_is_no_wrong_try():
    def play():
        keypad = Keypad()
        keypad.add(2, b"2222", messages.ENABLED | messages.TIME_BOUND, NOW_S, NOW_S + 100)
        keypad.clock.move((NOW_UNIX - 10 - UNIX_OF_2000, 0), (0, 0), 1, 0)
        for _ in range(12):
            keypad.enter("2222#")
        equal(keypad.kinds(), [(messages.EV_DENIED, messages.TOO_EARLY)] * 12)

    with_loop(play)


@cases(1, 2, 3, 4)
def test_power_cut_between_wrong_tries_forgives_none(tries):
    def play():
        keypad = Keypad()
        for _ in range(tries):
            keypad.enter("0000#")
        keypad = Keypad(keypad.flash)
        for _ in range(5 - tries):
            keypad.enter("0000#")
        equal(keypad.entries()[-1][:2], (messages.EV_LOCKOUT, 1))

    with_loop(play)


def test_power_cut_in_a_lockout_keeps_entry_shut():
    def play():
        keypad = Keypad()
        keypad.add(7, b"4711")
        for _ in range(5):
            keypad.enter("0000#")
        esp32_time.advance(25_000)
        keypad = Keypad(keypad.flash)
        keypad.enter("4711#")
        esp32_time.advance(29_000)
        keypad.door.tick()
        keypad.enter("4711#")
        equal(strike, [])
        esp32_time.advance(1_000)
        keypad.door.tick()
        keypad.enter("4711#")

    with_loop(play)
    equal(strike, [1, 0])


def test_uptime_counts_across_the_wrap_of_ticks():
    def play():
        esp32_time.set_ticks(esp32_time.PERIOD_MS - 1500)
        keypad = Keypad()
        for _ in range(20):
            esp32_time.advance(86_400_000)  # a day
            keypad.door.tick()
        equal(keypad.door.uptime_ms(), 20 * 86_400_000)

    with_loop(play)


@cases(0, 1, 7, 12, 13)
def test_button_during_a_pulse_is_journaled_however_long_ago_it_was_before(days):
    def play():
        keypad = Keypad()
        keypad.add(7, b"4711")
        for _ in range(days):
            esp32_time.advance(86_400_000)
            keypad.door.tick()
        esp32_time.advance(1000)
        keypad.enter("4711#")
        keypad.door.input(inputs.EXIT, True)
        equal(keypad.kinds()[-1], (messages.EV_EXIT, 0))

    with_loop(play)


def test_uptime_starts_again_at_32_bits():
    def play():
        keypad = Keypad()
        for _ in range(50):
            esp32_time.advance(86_400_000)
            keypad.door.tick()
        equal(keypad.door.uptime_ms(), 50 * 86_400_000 - (1 << 32))

    with_loop(play)


def test_wrong_pin_counts_before_anyone_can_see_the_refusal():
    # Power that goes at the red light must not win back a try.
    def play():
        keypad = Keypad()
        for tries in range(1, 5):
            keypad.flash.cut_at(1, "all")
            try:
                keypad.enter("0000#")
                raise AssertionError("nothing was written")
            except PowerCut:
                pass
            equal(board.read(pins.LED_RED), 0, "the red light before the entry was on flash")
            keypad.flash.power_up()
            keypad = Keypad(keypad.flash)
            equal(keypad.journal.lockout & 7, tries)

    with_loop(play)


def test_worn_out_flash_does_not_keep_the_door_shut():
    def play():
        keypad = Keypad()
        keypad.add(7, b"4711")
        for address in range(4 * 4096, 8 * 4096, 16):
            keypad.flash.stuck[address] = 0xFF
        keypad.enter("4711#")
        equal(keypad.entries(), [])

    with_loop(play)
    equal(strike, [1, 0])


def test_duress_code_looks_and_sounds_like_any_other_and_the_journal_says_it():
    seen = []
    board.watch(lambda name, level: seen.append((esp32_time.now_ms(), name, level)))

    def play(flags, reason):
        keypad = Keypad()
        keypad.add(7, b"4711", flags)
        seen.clear()
        keypad.enter("4711#")
        equal(keypad.entries(), [(messages.EV_GRANTED, reason, 7)])

    shown = []
    for flags, reason in ((0, messages.GRANTED), (messages.DURESS, messages.UNDER_DURESS)):
        with_loop(lambda: play(messages.ENABLED | flags, reason))  # noqa: B023 - it is called at once
        shown.append([(at - seen[0][0], name, level) for at, name, level in seen])
    equal(shown[1], shown[0])
    assert ("strike", 1) in [(name, level) for _, name, level in shown[0]], shown


def test_stuck_key_is_journaled_and_is_a_matter_of_health_until_all_are_free():
    health.bits = 0
    keypad = Keypad()
    for key, stuck, bits in (("5", True, 64), ("*", True, 64), ("5", False, 64), ("*", False, 0)):
        keypad.door.key_stuck(key, stuck)
        equal(health.bits, bits, (key, stuck))
    stuck, freed = messages.EV_KEY_STUCK, messages.EV_KEY_FREED
    equal(keypad.kinds(), [(stuck, 0x35), (stuck, 0x2A), (freed, 0x35), (freed, 0x2A)])


def _at_both(keypad, at_matrix, at_wiegand):
    """Press keys of both keypads in turn."""
    for one, other in zip(at_matrix, at_wiegand):
        keypad.door.key(one)
        keypad.door.wiegand_key(other)


def test_codes_that_are_typed_at_both_keypads_at_once_do_not_mix():
    def play():
        keypad = Keypad()
        keypad.add(7, b"4711")
        keypad.add(8, b"2222")
        _at_both(keypad, "4711#", "2222#")
        equal(keypad.entries(), [(messages.EV_GRANTED, 0, 7), (messages.EV_GRANTED, 0, 8)])

    with_loop(play)


def test_one_time_code_that_is_typed_at_both_keypads_at_once_opens_once():
    def play():
        keypad = Keypad()
        keypad.add(7, b"4711", messages.ENABLED | messages.COUNTED)
        _at_both(keypad, "4711#", "4711#")
        equal(keypad.entries(), [(messages.EV_GRANTED, 0, 7), (messages.EV_DENIED, messages.USED_UP, 7)])

    with_loop(play)


def test_wrong_codes_at_both_keypads_shut_both():
    def play():
        keypad = Keypad()
        keypad.add(7, b"4711")
        _at_both(keypad, "0000#" * 3, "0000#" * 3)
        _at_both(keypad, "4711#", "4711#")
        equal(keypad.kinds()[-2:], [(messages.EV_DENIED, messages.LOCKED_OUT)] * 2)

    with_loop(play)


def test_stranger_at_the_other_keypad_cannot_program_while_the_installer_does():
    def play():
        keypad = Keypad()
        keypad.enter(MASTER.decode() + "#")
        for key in "1#5555#*":
            keypad.door.wiegand_key(key)
        equal(keypad.slots.used, 0)
        keypad.enter("1#6666#")
        equal(keypad.slots.used, 1)

    with_loop(play)
