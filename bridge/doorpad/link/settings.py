"""The settings that a keypad lets its hubs change: read, and changed by compare-and-set.

What they mean and how far each may go is the keypad's own matter: firmware/README.md, "Settings".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from doorpad_link import messages

from doorpad.errors import DoorpadError, NextStep
from doorpad.link.connection import Connection
from doorpad.link.errors import ProtocolViolation
from doorpad.link.operations import Refused


class SettingsRefused(DoorpadError):
    """A change of settings that cannot be: an unknown name, a value out of range, or values that do not fit."""

    next_step: ClassVar[NextStep] = NextStep.CHANGE_REQUEST


class SettingsChanged(DoorpadError):
    """Somebody else changed the settings after they were read; nothing of this change was done."""

    next_step: ClassVar[NextStep] = NextStep.RETRY


@dataclass(frozen=True, slots=True)
class Setting:
    """`least` and `most` are the first and the last value that the keypad takes."""

    value: int
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Settings:
    """`version` is that of all of them together."""

    version: int
    by_name: dict[str, Setting]


def _settings(answer: object) -> Settings:
    match answer:
        case [int() as version, list() as items, *_]:
            return Settings(version, dict(_setting(item) for item in items))
    raise ProtocolViolation("settings are no version and list")


def _setting(item: Any) -> tuple[str, Setting]:
    match item:
        case [str() as name, int() as value, int() as least, int() as most, *_]:
            return name, Setting(value, least, most)
    raise ProtocolViolation("a setting is no name with its value and range")


async def read(connection: Connection) -> Settings:
    """Read all settings. Raises Refused."""
    status, answer = await connection.request(messages.OP_CONFIG, None)
    if status != messages.OK:
        raise Refused(connection.serial, messages.OP_CONFIG, status)
    return _settings(answer)


async def change(connection: Connection, current: Settings, changes: Mapping[str, int]) -> Settings:
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
        if not setting.least <= value <= setting.most:
            raise SettingsRefused(f"{name} is {setting.least} to {setting.most}, not {value}")
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
