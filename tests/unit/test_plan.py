"""What is to be written to a keypad next, as tables; and random hubs that must come to rest with the right codes."""

import random
from typing import Any

import pytest
from doorpad.store.schema import AccessCode, Slot
from doorpad.sync.plan import DUPLICATE, NO_SPACE, Adopt, Clear, Plan, Problem, Write, plan

NOW_S = 1_800_000_000
HOUR_S = 3600


def _code(
    code_id: str, pin: str | None, *, starts_in_s: int | None = None, lasts_s: int = HOUR_S, **fields: Any
) -> AccessCode:
    starts_at_s = None if starts_in_s is None else NOW_S + starts_in_s
    wanted: dict[str, Any] = {
        "access_code_id": code_id,
        "code": pin,
        "managed": True,
        "state": "active",
        "conversion": None,
        "duress": False,
        "created_at_ms": 0,
        "starts_at_s": starts_at_s,
        "ends_at_s": None if starts_at_s is None else starts_at_s + lasts_s,
    }
    return AccessCode(**wanted | fields)


def _slot(number: int, holder: AccessCode, *, version: int = 1, **fields: Any) -> Slot:
    """The slot that holds a code as it is wanted, or with other `fields`."""
    held: dict[str, Any] = {
        "slot": number,
        "version": version,
        "flags": 3,
        "code": holder.code,
        "from_s": holder.starts_at_s,
        "until_s": holder.ends_at_s,
        "access_code_id": holder.access_code_id if holder.managed else None,
    }
    return Slot(**held | fields)


def _plan(
    codes: list[AccessCode],
    held: dict[str, Slot] | None = None,
    *,
    orphans: list[Slot] | None = None,
    others: set[int] | None = None,
    capacity: int = 10,
    paused: set[str | int] | None = None,
) -> Plan:
    """`others`: numbers of used slots that no given code holds."""
    held, orphans = held or {}, orphans or []
    used = {slot.slot for slot in (*held.values(), *orphans)} | (others or set())
    return plan(
        codes,
        held,
        orphans=orphans,
        used=used,
        capacity=capacity,
        slot_max=4096,
        now_s=NOW_S,
        ahead_s=HOUR_S,
        paused=paused or set(),
    )


def _write(code: AccessCode, slot: int, if_version: int = 0) -> Write:
    assert code.code is not None
    return Write(code.access_code_id, slot, if_version, code.code, code.starts_at_s, code.ends_at_s)


def test_nothing_wanted_and_nothing_there_is_nothing_to_do():
    assert _plan([]) == Plan([], {})


def test_code_as_wanted_is_left_alone():
    for code in (_code("a", "1111"), _code("a", "1111", starts_in_s=-10), _code("a", "1111", starts_in_s=10)):
        assert _plan([code], {"a": _slot(1, code)}) == Plan([], {})


def test_new_code_takes_the_lowest_free_slot():
    code = _code("a", "1111")
    assert _plan([code], others={1, 2, 4}) == Plan([_write(code, 3)], {})


def test_code_is_written_ahead_of_its_time_with_its_window():
    code = _code("a", "1111", starts_in_s=30 * 24 * HOUR_S)
    assert _plan([code]) == Plan([_write(code, 1)], {})


@pytest.mark.parametrize(
    "differs",
    [
        {"code": "2222"},
        {"code": None},
        {"from_s": NOW_S},
        {"until_s": NOW_S},
        {"from_s": NOW_S, "until_s": NOW_S + 1},
    ],
)
def test_slot_that_differs_is_replaced_in_place_at_its_version(differs):
    code = _code("a", "1111")
    assert _plan([code], {"a": _slot(5, code, version=77, **differs)}).actions == [_write(code, 5, 77)]


