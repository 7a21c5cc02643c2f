"""config.json: what is missing or bad falls back to its default, and the complaint names it."""

import json

import vfs
from doorpad_fw import config

from cases import cases, equal, raises
from ram_flash import TEARS, Flash, PowerCut

HEAP = "400K"

DEFAULTS = {
    "slots": 4096,
    "strike_ms": 5000,
    "quiet": 0,
    "baud": 115_200,
    "console": 0,
    "wiegand": 0,
    "half_duplex": 0,
    "door_contact": 0,
    "tamper": 0,
    "clock_chip": 0,
    "held_open_s": 60,
    "wrong_max": 5,
    "lockout_s": 30,
    "pin_min": 4,
    "pin_max": 12,
    "programming": 1,
    "exit_name": "",
    "door_name": "",
    "tamper_name": "",
    "version": 0,
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
    ("strike_ms", "60001"),
    ("strike_ms", "true"),
    ("baud", "9599"),
    ("baud", "921601"),
    ("baud", "{}"),
    ("door_contact", "2"),
    ("held_open_s", "4"),
    ("held_open_s", "3601"),
    ("wrong_max", "9"),
    ("pin_min", "3"),
    ("version", "-1"),
    ("exit_name", "5"),
    ("door_name", "null"),
    ("tamper_name", '"a\\u0007b"'),
    ("tamper_name", '"a\\u007fb"'),
    ("exit_name", '"ДДДДДДДДДДДДДДДДa"'),
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


def test_shortest_pin_above_the_longest_gives_both_defaults():
    settings, complaints = _load('{"pin_min": 8, "pin_max": 6}')
    equal((settings, len(complaints)), (DEFAULTS, 1))


def test_change_counts_at_once_and_after_a_restart():
    settings, _ = _load("{}")
    config.change(settings, [["strike_ms", 3000], ["pin_min", 6]])
    wanted = dict(DEFAULTS, strike_ms=3000, pin_min=6, version=1)
    equal(settings, wanted)
    equal(config.load(), (wanted, []))


def test_name_in_any_script_and_with_any_mark_is_kept_as_it_is():
    settings, _ = _load("{}")
    names = [["exit_name", "ДДДДДДДДДДДДДДДД"], ["door_name", 'Yard "B" \\ 2'], ["tamper_name", "盒🔓"]]
    config.change(settings, names)
    for name, value in names:
        equal((settings[name], config.load()[0][name]), (value, value))
    config.change(settings, [["door_name", ""]])
    equal(config.load()[0], dict(DEFAULTS, exit_name="ДДДДДДДДДДДДДДДД", tamper_name="盒🔓", version=2))


@cases(
    [["strike_ms", 3000], ["held_open_s", 4]],
    [["strike_ms", 3000], ["baud", 9600]],
    [["strike_ms", 3000], ["console", 1]],
    [["strike_ms", 3000], ["slots", 5]],
    [["strike_ms", 3000], ["version", 7]],
    [["strike_ms", 3000], ["colour", 1]],
    [["strike_ms", 3000], ["tamper", True]],
    [["pin_max", 6], ["pin_min", 7]],
    [["exit_name", "hall"], ["door_name", b"yard"]],
    [["exit_name", "hall"], ["door_name", "yard\n"]],
    [["exit_name", "hall"], ["door_name", "a name of thirty-three characters"]],
    [["exit_name", "hall"], ["strike_ms", "3000"]],
)
def test_change_of_which_one_part_may_not_be_changes_nothing(changes):
    settings, _ = _load("{}")
    raises(ValueError, config.change, settings, changes)
    equal((settings, config.load()), (DEFAULTS, (DEFAULTS, [])))


def _in_file_system(flash, work):
    vfs.mount(vfs.VfsLfs2(flash), "/f")
    try:
        return work("/f/config.json")
    finally:
        vfs.umount("/f")


def test_power_cut_at_any_flash_operation_of_a_change_leaves_the_old_or_the_new_settings():
    old, new = (
        dict(DEFAULTS, strike_ms=2000, version=1),
        dict(DEFAULTS, strike_ms=3000, wrong_max=3, version=2),
    )
    flash = Flash(8)
    vfs.VfsLfs2.mkfs(flash)
    _in_file_system(flash, lambda path: config.change(dict(DEFAULTS), [["strike_ms", 2000]], path))
    image = bytes(flash.image)
    seen = set()
    cuts = 0
    for tear in TEARS:
        operation = 0
        while True:
            operation += 1
            flash.image[:] = image
            flash.power_up()
            flash.cut_at(operation, tear)
            try:
                _in_file_system(
                    flash,
                    lambda path: config.change(dict(old), [["strike_ms", 3000], ["wrong_max", 3]], path),
                )
                break  # the change needs fewer operations
            except (PowerCut, OSError):
                cuts += 1
            flash.power_up()
            found = _in_file_system(flash, config.load)
            assert found in ((old, []), (new, [])), "operation %d, %s: %r" % (operation, tear, found)
            seen.add(found[0]["version"])
        flash.power_up()
        equal(_in_file_system(flash, config.load), (new, []))
    assert cuts >= 9 and seen == {1, 2}, (cuts, seen)
