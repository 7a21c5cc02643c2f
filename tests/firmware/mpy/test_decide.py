"""The decision, as a table: every reason, and both edges of the window."""

from doorpad_fw.decide import after_use, decide
from doorpad_fw.slots import NO_CODE, Slot
from doorpad_link import messages
from doorpad_link.messages import ENABLED, MANAGED, TIME_BOUND

from cases import equal

FROM_S = 800_000_000
UNTIL_S = 800_003_600


def _slot(flags):
    bound = flags & TIME_BOUND
    return Slot(7, 1, flags, FROM_S if bound else 0, UNTIL_S if bound else 0, 1, bytes(8), NO_CODE, b"1234")


ONGOING = _slot(ENABLED)
BOUND = _slot(ENABLED | TIME_BOUND)
OFF = _slot(MANAGED)
OFF_AND_BOUND = _slot(TIME_BOUND)
ONCE = _slot(ENABLED | messages.COUNTED)
OFTEN = _slot(ENABLED | messages.COUNTED | 2 * messages.ONE_MORE_USE)
USED = _slot(ENABLED | messages.COUNTED | messages.SPENT)
USED_AND_BOUND = _slot(ENABLED | TIME_BOUND | messages.COUNTED | messages.SPENT)
HELP = _slot(ENABLED | messages.DURESS)

# (situation, slot, now_s, clock trusted, shut, what the decision must be)
TABLE = (
    ("no slot", None, FROM_S, True, False, messages.UNKNOWN_PIN),
    ("no slot, no clock", None, 0, False, False, messages.UNKNOWN_PIN),
    ("no slot, shut", None, FROM_S, True, True, messages.LOCKED_OUT),
    ("right, shut", ONGOING, FROM_S, True, True, messages.LOCKED_OUT),
    ("disabled, shut", OFF, FROM_S, True, True, messages.LOCKED_OUT),
    ("bound, shut, no clock", BOUND, 0, False, True, messages.LOCKED_OUT),
    ("disabled", OFF, FROM_S, True, False, messages.DISABLED),
    ("disabled, no clock", OFF, 0, False, False, messages.DISABLED),
    ("disabled and bound, no clock", OFF_AND_BOUND, 0, False, False, messages.DISABLED),
    ("disabled and bound, ended", OFF_AND_BOUND, UNTIL_S, True, False, messages.DISABLED),
    ("ongoing", ONGOING, FROM_S, True, False, messages.GRANTED),
    ("ongoing, no clock", ONGOING, 0, False, False, messages.GRANTED),
    ("bound, no clock", BOUND, 0, False, False, messages.CLOCK_UNKNOWN),
    ("bound, no clock, time in window", BOUND, FROM_S, False, False, messages.CLOCK_UNKNOWN),
    ("a second before from", BOUND, FROM_S - 1, True, False, messages.TOO_EARLY),
    ("at from", BOUND, FROM_S, True, False, messages.GRANTED),
    ("last second", BOUND, UNTIL_S - 1, True, False, messages.GRANTED),
    ("at until", BOUND, UNTIL_S, True, False, messages.TOO_LATE),
    ("spent", USED, FROM_S, True, False, messages.USED_UP),
    ("spent, shut", USED, FROM_S, True, True, messages.LOCKED_OUT),
    ("spent, no clock", USED_AND_BOUND, 0, False, False, messages.USED_UP),
    ("spent, ended", USED_AND_BOUND, UNTIL_S, True, False, messages.USED_UP),
    ("single use", ONCE, FROM_S, True, False, messages.GRANTED),
    ("more uses, shut", OFTEN, FROM_S, True, True, messages.LOCKED_OUT),
    ("more uses", OFTEN, FROM_S, True, False, messages.GRANTED),
    ("duress", HELP, FROM_S, True, False, messages.GRANTED),
    ("long after", BOUND, UNTIL_S + 10**8, True, False, messages.TOO_LATE),
)


def test_every_situation_has_its_reason():
    for situation, slot, now_s, trusted, shut, wanted in TABLE:
        equal(decide(slot, now_s, trusted, shut), wanted, situation)


def test_the_table_holds_every_reason():
    equal({row[5] for row in TABLE}, set(range(8)))


def test_an_empty_window_never_opens():
    slot = Slot(7, 1, ENABLED | TIME_BOUND, FROM_S, FROM_S, 1, bytes(8), NO_CODE, b"1234")
    reasons = [decide(slot, now_s, True, False) for now_s in (FROM_S - 1, FROM_S, FROM_S + 1)]
    equal(reasons, [messages.TOO_EARLY, messages.TOO_LATE, messages.TOO_LATE])


def test_counted_code_opens_as_often_as_it_says():
    for more in (0, 1, 2, 255):
        slot = _slot(ENABLED | messages.COUNTED | more * messages.ONE_MORE_USE)
        opened = 0
        while decide(slot, FROM_S, True, False) == messages.GRANTED:
            slot.flags = after_use(slot.flags)
            opened += 1
        equal((opened, slot.flags), (more + 1, ENABLED | messages.COUNTED | messages.SPENT), more)