# Seconds from the start to now, and whether a window of an hour is still wanted on the keypad.
@pytest.mark.parametrize(
    ("starts_in_s", "stays"),
    [(1, True), (0, True), (-HOUR_S + 1, True), (-HOUR_S, False), (-HOUR_S - 1, False)],
)
def test_code_is_cleared_in_the_second_in_which_it_ends(starts_in_s, stays):
    code = _code("a", "1111", starts_in_s=starts_in_s)
    assert _plan([code], {"a": _slot(5, code, version=7)}).actions == ([] if stays else [Clear(5, 7)])
    assert _plan([code]).actions == ([_write(code, 1)] if stays else [])


def test_code_that_is_being_removed_is_cleared_and_not_written_again():
    code = _code("a", "1111", state="removing")
    assert _plan([code], {"a": _slot(5, code, version=7)}) == Plan([Clear(5, 7)], {})
    assert _plan([code]) == Plan([], {})


def test_slot_whose_code_was_deleted_here_is_cleared():
    gone = _code("gone", "1111")
    assert _plan([], orphans=[_slot(5, gone, version=9)]) == Plan([Clear(5, 9)], {})


def test_unmanaged_code_is_left_alone_unless_asked_for():
    for state, conversion, wanted in (
        ("active", None, []),
        ("removing", None, [Clear(5, 7)]),
        ("active", "requested", [Adopt("u", 5, 7)]),
        ("removing", "requested", [Clear(5, 7)]),
    ):
        code = _code("u", "1111", managed=False, state=state, conversion=conversion)
        assert _plan([code], {"u": _slot(5, code, version=7)}) == Plan(wanted, {}), (state, conversion)


def test_used_slots_that_are_not_ours_are_never_touched():
    codes = [_code(str(n), f"{n:04}") for n in range(20)]
    todo = _plan(codes, others=set(range(1, 8)), capacity=10)
    assert [action.slot for action in todo.actions] == [8, 9, 10]
    assert {problem.error_code for problem in todo.problems.values()} == {NO_SPACE}


def test_pin_that_another_code_has_on_the_keypad_is_a_duplicate_that_names_it():
    ours, wants = _code("ours", "1111"), _code("wants", "1111")
    todo = _plan([ours, wants], {"ours": _slot(1, ours)})
    assert todo == Plan([], {"wants": Problem(DUPLICATE, {"managed_access_code_id": "ours"})})
    theirs = _code("theirs", "1111", managed=False)
    todo = _plan([theirs, wants], {"theirs": _slot(1, theirs)})
    assert todo == Plan([], {"wants": Problem(DUPLICATE, {"unmanaged_access_code_id": "theirs"})})


def test_duplicate_of_a_code_that_is_not_due_is_no_problem_yet():
    ours, later = _code("ours", "1111"), _code("later", "1111", starts_in_s=10)
    assert _plan([ours, later], {"ours": _slot(1, ours)}) == Plan([], {})


def test_replacing_a_pin_with_one_that_another_code_has_leaves_the_slot_alone():
    ours, wants = _code("ours", "1111"), _code("wants", "1111")
    todo = _plan([ours, wants], {"ours": _slot(1, ours), "wants": _slot(2, wants, code="2222")})
    assert todo == Plan([], {"wants": Problem(DUPLICATE, {"managed_access_code_id": "ours"})})


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)], ids=["asked for", "the other way round"])
def test_pin_that_its_holder_is_about_to_change_is_waited_for_without_a_word(order):
    first, second, third = (
        _code(name, pin, created_at_ms=ms)
        for (name, pin), ms in zip(
            [("first", "2222"), ("second", "1111"), ("third", "9999")], order, strict=True
        )
    )
    held = {
        "first": _slot(1, first, code="1111"),
        "third": _slot(3, third, code="2222", version=7),
    }
    assert _plan([first, second, third], held) == Plan([_write(third, 3, 7)], {})
    stays = _code("stays", "9999", managed=False)
    blocked = _plan([first, second, third, stays], held | {"stays": _slot(4, stays)})
    assert (blocked.actions, sorted(blocked.problems)) == ([], ["first", "second", "third"])
    refused = _plan([first, second, third], held, paused={"third"})
    assert (refused.actions, sorted(refused.problems)) == ([], ["first", "second"])


