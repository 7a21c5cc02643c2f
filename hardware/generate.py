"""Write the firmware's pin constants from pinmap.toml, refusing pins that cannot do their work."""

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
TARGET = HERE.parent / "firmware" / "doorpad_fw" / "pins.py"

STRAPPING = {0, 2, 5, 12, 15}
UART0 = {1, 3}
FLASH = set(range(6, 12))
INPUT_ONLY = {34, 35, 36, 39}
EXISTING = set(range(28)) - {20, 24} | {32, 33} | INPUT_ONLY


class PinError(ValueError):
    """A pin in pinmap.toml cannot do its work; the message names role, pin and reason."""


def _check(role: str, pin: int, *, output: bool, pull: bool = False) -> None:
    if pin not in EXISTING:
        raise PinError(f"{role}: GPIO{pin} does not exist on this board")
    if pin in STRAPPING | UART0 | FLASH:
        raise PinError(f"{role}: GPIO{pin} moves at reset, or belongs to UART0 or the flash")
    if (output or pull) and pin in INPUT_ONLY:
        raise PinError(f"{role}: GPIO{pin} is an input without pull resistors")


def constants(pinmap: dict) -> str:
    """Return the text of pins.py. Raises PinError."""
    keypad, link = pinmap["keypad"], pinmap["link"]
    if len(keypad["keys"]) != len(keypad["rows"]) or any(
        len(row) != len(keypad["columns"]) for row in keypad["keys"]
    ):
        raise PinError("keypad: `keys` needs one text a row with one character a column")
    used: list[tuple[str, int]] = []
    for row in keypad["rows"]:
        _check("keypad row", row, output=True)
        used.append(("keypad row", row))
    for column in keypad["columns"]:
        _check("keypad column", column, output=False, pull=True)
        used.append(("keypad column", column))
    outputs = ("strike", "led_green", "led_red", "buzzer")
    for role in outputs:
        _check(role, pinmap[role]["pin"], output=True)
        if pinmap[role]["active"] not in (0, 1):
            raise PinError(f"{role}: `active` is 0 or 1, not {pinmap[role]['active']}")
        used.append((role, pinmap[role]["pin"]))
    _check("link tx", link["tx"], output=True)
    _check("link rx", link["rx"], output=False)
    used += [("link tx", link["tx"]), ("link rx", link["rx"])]
    for index, (role, pin) in enumerate(used):
        for other, taken in used[:index]:
            if pin == taken:
                raise PinError(f"{role}: GPIO{pin} is taken by {other}")
    lines = [
        '"""GPIO numbers. Written by hardware/generate.py from hardware/pinmap.toml: change it there."""',
        "",
        "from micropython import const",
        "",
        f"KEYPAD_ROWS = {tuple(keypad['rows'])!r}",
        f"KEYPAD_COLUMNS = {tuple(keypad['columns'])!r}",
        "KEYPAD_KEYS = (" + ", ".join(f'"{row}"' for row in keypad["keys"]) + ")",
    ]
    for role in outputs:
        lines.append(f"{role.upper()} = const({pinmap[role]['pin']})")
        lines.append(f"{role.upper()}_ACTIVE = const({pinmap[role]['active']})")
    lines += [f"LINK_{name.upper()} = const({link[name]})" for name in ("uart", "tx", "rx")]
    return "\n".join(lines) + "\n"


def main() -> int:
    text = constants(tomllib.loads((HERE / "pinmap.toml").read_text()))
    if "--check" in sys.argv[1:]:
        if TARGET.read_text() == text:
            return 0
        print(f"{TARGET.name} does not follow pinmap.toml: run `python hardware/generate.py`")
        return 1
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
