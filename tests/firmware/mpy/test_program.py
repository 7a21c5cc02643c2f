"""The dialogue of local programming: every state with every input."""

import esp32_time

from doorpad_fw.program import ADD, DELETE, NONE, REFUSE, Programming

from cases import equal

OFF, COMMAND, ADD_PIN, DELETE_PIN = "off", "command", "add", "delete"
PAUSE_MS = 30_000


def _in_state(state):
    dialogue = Programming()
    if state != OFF:
        dialogue.begin(0)
    if state == ADD_PIN:
        dialogue.entered(b"1")
    if state == DELETE_PIN:
        dialogue.entered(b"2")
    return dialogue


def _state_of(dialogue):
    if not dialogue.active:
        return OFF
    # A number that is no command tells the states apart.
    return {REFUSE: COMMAND, ADD: ADD_PIN, DELETE: DELETE_PIN}[dialogue.entered(b"9999")]


# (state, input, what it answers, state then). The inputs are below.
TABLE = (
    (OFF, "1", REFUSE, OFF),
    (OFF, "2", REFUSE, OFF),
    (OFF, "4711", REFUSE, OFF),
    (OFF, "begin", None, COMMAND),
    (OFF, "end", None, OFF),
    (OFF, "short pause", False, OFF),
    (OFF, "long pause", False, OFF),
    (OFF, "touch", None, OFF),
    (COMMAND, "1", NONE, ADD_PIN),
    (COMMAND, "2", NONE, DELETE_PIN),
    (COMMAND, "4711", REFUSE, COMMAND),
    (COMMAND, "begin", None, COMMAND),
    (COMMAND, "end", None, OFF),
    (COMMAND, "short pause", False, COMMAND),
    (COMMAND, "long pause", True, OFF),
    (COMMAND, "touch", None, COMMAND),
    (ADD_PIN, "1", ADD, COMMAND),
    (ADD_PIN, "2", ADD, COMMAND),
    (ADD_PIN, "4711", ADD, COMMAND),
    (ADD_PIN, "begin", None, COMMAND),
    (ADD_PIN, "end", None, OFF),
    (ADD_PIN, "short pause", False, ADD_PIN),
    (ADD_PIN, "long pause", True, OFF),
    (ADD_PIN, "touch", None, ADD_PIN),
    (DELETE_PIN, "1", DELETE, COMMAND),
    (DELETE_PIN, "2", DELETE, COMMAND),
    (DELETE_PIN, "4711", DELETE, COMMAND),
    (DELETE_PIN, "begin", None, COMMAND),
    (DELETE_PIN, "end", None, OFF),
    (DELETE_PIN, "short pause", False, DELETE_PIN),
    (DELETE_PIN, "long pause", True, OFF),
    (DELETE_PIN, "touch", None, DELETE_PIN),
)

INPUTS = {
    "1": lambda dialogue: dialogue.entered(b"1"),
    "2": lambda dialogue: dialogue.entered(b"2"),
    "4711": lambda dialogue: dialogue.entered(b"4711"),
    "begin": lambda dialogue: dialogue.begin(0),
    "end": lambda dialogue: dialogue.end(),
    "short pause": lambda dialogue: dialogue.expire(PAUSE_MS - 1),
    "long pause": lambda dialogue: dialogue.expire(PAUSE_MS),
    "touch": lambda dialogue: dialogue.touch(0),
}


def test_every_input_in_every_state_does_what_the_table_says():
    for state, given, answer, then in TABLE:
        dialogue = _in_state(state)
        equal(INPUTS[given](dialogue), answer, "%s in %s" % (given, state))
        equal(_state_of(dialogue), then, "%s in %s" % (given, state))


def test_the_table_holds_every_pair():
    pairs = [(state, given) for state, given, _, _ in TABLE]
    equal(set(pairs), {(state, given) for state in (OFF, COMMAND, ADD_PIN, DELETE_PIN) for given in INPUTS})
    equal(len(pairs), len(set(pairs)))


def test_key_pressed_begins_the_pause_anew_across_the_wrap_of_ticks():
    dialogue = Programming()
    dialogue.begin(esp32_time.PERIOD_MS - 25_000)
    dialogue.touch(4_000)
    equal((dialogue.expire(33_999), dialogue.expire(34_000)), (False, True))
