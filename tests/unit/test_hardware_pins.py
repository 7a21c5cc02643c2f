"""hardware/generate.py: what it writes follows pinmap.toml, and a pin that cannot do its work is refused."""

import copy
import importlib.util
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
GENERATE = ROOT / "hardware" / "generate.py"
WRITTEN = ("firmware/doorpad_fw/pins.py", "firmware/emulator/wiring.py", "firmware/at_rest.py")

spec = importlib.util.spec_from_file_location("generate", GENERATE)
assert spec is not None
assert spec.loader is not None
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)

PINMAP = tomllib.loads((ROOT / "hardware" / "pinmap.toml").read_text())


def _run(root: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(root / "hardware" / "generate.py"), *options],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that the generator reads and writes, to be changed at will."""
    shutil.copytree(ROOT / "hardware", tmp_path / "hardware")
    for name in WRITTEN:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_committed_files_follow_the_pin_map():
    done = _run(ROOT, "--check")
    assert (done.returncode, done.stdout) == (0, "")


def test_documented_pins_are_those_of_the_pin_map() -> None:
    wanted = {
        "keypad rows": PINMAP["keypad"]["rows"],
        "keypad columns": PINMAP["keypad"]["columns"],
        "wiegand": list(PINMAP["wiegand"].values()),
        "clock_chip": [PINMAP["clock_chip"]["sda"], PINMAP["clock_chip"]["scl"]],
        "link": [PINMAP["link"]["tx"], PINMAP["link"]["rx"]],
    } | {role: [PINMAP[role]["pin"]] for role in (*generate.OUTPUTS, *generate.INPUTS)}
    pins = (ROOT / "firmware" / "README.md").read_text().split("## Pins\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|")[:2] for line in pins.splitlines() if line.startswith("| ")][1:]
    found = {role.strip(): [int(pin) for pin in gpios.split(",")] for gpios, role in rows[1:]}
    assert found == wanted


def test_generating_again_changes_no_byte(checkout):
    assert _run(checkout).returncode == 0
    for name in WRITTEN:
        assert (checkout / name).read_bytes() == (ROOT / name).read_bytes(), name


def test_changed_pin_map_makes_both_files_stale_until_they_are_written(checkout):
    pinmap = checkout / "hardware" / "pinmap.toml"
    pinmap.write_text(pinmap.read_text().replace("= 36", "= 34").replace("pin = 34", "pin = 36"))
    stale = _run(checkout, "--check")
    assert stale.returncode == 1
    assert "pins.py" in stale.stdout
    assert "wiring.py" in stale.stdout
    assert _run(checkout).returncode == 0
    assert _run(checkout, "--check").returncode == 0
    assert "RESET_JUMPER = const(36)\n" in (checkout / WRITTEN[0]).read_text()
    assert '"reset_jumper": (36, 0)' in (checkout / WRITTEN[1]).read_text()


def test_file_changed_by_hand_is_named(checkout):
    pins = checkout / WRITTEN[0]
    pins.write_text(pins.read_text().replace("STRIKE = const(26)", "STRIKE = const(25)"))
    stale = _run(checkout, "--check")
    assert (stale.returncode, "pins.py" in stale.stdout, "wiring.py" in stale.stdout) == (1, True, False)


def test_bad_pin_writes_nothing(checkout):
    pinmap = checkout / "hardware" / "pinmap.toml"
    pinmap.write_text(pinmap.read_text().replace("pin = 26", "pin = 12"))
    done = _run(checkout)
    assert done.returncode == 1
    assert "strike: GPIO12" in done.stderr
    for name in WRITTEN:
        assert (checkout / name).read_bytes() == (ROOT / name).read_bytes(), name


# ESP32 datasheet, section 2.4, and ESP32-WROOM-32 datasheet, table 2.
STRAPPING, UART0, FLASH = (0, 2, 5, 12, 15), (1, 3), (6, 7, 8, 9, 10, 11)
INPUT_ONLY, MISSING = (34, 35, 36, 39), (20, 24, 28, 31, 40, -1)

PLACES: dict[str, tuple[Any, ...]] = {
    "keypad row": ("keypad", "rows", 0),
    "keypad column": ("keypad", "columns", 0),
    "strike": ("strike", "pin"),
    "led_green": ("led_green", "pin"),
    "led_red": ("led_red", "pin"),
    "buzzer": ("buzzer", "pin"),
    "request_to_exit": ("request_to_exit", "pin"),
    "door_contact": ("door_contact", "pin"),
    "tamper": ("tamper", "pin"),
    "reset_jumper": ("reset_jumper", "pin"),
    "link tx": ("link", "tx"),
    "link rx": ("link", "rx"),
    "clock_chip sda": ("clock_chip", "sda"),
    "clock_chip scl": ("clock_chip", "scl"),
    "wiegand d0": ("wiegand", "d0"),
    "wiegand d1": ("wiegand", "d1"),
}

RESTING_HIGH = (5, 15)  # strapping pins that a bus which rests high may have
PULLED_OUTSIDE = ("link rx", "reset_jumper", "wiegand d0", "wiegand d1")


def _with(place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    pinmap = copy.deepcopy(PINMAP)
    inner: Any = pinmap
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return pinmap


@pytest.mark.parametrize("role", PLACES)
@pytest.mark.parametrize("pin", [*STRAPPING, *UART0, *FLASH, *MISSING])
def test_pin_that_no_role_can_have_is_refused_with_role_and_pin(role, pin):
    if role.startswith("clock_chip") and pin in RESTING_HIGH:
        assert {PINMAP["clock_chip"]["sda"], PINMAP["clock_chip"]["scl"]} == set(RESTING_HIGH)
        return
    with pytest.raises(generate.PinError, match=f"{role}: GPIO{pin} "):
        generate.check(_with(PLACES[role], pin))


@pytest.mark.parametrize("role", [role for role in PLACES if role not in PULLED_OUTSIDE])
@pytest.mark.parametrize("pin", INPUT_ONLY)
def test_input_without_pull_is_refused_for_all_but_those_pulled_outside(role, pin):
    with pytest.raises(generate.PinError, match=f"{role}: GPIO{pin} "):
        generate.check(_with(PLACES[role], pin))


@pytest.mark.parametrize("role", PULLED_OUTSIDE[:2])
def test_input_without_pull_does_for_what_is_pulled_outside(role):
    for pin in (36, 39):
        pinmap = _with(PLACES[role], pin)
        del pinmap["wiegand"]
        generate.check(pinmap)


@pytest.mark.parametrize("role", [role for role in PLACES if role != "keypad row"])
def test_pin_with_two_roles_is_refused_and_both_are_named(role):
    taken = PINMAP["keypad"]["rows"][1]
    with pytest.raises(generate.PinError, match=f"{role}: GPIO{taken} is taken by keypad row"):
        generate.check(_with(PLACES[role], taken))


@pytest.mark.parametrize(
    "keys", [["123"], ["123", "456", "789"], ["12", "45", "78", "*0"], ["123", "456", "789", "*0"]]
)
def test_keys_that_do_not_fit_rows_and_columns_are_refused(keys):
    with pytest.raises(generate.PinError, match="keys"):
        generate.check(_with(("keypad", "keys"), keys))


@pytest.mark.parametrize("role", [*generate.OUTPUTS, *generate.INPUTS])
def test_active_level_other_than_0_and_1_is_refused(role):
    with pytest.raises(generate.PinError, match=f"{role}: `active` is 0 or 1, not 2"):
        generate.check(_with((role, "active"), 2))
    generate.check(_with((role, "active"), 0))


@pytest.mark.parametrize("uart", [0, 3, "1"])
def test_uart_that_the_link_cannot_have_is_refused(uart):
    with pytest.raises(generate.PinError, match=f"link uart: UART{uart} "):
        generate.check(_with(("link", "uart"), uart))
    generate.check(_with(("link", "uart"), 2))


@pytest.mark.parametrize(
    "keys", [["123", "456", "789", "*00"], ["123", "456", "789", "*0+"], ["123", "456", "789", "*0A"]]
)
def test_keypad_without_every_digit_star_and_hash_is_refused(keys: list[str]) -> None:
    pinmap = copy.deepcopy(PINMAP)
    pinmap["keypad"]["keys"] = keys
    with pytest.raises(generate.PinError, match="keypad: `keys`"):
        generate.check(pinmap)


@pytest.mark.parametrize("lines", [{"d0": 36}, {"d1": 39, "d0": 36}, {"d0": 36, "d1": 39, "d2": 14}])
def test_wiegand_line_of_other_wires_than_d0_and_d1_is_refused(lines: dict[str, int]) -> None:
    pinmap = copy.deepcopy(PINMAP) | {"wiegand": lines}
    with pytest.raises(generate.PinError, match="wiegand: d0 and d1"):
        generate.check(pinmap)


def test_pin_map_without_a_wiegand_line_gives_the_firmware_none() -> None:
    pinmap = {name: part for name, part in PINMAP.items() if name != "wiegand"}
    generate.check(pinmap)
    assert "WIEGAND = ()\n" in generate.constants(pinmap)
    assert "WIEGAND = ()\n" in generate.wiring(pinmap)


def test_keypad_of_sixteen_keys_fits_with_an_input_that_is_pulled_up_outside() -> None:
    pinmap = copy.deepcopy(PINMAP)
    pinmap["keypad"] |= {"columns": [21, 22, 23, 4], "keys": ["123A", "456B", "789C", "*0#D"]}
    pinmap["tamper"]["pin"] = 36
    del pinmap["wiegand"]
    with pytest.raises(generate.PinError, match="tamper: GPIO36 is an input without pull resistors"):
        generate.check(pinmap)
    pinmap["tamper"]["pull_up"] = False
    generate.check(pinmap)
    constants, wiring = generate.constants(pinmap), generate.wiring(pinmap)
    assert "TAMPER_PULL_UP = const(0)" in constants
    for text in (constants, wiring):
        assert '"123A", "456B", "789C", "*0#D"' in text and "21, 22, 23, 4)" in text
