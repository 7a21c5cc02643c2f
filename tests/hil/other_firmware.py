"""Other builds of the firmware, and the command that brings one onto a keypad."""

import re
from pathlib import Path

from doorpad.emulator import runtime
from hil_world import Doorpad, Keypad, World

ROOT = Path(__file__).parents[2]


def build(world: World, version: str, **changed: str) -> Path:
    """The firmware of this checkout under another version, and with other texts of some modules."""
    folder = world.data / "builds"
    folder.mkdir(exist_ok=True)
    source = (ROOT / "firmware" / "doorpad_fw" / "version.py").read_text()
    changed["version"] = re.sub(r'^VERSION = ".*"$', f'VERSION = "{version}"', source, flags=re.M)
    texts = {f"application/doorpad_fw/{name}.py": text for name, text in changed.items()}
    return runtime.compile_program(folder, texts) / "application"


def update(world: World, folder: Path, keypad: Keypad | None = None) -> Doorpad:
    """Begin to update a keypad, the first unless told otherwise."""
    serial = (keypad or world.keypad).serial
    arguments = ["update", serial, "--config", str(world.config), "--json"]
    return Doorpad([*arguments, "--application", str(folder)], world.data.parent / "update.err")
