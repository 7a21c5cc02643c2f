"""A restart that the program asks for, told from one that was forced on it.

The port names `machine.reset()` and a panic of the chip alike, HARD_RESET. The RTC's memory outlives both, and no
power cut: what asks for a restart leaves a mark there. It does not stay on the heap.
"""

from machine import HARD_RESET, RTC, reset

_ASKED = b"doorpad: asked for"


def mark():
    """The restart that follows is no panic, or is known already."""
    RTC().memory(_ASKED)


def restart():
    """Start anew. Does not return."""
    mark()
    reset()


def was_panic(cause):
    """Whether a panic led to this start, whose `cause` is `machine.reset_cause()`. Takes the mark away."""
    was_asked = RTC().memory() == _ASKED
    if was_asked:
        RTC().memory(b"")
    return cause == HARD_RESET and not was_asked
