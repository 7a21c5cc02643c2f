"""The dialogue of local programming: every state with every input."""

import esp32_time

from doorpad_fw.program import (
    ADD,
    ADD_DURESS,
    ADD_FOR_DAYS,
    ADD_ONCE,
    ADD_ONCE_FOR_DAYS,
    CHANGE,
    COUNT,
    DELETE,
    MASTER,
    NONE,
    REFUSE,
    Programming,
)

from cases import equal

PAUSE_MS = 30_000

# How each state is reached: what is entered after the beginning.
STATES = {
    "command": (),
    "add": (b"1",),
    "delete": (b"2",),
    "old": (b"3",),
    "new": (b"3", b"1234"),
    "master": (b"5",),
    "again": (b"5", b"1234"),
    "days": (b"6",),
    "of days": (b"6", b"14"),
    "once": (b"7",),
    "days once": (b"8",),
    "once of days": (b"8", b"14"),
    "duress": (b"9",),
}

# What a number does in each state: (state, number, action, numbers that it is to be done with, state then).
TABLE = (
    ("off", b"1", REFUSE, [], "off"),
    ("off", b"4711", REFUSE, [], "off"),
    ("command", b"0", REFUSE, None, "command"),
    ("command", b"1", NONE, [], "add"),
    ("command", b"2", NONE, [], "delete"),
    ("command", b"3", NONE, [], "old"),
    ("command", b"4", COUNT, [], "command"),
    ("command", b"5", NONE, [], "master"),
    ("command", b"6", NONE, [], "days"),
    ("command", b"7", NONE, [], "once"),
    ("command", b"8", NONE, [], "days once"),
    ("command", b"9", NONE, [], "duress"),
    ("command", b"10", REFUSE, None, "command"),
    ("command", b"11", REFUSE, None, "command"),
    ("command", b"4711", REFUSE, None, "command"),
    ("add", b"1", ADD, [b"1"], "command"),
    ("add", b"4711", ADD, [b"4711"], "command"),
    ("delete", b"2", DELETE, [b"2"], "command"),
    ("delete", b"4711", DELETE, [b"4711"], "command"),
    ("old", b"4", NONE, [b"4"], "new"),
    ("old", b"4711", NONE, [b"4711"], "new"),
    ("new", b"4711", CHANGE, [b"1234", b"4711"], "command"),
    ("master", b"4711", NONE, [b"4711"], "again"),
    ("again", b"4711", MASTER, [b"1234", b"4711"], "command"),
    ("days", b"30", NONE, [b"30"], "of days"),
    ("of days", b"4711", ADD_FOR_DAYS, [b"14", b"4711"], "command"),
    ("once", b"4711", ADD_ONCE, [b"4711"], "command"),
    ("days once", b"30", NONE, [b"30"], "once of days"),
    ("once of days", b"4711", ADD_ONCE_FOR_DAYS, [b"14", b"4711"], "command"),
    ("duress", b"4711", ADD_DURESS, [b"4711"], "command"),
)


def _in_state(state):
    dialogue = Programming()
    if state != "off":
        dialogue.begin(0)
        for number in STATES[state]:
            dialogue.entered(number)
    return dialogue


def _check_state(dialogue, state, what):
    """Two further numbers tell the states apart."""
    wanted = {
        "off": [REFUSE, REFUSE],
        "command": [REFUSE, REFUSE],
        "add": [ADD, REFUSE],
        "delete": [DELETE, REFUSE],
        "old": [NONE, CHANGE],
        "new": [CHANGE, REFUSE],
        "master": [NONE, MASTER],
        "again": [MASTER, REFUSE],
        "days": [NONE, ADD_FOR_DAYS],
        "of days": [ADD_FOR_DAYS, REFUSE],
        "once": [ADD_ONCE, REFUSE],
        "days once": [NONE, ADD_ONCE_FOR_DAYS],
        "once of days": [ADD_ONCE_FOR_DAYS, REFUSE],
        "duress": [ADD_DURESS, REFUSE],
    }
    equal(dialogue.active, state != "off", what)
    equal([dialogue.entered(b"9999"), dialogue.entered(b"9999")], wanted[state], what)


def test_every_number_in_every_state_does_what_the_table_says():
    for state, number, action, numbers, then in TABLE:
        dialogue = _in_state(state)
        what = "%s in %s" % (number, state)
        equal(dialogue.entered(number), action, what)
        if numbers is not None:
            equal(dialogue.numbers, numbers, what)
        _check_state(dialogue, then, what)
    equal({row[0] for row in TABLE}, {"off"} | set(STATES))


# (input, what it answers when active, when off, state then; None: the same)
OTHERS = (
    (lambda dialogue: dialogue.begin(0), None, None, "command"),
    (lambda dialogue: dialogue.end(), None, None, "off"),
    (lambda dialogue: dialogue.touch(0), None, None, None),
    (lambda dialogue: dialogue.expire(PAUSE_MS - 1), False, False, None),
    (lambda dialogue: dialogue.expire(PAUSE_MS), True, False, "off"),
)


def test_every_other_input_in_every_state_does_what_the_table_says():
    for state in ["off"] + list(STATES):
        for place, (do, answer, answer_off, then) in enumerate(OTHERS):
            dialogue = _in_state(state)
            what = "input %d in %s" % (place, state)
            equal(do(dialogue), answer_off if state == "off" else answer, what)
            _check_state(dialogue, then or state, what)


def test_dialogue_that_begins_again_forgets_the_command_that_was_begun():
    dialogue = _in_state("new")
    dialogue.end()
    equal(dialogue.numbers, [])
    dialogue.begin(0)
    _check_state(dialogue, "command", "after a command was broken off")


def test_key_pressed_begins_the_pause_anew_across_the_wrap_of_ticks():
    dialogue = Programming()
    dialogue.begin(esp32_time.PERIOD_MS - 25_000)
    dialogue.touch(4_000)
    equal((dialogue.expire(33_999), dialogue.expire(34_000)), (False, True))