@pytest.mark.parametrize("count", [2, 3, 5])
def test_of_codes_that_want_each_others_pins_one_is_taken_off_first(count):
    pins = [f"{n:04}" for n in range(count)]
    codes = [_code(pin, pin, created_at_ms=n) for n, pin in enumerate(pins)]
    had = {code.access_code_id: pins[n - 1] for n, code in enumerate(codes)}
    held = {
        code.access_code_id: _slot(n, code, code=had[code.access_code_id]) for n, code in enumerate(codes, 1)
    }
    assert _plan(codes, held) == Plan([Clear(2, 1)], {}), "the one that has the PIN of the first"


def test_pin_of_a_code_that_is_leaving_is_no_duplicate():
    leaving, wants = _code("leaving", "1111", state="removing"), _code("wants", "1111")
    todo = _plan([leaving, wants], {"leaving": _slot(1, leaving)})
    assert (todo.problems, Clear(1, 1) in todo.actions) == ({}, True)


def test_one_of_two_new_codes_with_one_pin_is_written_and_the_other_says_why_not():
    first, second = _code("first", "1111", created_at_ms=1), _code("second", "1111", created_at_ms=2)
    wanted = {"second": Problem(DUPLICATE, {"managed_access_code_id": "first"})}
    assert _plan([second, first]) == Plan([_write(first, 1)], wanted)


def test_pin_that_replaces_another_is_not_written_twice_in_one_plan():
    changed, new = _code("changed", "2222", created_at_ms=1), _code("new", "2222", created_at_ms=2)
    todo = _plan([changed, new], {"changed": _slot(1, changed, code="1111")})
    assert todo == Plan(
        [_write(changed, 1, 1)], {"new": Problem(DUPLICATE, {"managed_access_code_id": "changed"})}
    )


def test_scarce_slots_go_to_the_next_ones_due():
    codes = [_code(str(n), f"{n:04}", starts_in_s=n * HOUR_S) for n in (5, 3, 1, 4, 2)]
    ongoing = _code("ongoing", "9000")
    todo = _plan([*codes, ongoing], others={1}, capacity=4)
    assert [action.access_code_id for action in todo.actions] == ["ongoing", "1", "2"]
    assert todo.problems == {}, "what is not due can wait"


def test_codes_due_at_once_are_written_in_the_order_of_their_creation():
    codes = [
        _code(name, pin, created_at_ms=ms) for name, pin, ms in (("c", "1", 3), ("a", "2", 1), ("b", "3", 2))
    ]
    assert [action.access_code_id for action in _plan(codes).actions] == ["a", "b", "c"]


def test_due_code_takes_the_slot_of_the_one_that_is_due_last():
    soon, late = _code("soon", "1111", starts_in_s=60), _code("late", "2222", starts_in_s=9 * HOUR_S)
    due = _code("due", "3333")
    todo = _plan([soon, late, due], {"soon": _slot(1, soon), "late": _slot(2, late, version=8)}, capacity=2)
    assert todo == Plan([Clear(2, 8)], {})


def test_due_code_never_takes_the_slot_of_one_that_is_due_or_not_ours():
    running, ongoing = _code("running", "1111", starts_in_s=-60), _code("ongoing", "2222")
    theirs = _code("theirs", "3333", managed=False)
    due = _code("due", "4444")
    held = {"running": _slot(1, running), "ongoing": _slot(2, ongoing), "theirs": _slot(3, theirs)}
    todo = _plan([running, ongoing, theirs, due], held, others={4}, capacity=4)
    assert todo == Plan([], {"due": Problem(NO_SPACE, {})})


