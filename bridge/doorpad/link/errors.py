"""What can end or prevent a connection to a keypad."""

from typing import ClassVar

from doorpad.errors import DoorpadError, NextStep


class LinkDown(DoorpadError):
    """There is no session with the keypad, or it was lost. `port_there`: the serial port still exists."""

    next_step: ClassVar[NextStep] = NextStep.WAIT
    port_there: ClassVar[bool] = True


class PortGone(LinkDown):
    """The serial port does not exist, or was pulled."""

    port_there: ClassVar[bool] = False


class PortUnusable(LinkDown):
    """The port is there but cannot be opened: missing rights, or another program has it."""

    next_step: ClassVar[NextStep] = NextStep.PERSON


class NoSession(LinkDown):
    """The port is open, and no session could be had or kept: silence, another key, a keypad that restarted."""


class ProtocolViolation(NoSession):
    """The keypad sent, properly sealed, what the protocol does not allow."""

    next_step: ClassVar[NextStep] = NextStep.PERSON
