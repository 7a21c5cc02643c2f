"""What a hub wrote to the slots of its keypads, as the tapes of their cables have it."""

from typing import Any

import taped
from hil_world import World

Frame = tuple[str, list[Any]]


def frames(world: World) -> list[Frame]:
    """The frames that change slots, in order, repetitions left out: `put` or `delete`, and an item for each."""
    found: list[Frame] = []
    for rule, body in taped.check(world.data):
        if rule == "put-request":
            found.append(("put", body[1][2]))
        elif rule == "delete-request":
            found.append(("delete", body[1]))
    return found


def sizes(sent: list[Frame]) -> list[tuple[str, int]]:
    return [(operation, len(items)) for operation, items in sent]


def slots(sent: list[Frame]) -> int:
    return sum(len(items) for _, items in sent)
