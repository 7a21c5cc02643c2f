"""From keys to a number: what each key does, the pause that forgets, and the wrap of ticks within an entry."""

import esp32_time

from doorpad_fw.entry import CLEARED, ENTERED, IGNORED, MORE, Entry

from cases import cases, equal

PAUSE_MS = 10_000


def _type(entry, keys, now_ms=0):
    return [entry.key(key, now_ms) for key in keys]


def test_digits_then_hash_enter_the_number_once():
    entry = Entry()
    equal(_type(entry, "0470#"), [MORE, MORE, MORE, MORE, ENTERED])
    equal(entry.entered, b"0470")
    equal(_type(entry, "#"), [IGNORED])
    equal(_type(entry, "12#"), [MORE, MORE, ENTERED])
    equal(entry.entered, b"12")


def test_star_clears_what_was_typed():
    entry = Entry()
    equal(_type(entry, "12*34#"), [MORE, MORE, CLEARED, MORE, MORE, ENTERED])
    equal(entry.entered, b"34")


def test_star_and_hash_alone_enter_nothing():
    entry = Entry()
    equal(_type(entry, "*#*#"), [CLEARED, IGNORED, CLEARED, IGNORED])


def test_letters_of_a_4x4_keypad_change_nothing_about_an_entry():
    entry = Entry()
    equal(_type(entry, "1A2BCD3#"), [MORE, IGNORED, MORE] + 3 * [IGNORED] + [MORE, ENTERED])
    equal(entry.entered, b"123")


@cases(12, 13, 16, 17, 18, 40, 1000)
def test_too_long_an_entry_is_never_cut_to_a_pin(length):
    entry = Entry()
    _type(entry, "1" * length + "#")
    if length <= 12:
        equal(entry.entered, b"1" * length)
    else:
        assert 12 < len(entry.entered) < 32, "%d digits held" % len(entry.entered)
    equal(_type(entry, "12#"), [MORE, MORE, ENTERED])
    equal(entry.entered, b"12")


@cases(0, 1073741000)
def test_pause_of_ten_seconds_forgets_and_a_shorter_one_does_not(start_ms):
    entry = Entry()
    _type(entry, "12", start_ms)
    almost = (start_ms + PAUSE_MS - 1) % esp32_time.PERIOD_MS
    equal(entry.expire(almost), False)
    _type(entry, "3", almost)
    too_late = (almost + PAUSE_MS) % esp32_time.PERIOD_MS
    equal(_type(entry, "4#", too_late), [MORE, ENTERED])
    equal(entry.entered, b"4", "the three before the pause")


def test_pause_forgets_without_another_key_and_says_so_once():
    entry = Entry()
    equal(entry.expire(PAUSE_MS * 5), False, "nothing was typed")
    _type(entry, "12")
    equal((entry.expire(PAUSE_MS), entry.expire(PAUSE_MS)), (True, False))
    equal(_type(entry, "#", PAUSE_MS), [IGNORED])


def test_hash_after_the_pause_enters_nothing():
    entry = Entry()
    _type(entry, "1234")
    equal(_type(entry, "#", PAUSE_MS), [IGNORED])
