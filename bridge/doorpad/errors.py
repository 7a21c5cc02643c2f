"""The root of every error the bridge raises on purpose.

DoorpadError
├── store: DataFolderUnusable, DataFolderInUse, DatabaseDamaged
└── api:   PortInUse

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
