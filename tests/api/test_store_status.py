"""The status of a code as a decision table. The instants: window 100 to 200, or none."""

import pytest
from doorpad.store.schema import AccessCode, Slot
from doorpad.store.status import on_keypad, status, wanted

ONGOING = (None, None)
BOUND = (100, 200)

# window, state, slot, now -> status, wanted
TABLE = [
    (ONGOING, "active", None, 150, "setting", True),
    (ONGOING, "active", "same", 150, "set", True),
    (ONGOING, "active", "other pin", 150, "setting", True),
    (ONGOING, "active", "other window", 150, "setting", True),
    (BOUND, "active", None, 99, "unset", True),
    (BOUND, "active", "same", 99, "unset", True),
    (BOUND, "active", None, 100, "setting", True),
    (BOUND, "active", "same", 100, "set", True),
    (BOUND, "active", "same", 199, "set", True),
    (BOUND, "active", "other pin", 199, "setting", True),
    (BOUND, "active", "same", 200, "removing", False),
    (BOUND, "active", "other pin", 200, "removing", False),
    (BOUND, "active", None, 200, "unset", False),
    (ONGOING, "removing", None, 150, "removing", False),
    (ONGOING, "removing", "same", 150, "removing", False),
    (BOUND, "removing", None, 300, "removing", False),
    (ONGOING, "deleted", None, 150, "unset", False),
]


@pytest.mark.parametrize(("window", "state", "slot", "now_s", "expected", "is_wanted"), TABLE)
def test_status_follows_the_table(
    window: tuple[int | None, int | None],
    state: str,
    slot: str | None,
    now_s: int,
    expected: str,
    is_wanted: bool,
) -> None:
    code = AccessCode(managed=True, code="4711", state=state, starts_at_s=window[0], ends_at_s=window[1])
    held = {
        None: None,
        "same": Slot(flags=3, code="4711", from_s=window[0], until_s=window[1]),
        "other pin": Slot(flags=3, code="4712", from_s=window[0], until_s=window[1]),
        "other window": Slot(flags=3, code="4711", from_s=100, until_s=201),
    }[slot]
    assert status(code, held, now_s, cut_off=False) == expected
    due = expected in ("set", "setting")
    assert status(code, held, now_s, cut_off=True) == ("unknown" if due else expected)
    assert wanted(code, now_s) is is_wanted
    assert on_keypad(code, held) is (slot == "same")


def test_unmanaged_code_is_never_wanted() -> None:
    assert not wanted(AccessCode(managed=False, code="4711", state="active"), 150)
