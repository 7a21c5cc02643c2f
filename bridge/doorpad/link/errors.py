"""What can end or prevent a connection to a keypad."""

from typing import ClassVar

from doorpad_link import host

from doorpad.errors import DoorpadError, NextStep


class LinkDown(DoorpadError):
    """There is no session with the keypad, or it was lost. `port_there`: the serial port still exists."""

    next_step: ClassVar[NextStep] = NextStep.WAIT
    port_there: ClassVar[bool] = True
    console_text = b""  # what was said on the port instead, where that tells something


class PortGone(LinkDown):
    """The serial port does not exist, or was pulled."""

    port_there: ClassVar[bool] = False


class PortUnusable(LinkDown):
    """The port is there but cannot be opened: missing rights, or another program has it."""

    next_step: ClassVar[NextStep] = NextStep.PERSON


class NoSession(LinkDown):
    """The port is open, and no session could be had or kept: silence, another key, a keypad that restarted."""


class NotAuthenticated(NoSession):
    """Something answers, and its key is not the one that this hub holds for the keypad.

    One alone proves nothing, for anyone on the cable can answer so; the same again and again is for a person.

    Args:
        reason: one of the keys of WHAT_TO_DO.
    """

    next_step: ClassVar[NextStep] = NextStep.PERSON

    WHAT_TO_DO: ClassVar[dict[int, str]] = {
        host.WRONG_KEY: "It was given a new key elsewhere: bring that key to this hub, or commission it again.",
        host.NOT_ENROLLED: "It was commissioned for another hub, or is another keypad: look which one it is.",
        host.WRONG_PROOF: "Its memory is damaged, or something else sits on the cable: look at both.",
    }

    def __init__(self, port: str, reason: int) -> None:
        self.reason = reason
        self.what_to_do = self.WHAT_TO_DO[reason]
        super().__init__(f"port {port}: {host.LOST_REASONS[reason]}")


class ProtocolViolation(NoSession):
    """The keypad sent, properly sealed, what the protocol does not allow."""

    next_step: ClassVar[NextStep] = NextStep.PERSON


def session_lost(reason: int, port: str) -> NoSession:
    """The error for a session that `HostSession` has lost, or could not open. `reason`: of LOST_REASONS."""
    if reason in NotAuthenticated.WHAT_TO_DO:
        return NotAuthenticated(port, reason)
    return NoSession(f"port {port}: {host.LOST_REASONS[reason]}")
