"""The settings that a keypad lets its hubs change: read, and changed by compare-and-set.

What they mean and how far each may go is the keypad's own matter: firmware/README.md, "Settings".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from doorpad_link import messages

from doorpad.errors import DoorpadError, NextStep
from doorpad.link.asking import Refused
from doorpad.link.connection import Connection
from doorpad.link.errors import ProtocolViolation


class SettingsRefused(DoorpadError):
    """A change of settings that cannot be: an unknown name, a value out of range, or values that do not fit."""

    next_step: ClassVar[NextStep] = NextStep.CHANGE_REQUEST


class SettingsChanged(DoorpadError):
    """Somebody else changed the settings after they were read; nothing of this change was done."""

    next_step: ClassVar[NextStep] = NextStep.RETRY


@dataclass(frozen=True, slots=True)
class Setting:
    """`least` and `most` are the first and the last value that the keypad takes; of a text, bytes of its UTF-8."""

    value: int | str
    least: int
    most: int


# By its setting, the input that people gave a name.
_NAMES = {"exit_name": "request_to_exit", "door_name": "door_contact", "tamper_name": "tamper"}


@dataclass(frozen=True, slots=True)
class Settings:
    """`version` is that of all of them together."""

    version: int
    by_name: dict[str, Setting]

    def names_of_inputs(self) -> dict[str, str]:
        """What people call the inputs that they gave a name. An older keypad knows of no names."""
        names = {_NAMES[name]: it.value for name, it in self.by_name.items() if name in _NAMES}
        return {name: value for name, value in names.items() if isinstance(value, str) and value}


def _settings(answer: object) -> Settings:
    match answer:
        case [int() as version, list() as items, *_]:
            return Settings(version, dict(_setting(item) for item in items))
    raise ProtocolViolation("settings are no version and list")


def _setting(item: Any) -> tuple[str, Setting]:
    match item:
        case [str() as name, int() | str() as value, int() as least, int() as most, *_]:
            return name, Setting(value, least, most)
    raise ProtocolViolation("a setting is no name with its value and range")


async def read(connection: Connection) -> Settings:
    """Read all settings. Raises Refused."""
    status, answer = await connection.request(messages.OP_CONFIG, None)
    if status != messages.OK:
        raise Refused(connection.serial, messages.OP_CONFIG, status)
    return _settings(answer)


def from_text(current: Settings, texts: Mapping[str, str]) -> dict[str, int | str]:
    """Values as a person writes them, numbers for the settings that are numbers. Raises SettingsRefused."""
    values: dict[str, int | str] = {}
    for name, text in texts.items():
        setting = current.by_name.get(name)
        if setting is None or isinstance(setting.value, str):
            values[name] = text
        elif text.removeprefix("-").isdecimal():
            values[name] = int(text)
        else:
            raise SettingsRefused(
                f"{name} is a whole number, {setting.least} to {setting.most}, not {text!r}"
            )
    return values


def _check(name: str, setting: Setting, value: int | str) -> None:
    if isinstance(value, str):
        size = len(value.encode())
        if not setting.least <= size <= setting.most:
            raise SettingsRefused(
                f"{name} has {setting.least} to {setting.most} bytes of UTF-8, and {value!r} has {size}"
            )
        if not value.isprintable():
            raise SettingsRefused(f"{name} is what a person can read, not {value!r}")
    elif not setting.least <= value <= setting.most:
        raise SettingsRefused(f"{name} is {setting.least} to {setting.most}, not {value}")


async def change(connection: Connection, current: Settings, changes: Mapping[str, int | str]) -> Settings:
    """Change some of the settings, all or none; returns what they are then.

    Raises:
        SettingsRefused: a value that cannot be; the message says which, and what could be.
        SettingsChanged: they are no longer as `current` says.
        Refused: the keypad's flash does not take them.
    """
    for name, value in changes.items():
        setting = current.by_name.get(name)
        if setting is None:
            names = ", ".join(sorted(current.by_name))
            raise SettingsRefused(f"keypad {connection.serial} has no setting {name!r}; it has {names}")
        _check(name, setting, value)
    wanted = [[name, value] for name, value in changes.items()]
    status, answer = await connection.request(messages.OP_CONFIG, [current.version, wanted])
    if status == messages.CONFLICT:
        raise SettingsChanged(
            f"the settings of keypad {connection.serial} were changed by somebody else meanwhile; "
            "nothing was changed now: try again"
        )
    if status == messages.INVALID:
        raise SettingsRefused(
            f"keypad {connection.serial} takes each of these values, but not together: "
            "pin_min must not be above pin_max"
        )
    if status != messages.OK:
        raise Refused(connection.serial, messages.OP_CONFIG, status)
    return _settings(answer)
