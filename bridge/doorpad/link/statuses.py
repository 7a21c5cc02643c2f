"""What a keypad's statuses mean, and what helps. The one table of the bridge; protocol/README.md shows the same."""

from dataclasses import dataclass

from doorpad_link import messages

from doorpad.errors import NextStep


@dataclass(frozen=True, slots=True)
class Status:
    """`means` and `what_to_do` are for people: never a PIN or a key in them.

    `is_keypads_fault`: whatever had been asked to be written, the keypad could not have.
    """

    name: str
    means: str
    what_to_do: str
    next_step: NextStep
    is_keypads_fault: bool = False


_NOTHING = "nothing: it is done"
_AGAIN = "nothing: the slot is read and the change planned again"
STATUSES = {
    messages.OK: Status("OK", "done", _NOTHING, NextStep.RETRY),
    messages.ALREADY: Status("ALREADY", "this very operation was done before", _NOTHING, NextStep.RETRY),
    messages.DUPLICATE: Status(
        "DUPLICATE",
        "another slot has the PIN",
        "give the code another PIN, or delete the one that has it",
        NextStep.CHANGE_REQUEST,
    ),
    messages.CONFLICT: Status("CONFLICT", "the slot is at another version", _AGAIN, NextStep.RETRY),
    messages.NO_SPACE: Status(
        "NO_SPACE",
        "as many codes as the table may hold",
        "delete codes, or wait until some end",
        NextStep.WAIT,
    ),
    messages.INVALID: Status(
        "INVALID",
        "arguments out of form or range",
        "bring hub and keypad to releases that fit each other",
        NextStep.PERSON,
    ),
    messages.NOT_FOUND: Status("NOT_FOUND", "the slot is empty", _AGAIN, NextStep.RETRY),
    messages.UNSUPPORTED: Status(
        "UNSUPPORTED", "no such operation here", "update the keypad's firmware", NextStep.PERSON
    ),
    messages.BUSY: Status("BUSY", "somebody is at the keypad", "nothing: it is asked again", NextStep.RETRY),
    messages.FLASH: Status(
        "FLASH",
        "flash did not take it; what stood before it in a list was done",
        "restart the keypad; replace its controller if that does not help",
        NextStep.PERSON,
        is_keypads_fault=True,
    ),
    messages.TIME_BEHIND: Status(
        "TIME_BEHIND",
        "earlier than what the journal has seen",
        "set the hub's clock right",
        NextStep.PERSON,
    ),
    messages.EXPIRED: Status(
        "EXPIRED",
        "too late, or the keypad has restarted since",
        "ask again, while it is still wanted",
        NextStep.CHANGE_REQUEST,
    ),
    messages.TOO_BIG: Status(
        "TOO_BIG",
        "the result does not fit a frame",
        "bring hub and keypad to releases that fit each other",
        NextStep.PERSON,
    ),
    messages.INTERNAL: Status(
        "INTERNAL",
        "a defect of the keypad",
        "report it, with what the keypad kept of it",
        NextStep.PERSON,
        is_keypads_fault=True,
    ),
}

_OPERATIONS = {
    value: name.removeprefix("OP_") for name, value in vars(messages).items() if name.startswith("OP_")
}


def status_of(number: int) -> Status:
    """The status of this number. One of a newer keypad is a refusal whose reason is not known here."""
    return STATUSES.get(number) or Status(
        f"status {number}", "a reason that this hub does not know", "update the hub", NextStep.PERSON
    )


def refusal(serial: str, op: int, number: int, slot: int | None = None) -> str:
    """A refusal in words: keypad, operation, slot if it is about one, status, and what to do next."""
    status = status_of(number)
    what = _OPERATIONS.get(op, f"operation {op}") + ("" if slot is None else f" of slot {slot}")
    return f"keypad {serial} refused {what}: {status.name}, {status.means}. Next: {status.what_to_do}"
