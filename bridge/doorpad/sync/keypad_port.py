"""A keypad as the configuration names it, and the line that leads to it."""

from dataclasses import dataclass
from pathlib import Path

from doorpad.store.profile_names import ProfileName


@dataclass(frozen=True)
class KeypadPort:
    """`serial`: the id that it proves, 16 hex digits. `port`: None where it is looked for (finding.py)."""

    serial: str
    name: str
    port: str | None
    baud: int
    max_baud: int | None  # to be asked for once a session has opened
    half_duplex: bool
    simulated: bool
    keys: Path  # folder of the key files, keyring.py
    consoles: Path  # folder of what keypads said beside the link, console.py
    profile: ProfileName = "generic"
    weak_years: bool = False
    location_name: str | None = None  # what people call the place
