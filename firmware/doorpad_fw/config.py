"""Settings of this keypad, from `config.json` in the file system. A missing or bad one falls back, and says so."""

import json

from micropython import const

from doorpad_fw.memory import SLOTS_MAX
from doorpad_fw.outputs import STRIKE_MS_MAX

_STRIKE_MS_MIN = const(100)

# Name: (default, least, most).
_SETTINGS = {
    "slots": (SLOTS_MAX, 1, SLOTS_MAX),
    "strike_ms": (5000, _STRIKE_MS_MIN, STRIKE_MS_MAX),
    "baud": (115_200, 9600, 921_600),
    "door_contact": (0, 0, 1),  # whether it is fitted
    "tamper": (0, 0, 1),
    "held_open_s": (60, 5, 3600),
}


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
            continue
        _, least, most = _SETTINGS[name]
        if not isinstance(value, int) or not least <= value <= most:
            complaints.append("%s: %s is %s, not %d to %d" % (path, name, value, least, most))
        else:
            settings[name] = value
    return settings, complaints