def test_code_that_begins_earlier_takes_the_slot_ahead_of_its_time():
    soon, late = _code("soon", "1111", starts_in_s=60), _code("late", "2222", starts_in_s=9 * HOUR_S)
    assert _plan([soon, late], {"late": _slot(1, late)}, capacity=1) == Plan([Clear(1, 1)], {})
    assert _plan([soon, late], {"soon": _slot(1, soon)}, capacity=1) == Plan([], {}), "it stays"


def test_codes_that_begin_together_do_not_drive_each_other_out():
    first, second = (
        _code(name, pin, starts_in_s=60, created_at_ms=ms)
        for name, pin, ms in (("first", "1111", 1), ("second", "2222", 2))
    )
    assert _plan([first, second], {"second": _slot(1, second)}, capacity=1) == Plan([], {})


def test_pin_goes_to_the_one_of_its_codes_that_begins_first():
    soon, late = _code("soon", "1111", starts_in_s=60), _code("late", "1111", starts_in_s=9 * HOUR_S)
    assert _plan([soon, late], {"late": _slot(4, late, version=7)}) == Plan([Clear(4, 7)], {})
    assert _plan([soon, late]) == Plan([_write(soon, 1)], {})
    assert _plan([soon, late], {"soon": _slot(1, soon)}) == Plan([], {})


def test_two_codes_that_wait_for_one_pin_evict_its_holder_once():
    due, soon = _code("due", "1111", starts_in_s=-60), _code("soon", "1111", starts_in_s=2 * HOUR_S)
    late = _code("late", "1111", starts_in_s=9 * HOUR_S)
    assert _plan([due, soon, late], {"late": _slot(4, late)}) == Plan([Clear(4, 1)], {})


def test_two_due_codes_evict_two():
    later = [_code(f"later{n}", f"{n:04}", starts_in_s=n * HOUR_S) for n in (1, 2, 3)]
    held = {code.access_code_id: _slot(n, code) for n, code in enumerate(later, 1)}
    todo = _plan([*later, _code("x", "7777"), _code("y", "8888")], held, capacity=3)
    assert (todo.actions, todo.problems) == ([Clear(3, 1), Clear(2, 1)], {})


def test_evicted_code_is_not_written_in_the_same_plan():
    late, due = _code("late", "2222", starts_in_s=9 * HOUR_S), _code("due", "3333")
    todo = _plan([late, due], {"late": _slot(1, late, code="0000")}, capacity=1)
    assert todo == Plan([Clear(1, 1)], {})


def test_code_that_is_being_removed_ahead_of_its_time_is_cleared_once():
    going = _code("going", "2222", starts_in_s=9 * HOUR_S, state="removing")
    todo = _plan([going, _code("x", "3333"), _code("y", "4444")], {"going": _slot(1, going)}, capacity=1)
    assert todo == Plan([Clear(1, 1)], {"y": Problem(NO_SPACE, {})})


def test_slot_that_is_being_cleared_anyway_is_waited_for():
    late, due = _code("late", "2222", starts_in_s=9 * HOUR_S), _code("due", "3333")
    gone = _slot(2, _code("gone", "1111"))
    todo = _plan([late, due], {"late": _slot(1, late)}, orphans=[gone], capacity=2)
    assert todo == Plan([Clear(2, 1)], {}), "nobody has to go for it"
    assert _plan([due], orphans=[gone], capacity=1) == Plan([Clear(2, 1)], {}), "there is space in a moment"


def _spare(code_id: str, pin: str) -> AccessCode:
    """A spare code in the middle of its lease."""
    return _code(code_id, pin, starts_in_s=-9 * HOUR_S, lasts_s=99 * HOUR_S, backup="pooled")


def test_spare_code_gives_its_slot_to_one_that_should_be_there_by_now():
    spare = _spare("spare", "1111")
    for needs in (_code("x", "2222"), _code("x", "2222", starts_in_s=HOUR_S - 1)):
        assert _plan([spare, needs], {"spare": _slot(3, spare)}, capacity=1) == Plan([Clear(3, 1)], {})
        assert _plan([spare, needs], capacity=1) == Plan([_write(needs, 1)], {}), "no problem of a spare one"


