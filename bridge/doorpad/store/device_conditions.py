"""Errors and warnings that stand on a keypad until their cause is gone, kept in its row.

They are few and are shown with every object of the keypad and of its codes, so that a table of their own would cost
each of those readers a query.
"""

from typing import TypedDict

from doorpad.store.schema import Device

UNPAID = "subscription_required"  # nothing is written to a keypad that it stands on
CUT_OFF = "account_disconnected"
THIRD_PARTY = "third_party_integration_detected"
STOPPED = "bridge_disconnected"  # what keeps the keypad in step has failed


class StandingCondition(TypedDict):
    """`message`: for people; `since_ms`: Unix milliseconds."""

    since_ms: int
    message: str
    is_warning: bool


def stand(device: Device, code: str, message: str, now_ms: int, *, is_warning: bool = False) -> bool:
    """Let an error or warning of the catalogue stand on the keypad, with these words; return whether it is new."""
    standing = device.conditions.get(code)
    since_ms = now_ms if standing is None else standing["since_ms"]
    condition = StandingCondition(since_ms=since_ms, message=message, is_warning=is_warning)
    if standing != condition:
        device.conditions = {**device.conditions, code: condition}  # anew: a change inside is not noticed
    return standing is None


def lift(device: Device, code: str) -> bool:
    """Take it off again; return whether it stood there."""
    if code not in device.conditions:
        return False
    device.conditions = {key: value for key, value in device.conditions.items() if key != code}
    return True
