"""Write the pin constants of the firmware, and the wires of the emulated board, from pinmap.toml.

A pin that cannot do its work is refused.
"""

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
FIRMWARE = HERE.parent / "firmware"
OUTPUTS = ("strike", "led_green", "led_red", "buzzer")
INPUTS = ("request_to_exit", "door_contact", "tamper", "reset_jumper")

KEYS = "0123456789*#"
LETTERS = "ABCD"

STRAPPING = {0, 2, 5, 12, 15}
RESTING_HIGH = {5, 15}  # of these, the ones that do no harm on lines that rest high
UART0 = {1, 3}
FLASH = set(range(6, 12))
INPUT_ONLY = {34, 35, 36, 39}
EXISTING = set(range(28)) - {20, 24} | {32, 33} | INPUT_ONLY


class PinError(ValueError):
    """A pin in pinmap.toml cannot do its work; the message names role, pin and reason."""


def _check(role: str, pin: int, *, output: bool, pull: bool = False, rests_high: bool = False) -> None:
    if pin not in EXISTING:
        raise PinError(f"{role}: GPIO{pin} does not exist on this board")
    if pin in STRAPPING | UART0 | FLASH and not (rests_high and pin in RESTING_HIGH):
        raise PinError(f"{role}: GPIO{pin} moves at reset, or belongs to UART0 or the flash")
    if (output or pull) and pin in INPUT_ONLY:
        raise PinError(f"{role}: GPIO{pin} is an input without pull resistors")


def check(pinmap: dict) -> None:
    """Raise PinError for a pin that cannot do its work, or has two."""
    keypad, link = pinmap["keypad"], pinmap["link"]
    if len(keypad["keys"]) != len(keypad["rows"]) or any(
        len(row) != len(keypad["columns"]) for row in keypad["keys"]
    ):
        raise PinError("keypad: `keys` needs one text a row with one character a column")
    every = "".join(keypad["keys"])
    if sorted(every) not in (sorted(KEYS), sorted(KEYS + LETTERS)):
        raise PinError(f"keypad: `keys` are {KEYS}, with or without {LETTERS}, each once; not {every}")
    used: list[tuple[str, int]] = []
    for row in keypad["rows"]:
        _check("keypad row", row, output=True)
        used.append(("keypad row", row))
    for column in keypad["columns"]:
        _check("keypad column", column, output=False, pull=True)
        used.append(("keypad column", column))
    for role in OUTPUTS:
        _check(role, pinmap[role]["pin"], output=True)
        used.append((role, pinmap[role]["pin"]))
    for role in INPUTS:
        _check(role, pinmap[role]["pin"], output=False, pull=pinmap[role]["pull_up"])
        used.append((role, pinmap[role]["pin"]))
    for role in (*OUTPUTS, *INPUTS):
        if pinmap[role]["active"] not in (0, 1):
            raise PinError(f"{role}: `active` is 0 or 1, not {pinmap[role]['active']}")
    if link["uart"] not in (1, 2):
        raise PinError(f"link uart: UART{link['uart']} is not 1 or 2; UART0 belongs to the prompt")
    _check("link tx", link["tx"], output=True)
    _check("link rx", link["rx"], output=False)
    used += [("link tx", link["tx"]), ("link rx", link["rx"])]
    wiegand = pinmap.get("wiegand", {})
    if wiegand and list(wiegand) != ["d0", "d1"]:
        raise PinError("wiegand: d0 and d1, in this order, or no such section")
    for name, pin in wiegand.items():
        _check(f"wiegand {name}", pin, output=False)
        used.append((f"wiegand {name}", pin))
    chip = pinmap["clock_chip"]
    if chip["i2c"] not in (0, 1):
        raise PinError(f"clock_chip i2c: there is no I2C{chip['i2c']}")
    for name in ("sda", "scl"):
        _check(f"clock_chip {name}", chip[name], output=True, rests_high=True)
        used.append((f"clock_chip {name}", chip[name]))
    for index, (role, pin) in enumerate(used):
        for other, taken in used[:index]:
            if pin == taken:
                raise PinError(f"{role}: GPIO{pin} is taken by {other}")