def test_spare_code_has_precedence_over_one_that_begins_later():
    spare, later = _spare("spare", "1111"), _code("later", "2222", starts_in_s=HOUR_S + 1)
    assert _plan([spare, later], {"spare": _slot(3, spare)}, capacity=1) == Plan([], {})
    assert _plan([spare, later], {"later": _slot(3, later)}, capacity=1) == Plan([Clear(3, 1)], {})


def test_booking_that_begins_last_gives_way_before_a_spare_code():
    spare, due = _spare("spare", "1111"), _code("due", "3333")
    later = _code("later", "2222", starts_in_s=2 * HOUR_S)
    held = {"spare": _slot(1, spare), "later": _slot(2, later)}
    assert _plan([spare, later, due], held, capacity=2) == Plan([Clear(2, 1)], {})


def test_spare_code_gives_way_to_one_with_its_pin():
    spare, due = _spare("spare", "1111"), _code("due", "1111")
    assert _plan([spare, due], {"spare": _slot(1, spare)}) == Plan([Clear(1, 1)], {})


def test_paused_code_is_not_written_and_has_no_new_problem():
    code = _code("a", "1111")
    assert _plan([code], paused={"a"}) == Plan([], {})
    assert _plan([code], capacity=0, paused={"a"}) == Plan([], {})
    assert _plan([code], {"a": _slot(1, code, code="2222")}, paused={"a"}) == Plan([], {})


def test_code_without_a_pin_yet_is_not_written():
    assert _plan([_code("a", None)]) == Plan([], {})


def test_pin_is_in_no_representation_of_a_plan():
    assert "4711" not in repr(_plan([_code("a", "4711")]))


class _Keypad:
    """A table that takes a plan's actions, and refuses what the rules forbid."""

    def __init__(self, capacity: int, unmanaged: dict[int, AccessCode]) -> None:
        self.capacity = capacity
        self.version = 0
        self.slots: dict[int, tuple[AccessCode, Slot]] = {}
        for number, code in unmanaged.items():
            self._set(number, code)

    def _set(self, number: int, code: AccessCode) -> None:
        self.version += 1
        self.slots[number] = (code, _slot(number, code, version=self.version))

    def carry_out(self, todo: Plan, codes: dict[str, AccessCode]) -> None:
        """Clears first, as the bridge does: they may make room."""
        assert len({action.slot for action in todo.actions}) == len(todo.actions), "two actions for one slot"
        clears = [action for action in todo.actions if isinstance(action, Clear)]
        for action in clears:
            code, slot = self.slots.pop(action.slot)
            assert code.managed, "a slot that is not ours was cleared"
            assert action.if_version == slot.version
        for action in [] if clears else todo.actions:
            assert isinstance(action, Write)
            there = self.slots.get(action.slot)
            assert action.if_version == (there[1].version if there else 0)
            assert there is None or there[0].access_code_id == action.access_code_id
            others = {slot.code for number, (_, slot) in self.slots.items() if number != action.slot}
            assert action.code not in others, "a PIN would be there twice"
            self._set(action.slot, codes[action.access_code_id])
        assert len(self.slots) <= self.capacity


