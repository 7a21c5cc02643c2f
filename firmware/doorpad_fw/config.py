"""Settings of this keypad, kept in `config.json` in the file system. A missing or bad one falls back, and says so.

A host changes them with compare-and-set on their version. Everyone reads them from the one dict at the time of
need, so that a change counts at once.
"""

import json
import os

from micropython import const

from doorpad_fw.memory import SLOTS_MAX
from doorpad_fw.outputs import STRIKE_MS_MAX

_STRIKE_MS_MIN = const(100)
_NAME_BYTES_MAX = const(32)
VERSION = "version"

# Name: (default, least, most). Of a text the two are bytes of its UTF-8.
_SETTINGS = {
    "slots": (SLOTS_MAX, 1, SLOTS_MAX),
    "baud": (115_200, 9600, 921_600),
    "console": (0, 0, 1),  # the host is at UART0, where the prompt is, and not at a UART of the link's own
    "wiegand": (
        0,
        0,
        2,
    ),  # a keypad on a Wiegand line that sends so many times 4 bits for a key; 0: none is fitted
    "half_duplex": (0, 0, 1),  # one pair of wires for both directions; not on the console
    "strike_ms": (5000, _STRIKE_MS_MIN, STRIKE_MS_MAX),
    "quiet": (0, 0, 1),  # no sound
    "door_contact": (0, 0, 1),  # whether it is fitted
    "tamper": (0, 0, 1),
    "clock_chip": (0, 0, 1),  # at the next start
    "held_open_s": (60, 5, 3600),
    "wrong_max": (5, 3, 8),  # wrong tries that shut the entry; lockout.py counts them in three bits
    "lockout_s": (30, 10, 900),  # how long at first
    "pin_min": (4, 4, 12),
    "pin_max": (12, 4, 12),
    "programming": (1, 0, 1),  # whether the master PIN opens local programming
    # What people call the inputs, for the hub to say.
    "exit_name": ("", 0, _NAME_BYTES_MAX),
    "door_name": ("", 0, _NAME_BYTES_MAX),
    "tamper_name": ("", 0, _NAME_BYTES_MAX),
    VERSION: (0, 0, 0x3FFF_FFFF),  # of the settings as a whole
}
# Not for a host to change: one would cut its own line. They count from the next start.
_AT_START = ("slots", "wiegand", "baud", "console", "half_duplex", VERSION)


def _check(settings):
    return settings["pin_min"] <= settings["pin_max"]


def _fits(name, value):
    default, least, most = _SETTINGS[name]
    if isinstance(default, str):
        if not isinstance(value, str) or any(not " " <= char != "\x7f" for char in value):
            return False
        value = len(value.encode())
    return type(value) is int and least <= value <= most  # True is no number


def load(path="config.json"):
    """Return (settings, complaints): a dict with every setting, and a text for each value not used."""
    settings = {name: default for name, (default, _, _) in _SETTINGS.items()}
    complaints: list[str] = []
    try:
        with open(path) as file:
            given = json.load(file)
    except OSError:
        return settings, complaints
    except ValueError:
        return settings, ["%s is not JSON; using the defaults" % path]
    if not isinstance(given, dict):
        return settings, ["%s is no JSON object; using the defaults" % path]
    for name, value in given.items():
        if name not in _SETTINGS:
            complaints.append("%s: no such setting: %s" % (path, name))
        elif not _fits(name, value):
            _, least, most = _SETTINGS[name]
            complaints.append("%s: %s is %s, not %d to %d" % (path, name, value, least, most))
        else:
            settings[name] = value
    if not _check(settings):
        settings["pin_min"], settings["pin_max"] = _SETTINGS["pin_min"][0], _SETTINGS["pin_max"][0]
        complaints.append("%s: pin_min is above pin_max" % path)
    return settings, complaints


def change(settings, changes, path="config.json"):
    """Take [[name, value], ...] over into `settings` and on flash: all of it, or nothing. Bumps the version.

    Raises ValueError for what may not be set so, OSError if the file system does not take it.
    """
    changed = dict(settings)
    for name, value in changes:
        if name not in _SETTINGS or name in _AT_START or not _fits(name, value):
            raise ValueError("no such setting, or not to be set so")
        changed[name] = value
    if not _check(changed):
        raise ValueError("pin_min is above pin_max")
    changed[VERSION] += 1
    with open(path + ".new", "w") as file:
        json.dump(changed, file)
    os.rename(path + ".new", path)
    settings.update(changed)


def describe(settings):
    """Return [[name, value, least, most], ...] of what a host may change."""
    return [
        [name, settings[name], least, most]
        for name, (_, least, most) in _SETTINGS.items()
        if name not in _AT_START
    ]
