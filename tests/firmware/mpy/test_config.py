"""config.json: what is missing or bad falls back to its default, and the complaint names it."""

import json

from doorpad_fw import config

from cases import cases, equal

DEFAULTS = {
    "slots": 4096,
    "strike_ms": 5000,
    "baud": 115_200,
    "door_contact": 0,
    "tamper": 0,
    "held_open_s": 60,
}


def _load(text):
    with open("config.json", "w") as file:
        file.write(text)
    return config.load()


def test_no_file_gives_the_defaults_without_a_complaint():
    equal(config.load("not-there.json"), (DEFAULTS, []))


def test_good_settings_are_used_and_the_rest_keep_their_defaults():
    equal(_load('{"slots": 10}'), (dict(DEFAULTS, slots=10), []))
    settings = dict(DEFAULTS, slots=1, strike_ms=100, baud=921_600, door_contact=1, tamper=1, held_open_s=5)
    equal(_load(json.dumps(settings)), (settings, []))


@cases("", "{", "{'slots': 1}", "slots = 1", "\xff\x00")
def test_text_that_is_not_json_gives_the_defaults_and_names_the_file(text):
    settings, complaints = _load(text)
    equal((settings, len(complaints)), (DEFAULTS, 1))
    assert "config.json" in complaints[0], complaints


@cases("[]", "[1]", "5", '"slots"', "null", "true")
def test_json_that_is_no_object_gives_the_defaults_and_names_the_file(text):
    settings, complaints = _load(text)
    equal((settings, len(complaints)), (DEFAULTS, 1))
    assert "config.json" in complaints[0], complaints


@cases(
    ("slots", "0"),
    ("slots", "4097"),
    ("slots", "-1"),
    ("slots", "true"),
    ("slots", '"10"'),
    ("slots", "10.5"),
    ("slots", "null"),
    ("slots", "[10]"),
    ("strike_ms", "99"),
    ("strike_ms", "60000"),
    ("strike_ms", "true"),
    ("baud", "9599"),
    ("baud", "921601"),
    ("baud", "{}"),
    ("door_contact", "2"),
    ("held_open_s", "4"),
    ("held_open_s", "3601"),
)
def test_bad_value_gives_the_default_and_names_the_setting(bad):
    name, value = bad
    settings, complaints = _load('{"%s": %s}' % (name, value))
    equal((settings, len(complaints)), (DEFAULTS, 1))
    assert name in complaints[0] and "config.json" in complaints[0], complaints


def test_unknown_setting_is_named_and_the_others_are_used():
    settings, complaints = _load('{"strike": 3, "strike_ms": 3000}')
    equal(settings["strike_ms"], 3000)
    equal(len(complaints), 1)
    assert "strike" in complaints[0], complaints