@pytest.mark.parametrize("seed", range(40))
def test_random_hub_comes_to_rest_with_every_due_code_or_a_reason(seed):
    rng = random.Random(seed)
    capacity = rng.randrange(3, 9)
    unmanaged = {
        n: _code(f"u{n}", f"u{n}", managed=False) for n in rng.sample(range(1, 12), rng.randrange(3))
    }
    keypad = _Keypad(capacity, unmanaged)
    codes: dict[str, AccessCode] = {code.access_code_id: code for code in unmanaged.values()}
    for n in range(rng.randrange(4)):
        codes[f"spare{n}"] = _spare(f"spare{n}", f"{rng.randrange(12, 15)}")
    orphaned: set[str] = set()
    for change in range(30):
        managed = [code for code in codes.values() if code.managed and code.backup is None]
        if managed and rng.random() < 0.3:
            code = rng.choice(managed)
            if rng.random() < 0.5:
                del codes[code.access_code_id]
                orphaned.add(code.access_code_id)
            else:
                changed = _code(code.access_code_id, f"{rng.randrange(12)}", created_at_ms=code.created_at_ms)
                codes[code.access_code_id] = changed
        else:
            starts_in_s = rng.choice([None, None, -60, 60, 600, 6000, -HOUR_S - 1])
            code = _code(f"m{change}", f"{rng.randrange(12)}", starts_in_s=starts_in_s, created_at_ms=change)
            codes[code.access_code_id] = code
        if rng.random() < 0.5:
            continue  # the keypad is away meanwhile
        for _ in range(60):
            held = {code.access_code_id: slot for code, slot in keypad.slots.values()}
            orphans = [held.pop(gone) for gone in orphaned & held.keys()]
            todo = plan(
                list(codes.values()),
                held,
                orphans=orphans,
                used=keypad.slots.keys(),
                capacity=capacity,
                slot_max=4096,
                now_s=NOW_S,
                ahead_s=HOUR_S,
            )
            if not todo.actions:
                break
            keypad.carry_out(todo, codes)
        else:
            pytest.fail(f"change {change}: no rest; the last plan was {todo}")
        _check_rest(keypad, codes, todo, unmanaged)


def _check_rest(
    keypad: _Keypad, codes: dict[str, AccessCode], todo: Plan, unmanaged: dict[int, AccessCode]
) -> None:
    on_keypad = {code.access_code_id: slot.code for code, slot in keypad.slots.values()}
    assert {f"u{number}" for number in unmanaged} <= on_keypad.keys(), "a code that is not ours is gone"
    for code in codes.values():
        if not code.managed or code.backup is not None:
            continue
        ended = code.ends_at_s is not None and code.ends_at_s <= NOW_S
        due = not ended and (code.starts_at_s is None or code.starts_at_s <= NOW_S)
        if ended:
            assert code.access_code_id not in on_keypad
        if due:
            placed = on_keypad.get(code.access_code_id) == code.code
            assert placed != (code.access_code_id in todo.problems), code.access_code_id
    for code_id, problem in todo.problems.items():
        if problem.error_code == NO_SPACE:
            waiting = [
                c
                for c in codes.values()
                if c.backup is not None or (c.starts_at_s is not None and c.starts_at_s > NOW_S)
            ]
            assert not any(c.access_code_id in on_keypad for c in waiting), (
                f"{code_id} has no space, and it waits"
            )


def test_slot_that_the_keypad_refused_to_clear_waits_and_keeps_nothing_back_but_its_pin() -> None:
    gone = _code("gone", "1111", state="removing")
    same, other = _code("same", "1111"), _code("other", "2222")
    orphan = Slot(slot=2, version=5, code="3333")
    before = _plan([gone, same, other], {"gone": _slot(1, gone)}, orphans=[orphan])
    assert [it for it in before.actions if isinstance(it, Clear)] == [Clear(2, 5), Clear(1, 1)]
    paused = _plan([gone, same, other], {"gone": _slot(1, gone)}, orphans=[orphan], paused={1, 2})
    assert paused.actions == [Write("other", 3, 0, "2222", None, None)]
    assert paused.problems == {"same": Problem(DUPLICATE, {"managed_access_code_id": "gone"})}


def test_slot_that_the_keypad_refused_to_clear_is_not_asked_to_make_room_either() -> None:
    later, now = _code("later", "1111", starts_in_s=HOUR_S), _code("now", "2222")
    held = {"later": _slot(1, later)}
    assert _plan([later, now], held, capacity=1).actions == [Clear(1, 1)]
    assert _plan([later, now], held, capacity=1, paused={1}).actions == []