def constants(pinmap: dict) -> str:
    """Return the text of the firmware's pins.py."""
    keypad, link = pinmap["keypad"], pinmap["link"]
    lines = [
        '"""GPIO numbers. Written by hardware/generate.py from hardware/pinmap.toml: change it there."""',
        "",
        "from micropython import const",
        "",
        f"KEYPAD_ROWS = {tuple(keypad['rows'])!r}",
        f"KEYPAD_COLUMNS = {tuple(keypad['columns'])!r}",
        "KEYPAD_KEYS = (" + ", ".join(f'"{row}"' for row in keypad["keys"]) + ")",
    ]
    for role in (*OUTPUTS, *INPUTS):
        lines.append(f"{role.upper()} = const({pinmap[role]['pin']})")
        lines.append(f"{role.upper()}_ACTIVE = const({pinmap[role]['active']})")
    for role in INPUTS:
        lines.append(f"{role.upper()}_PULL_UP = const({int(pinmap[role]['pull_up'])})")
    lines += [f"LINK_{name.upper()} = const({link[name]})" for name in ("uart", "tx", "rx")]
    lines += [
        f"CLOCK_CHIP_{name.upper()} = const({pinmap['clock_chip'][name]})" for name in ("i2c", "sda", "scl")
    ]
    lines.append(f"WIEGAND = {tuple(pinmap.get('wiegand', {}).values())!r}")
    return "\n".join(lines) + "\n"


def at_rest(pinmap: dict) -> str:
    """Return the text of the at_rest.py beside boot.py."""
    levels = [(pinmap[role]["pin"], 1 - pinmap[role]["active"]) for role in ("strike", "buzzer")]
    return (
        '"""The levels at which strike and buzzer are at rest. '
        'Written by hardware/generate.py from hardware/pinmap.toml."""\n\n'
        f"LEVELS = {tuple(levels)!r}  # (GPIO, level)\n"
    )


def wiring(pinmap: dict) -> str:
    """Return the text of the emulator's wiring.py."""
    keypad = pinmap["keypad"]
    names = ", ".join(f'{pinmap[role]["pin"]}: "{role}"' for role in OUTPUTS)
    inputs = "".join(f'    "{role}": ({pinmap[role]["pin"]}, {pinmap[role]["active"]}),\n' for role in INPUTS)
    return (
        '"""The board\'s wires. Written by hardware/generate.py from hardware/pinmap.toml: change it there."""\n\n'
        f"ROWS = {tuple(keypad['rows'])!r}\n"
        f"COLUMNS = {tuple(keypad['columns'])!r}\n"
        "KEYS = (" + ", ".join(f'"{row}"' for row in keypad["keys"]) + ")\n"
        f"OUTPUTS = {{{names}}}\n"
        f"INPUTS = {{\n{inputs}}}\n"
        f"WIEGAND = {tuple(pinmap.get('wiegand', {}).values())!r}\n"
        f"CLOCK_CHIP = {(pinmap['clock_chip']['sda'], pinmap['clock_chip']['scl'])!r}\n"
    )


def main() -> int:
    pinmap = tomllib.loads((HERE / "pinmap.toml").read_text())
    check(pinmap)
    stale = 0
    for target, text in (
        (FIRMWARE / "doorpad_fw" / "pins.py", constants(pinmap)),
        (FIRMWARE / "at_rest.py", at_rest(pinmap)),
        (FIRMWARE / "emulator" / "wiring.py", wiring(pinmap)),
    ):
        if "--check" not in sys.argv[1:]:
            target.write_text(text)
        elif not target.exists() or target.read_text() != text:
            print(f"{target.name} does not follow pinmap.toml: run `python hardware/generate.py`")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
