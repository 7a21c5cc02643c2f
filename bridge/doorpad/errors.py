"""The root of every error the bridge raises on purpose.

DoorpadError
├── BenchUnavailable
├── store: DataFolderUnusable, DataFolderInUse, DatabaseDamaged, DatabaseBusy, WriteLost, NoAuditLog
└── api:   ApiKeysDamaged, KeyNameUnusable, NoSuchKey, ApiError, PortInUse

Messages are read by people and end up in logs: never a PIN or an API key in one.
"""

from enum import Enum
from typing import ClassVar


class NextStep(Enum):
    """What helps against an error, so that callers can act without knowing each class."""

    RETRY = "retry"  # the same again, now
    WAIT = "wait"  # the same again, once something else has changed
    CHANGE_REQUEST = "change_request"  # the caller asked for something that cannot be
    PERSON = "person"  # somebody has to look at the machine


class DoorpadError(Exception):
    """An error with a known cause and a next step."""

    next_step: ClassVar[NextStep] = NextStep.PERSON
    said = False  # the person has been told already, by the process that it happened in


class BenchUnavailable(DoorpadError):
    """Keys were to be pressed, or a cable to be pulled, on a keypad that is not emulated."""

    next_step: ClassVar[NextStep] = NextStep.CHANGE_REQUEST

    def __init__(self, device_id: str) -> None:
        self.device_id = device_id
        super().__init__(f"device {device_id} is not an emulated keypad")
