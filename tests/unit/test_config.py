"""doorpad.toml: what it means, and what each mistake in it is told as: file, setting and value."""

from pathlib import Path

import pytest
from doorpad import config
from doorpad.config import ConfigError
from doorpad.errors import NextStep

KEYPAD = '[[keypad]]\nserial = "{serial}"\nname = "Door"\nport = "/dev/ttyUSB0"\n'
GOOD = 'data = "state"\n' + KEYPAD.format(serial="0123456789abcdef")


def _load(tmp_path: Path, text: str) -> config.Config:
    path = tmp_path / "doorpad.toml"
    path.write_text(text)
    return config.load(path)


def test_least_configuration_has_its_defaults(tmp_path):
    loaded = _load(tmp_path, GOOD)
    assert (loaded.data, loaded.host, loaded.port) == (tmp_path / "state", "127.0.0.1", 8117)
    [keypad] = loaded.keypads
    assert (keypad.serial, keypad.name, keypad.port) == ("0123456789abcdef", "Door", "/dev/ttyUSB0")
    assert (keypad.baud, keypad.max_baud, keypad.control) == (115_200, None, None)


def test_every_setting_is_taken(tmp_path):
    text = (
        'data = "/var/lib/doorpad"\nlisten = "[::1]:0"\n'
        'errors_vocabulary = "2026"\naudit_kept_days = 30\nevents_kept_days = 90\n[timing]\npoll_s = 1.5\n'
        + KEYPAD.format(serial="0" * 16)
        + 'baud = 9600\nmax_baud = 57600\ncontrol = "bench"\nweak_years = true\n'
        + 'location_name = "Mill Lane 4"\n'
        + KEYPAD.format(serial="1" * 16)
    )
    loaded = _load(tmp_path, text)
    assert (loaded.data, loaded.host, loaded.port) == (Path("/var/lib/doorpad"), "[::1]", 0)
    assert loaded.timing.poll_s == 1.5
    assert loaded.errors_vocabulary == "2026"
    assert (loaded.audit_kept_days, loaded.events_kept_days) == (30, 90)
    assert [(keypad.baud, keypad.max_baud, keypad.control) for keypad in loaded.keypads] == [
        (9600, 57_600, "bench"),
        (115_200, None, None),
    ]
    assert [port.weak_years for port in loaded.keypad_ports()] == [True, False]
    assert [port.location_name for port in loaded.keypad_ports()] == ["Mill Lane 4", None]


def test_keypad_without_a_port_is_looked_for_at_those_of_the_list(tmp_path):
    text = 'data = "x"\nports = ["/dev/ttyUSB*"]\n[[keypad]]\nserial = "0123456789abcdef"\nname = "a"\n'
    loaded = _load(tmp_path, text)
    assert (loaded.ports, [keypad.port for keypad in loaded.keypads]) == (["/dev/ttyUSB*"], [None])


# What is wrong -> (the text, what the message must name beside the file).
MISTAKES = {
    "not TOML": ("data = ", ["Invalid value"]),
    "no data folder": ('listen = "127.0.0.1:1"', ["data"]),
    "data is a number": ("data = 5", ["data", "int"]),
    "unknown setting": ('data = "x"\nlissen = "127.0.0.1:1"', ["lissen"]),
    "unknown setting of a keypad": (GOOD + "bawd = 1\n", ["bawd", "keypad"]),
    "unknown timing": ('data = "x"\n[timing]\npole_s = 1.0', ["pole_s"]),
    "audit log of no day": (GOOD.replace("\n", "\naudit_kept_days = 0\n", 1), ["audit_kept_days", ">= 1"]),
    "events of no day": (GOOD.replace("\n", "\nevents_kept_days = 0\n", 1), ["events_kept_days", ">= 1"]),
    "timing of zero": ('data = "x"\n[timing]\npoll_s = 0', ["poll_s", "> 0"]),
    "unknown vocabulary": ('data = "x"\nerrors_vocabulary = "1999"', ["errors_vocabulary", "1999"]),
    "negative timing": ('data = "x"\n[timing]\nport_s = -1.0', ["port_s", "> 0"]),
    "timing in words": ('data = "x"\n[timing]\nclock_s = "1h"', ["clock_s", "str"]),
    "listen without a port": ('data = "x"\nlisten = "127.0.0.1"', ["listen", "127.0.0.1"]),
    "listen without an address": ('data = "x"\nlisten = ":8117"', ["listen", ":8117"]),
    "listen with a word": ('data = "x"\nlisten = "localhost:http"', ["listen", "localhost:http"]),
    "listen with a port too big": ('data = "x"\nlisten = "127.0.0.1:65536"', ["listen", "65536"]),
    "listen with a negative port": ('data = "x"\nlisten = "127.0.0.1:-1"', ["listen", "-1"]),
    "short serial": ('data = "x"\n' + KEYPAD.format(serial="0123"), ["serial", "0123", "16"]),
    "serial in capitals": (
        'data = "x"\n' + KEYPAD.format(serial="0123456789ABCDEF"),
        ["serial", "0123456789ABCDEF"],
    ),
    "serial with a line end": ('data = "x"\n' + KEYPAD.format(serial="0123456789abcdef\\n"), ["serial"]),
    "serial twice": (
        GOOD + KEYPAD.format(serial="0123456789abcdef"),
        ["serial", "0123456789abcdef", "twice"],
    ),
    "serial is a number": ('data = "x"\n[[keypad]]\nserial = 1\nname = "a"\nport = "b"', ["serial", "int"]),
    "keypad without a port and no list of ports": (
        'data = "x"\n[[keypad]]\nserial = "0123456789abcdef"\nname = "a"',
        ["0123456789abcdef", "port", "ports"],
    ),
    "ports in one text": ('data = "x"\nports = "/dev/ttyUSB*"', ["ports", "array"]),
    "baud of zero": (GOOD + "baud = 0\n", ["baud", "0"]),
    "negative baud": (GOOD + "baud = -9600\n", ["baud", "-9600"]),
    "max_baud of zero": (GOOD + "max_baud = 0\n", ["max_baud", "0"]),
    "baud is a text": (GOOD + 'baud = "fast"\n', ["baud", "str"]),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_mistake_names_file_setting_and_value(tmp_path, what):
    text, named = MISTAKES[what]
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text)
    message = str(caught.value)
    for part in [str(tmp_path / "doorpad.toml"), *named]:
        assert part in message, message
    assert caught.value.next_step is NextStep.PERSON


def test_file_that_is_not_there_or_not_text_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml.*No such file"):
        config.load(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigError, match="Is a directory"):
        config.load(tmp_path)
    (tmp_path / "doorpad.toml").write_bytes(b'data = "\xff"')
    with pytest.raises(ConfigError, match=r"doorpad\.toml"):
        config.load(tmp_path / "doorpad.toml")
