"""Which actions of a plan make the next step. Pure."""

from collections.abc import Sequence

from doorpad.link.slot_writes import DELETES_MAX, PUTS_MAX
from doorpad.sync.breaker import REFUSED_MIN, Allowed
from doorpad.sync.plan import Action, Adopt, Clear, Write

# Frames of one step: the link keeps the keypad's window filled with them, and the line rests only between steps.
# More would keep a deletion waiting: these take 1.3 s at 115,200 baud.
WRITES_MAX = 16 * PUTS_MAX


def next_step(actions: Sequence[Action], allowed: Allowed, turn: int, *, is_proven: bool) -> list[Action]:
    """The next actions, all of one kind. What clears a slot, or makes one ours, comes first: it may make room.

    Args:
        turn: how many single writes were made in vain. Each time another one is tried, for it may be the fault of
            one slot: a deletion first, since that code still opens, and then by turns something else.
        is_proven: the keypad did the last write, and that a moment ago. Else as many are sent as it takes to see
            that it does none: each uses up some places of its flash, and once there are none only a restart helps.
    """
    clears: list[Action] = [action for action in actions if isinstance(action, Clear)]
    adopts: list[Action] = [action for action in actions if isinstance(action, Adopt)]
    writes: list[Action] = [action for action in actions if isinstance(action, Write)]
    if allowed is Allowed.NONE:
        return []
    if allowed is Allowed.ALL:
        if not is_proven:
            return clears[:REFUSED_MIN] or adopts[:1] or writes[:REFUSED_MIN]
        return clears[:DELETES_MAX] or adopts[:1] or writes[:WRITES_MAX]
    others = adopts + writes
    if clears and others:
        turn, is_others = divmod(turn, 2)
        kind = others if is_others else clears
    else:
        kind = clears or others
    return [kind[turn % len(kind)]] if kind else []
