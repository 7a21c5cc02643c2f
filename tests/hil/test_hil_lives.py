"""Whole lives of codes against a model: API, keys, cables, power, kills and clocks in any order (DESIGN, 10).

Everything is the real thing: the bridge is a process that is killed, the two keypads run the firmware on emulated
boards. Beside them stands a model of what people may expect (life_model.py). In each life codes are made, changed,
deleted and taken over, at one door or at both, PINs are entered and programmed, and after every entry the door must
have done what the model allows. From time to time all is put right again; then keypads, database and API have to
agree with the model, and the log with everything that was done at the doors (life_check.py).

What may never happen, and where it would be seen:

- a door opens outside a window, or for a code that was removed: `Expected.press`, at each PIN that is entered, also
  in the last second before an edge and the first one after;
- a code that should open does not: the same; never neither the old nor the new, for one that is changed;
- an acknowledged write is lost: `Hub.ask_and_kill`, at once, and every other one by `difference` and `check_tables`,
  after all kills and power cuts;
- an unmanaged slot is changed without being asked: `check_tables` (its place and version); `Expected.press`, for it
  opens whatever the hub wants; each life begins with such codes, often with ones that the hub wants the PINs of;
- an event takes effect twice, or vanishes: `check_events` counts entries, dialogues and changes, `life_events.py`
  holds the events of each code to their edges, and no gap may be told;
- statuses, errors and windows are not what they should be: `difference`, once all is quiet;
- a PIN or key is told: `check_silence`, of all that was written in all lives;
- a byte from the wire crashes either side: `World.close` looks for traces, and holds each frame to the grammar.
"""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

import life_look
import pytest
from hil_world import Bench, World, running
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from life_check import check_events, check_silence, check_tables, difference
from life_door import Door, Programmed
from life_hub import CONTROLS, Hub, fields
from life_model import Code, Terms

YEAR_S = 31_536_000
TIMING = (
    "poll_s = 0.2\noffline_s = 1.0\nhandshake_s = 1.0\nstatistics_s = 0.3\n"
    f"ended_kept_s = {YEAR_S}\nbackup_lease_s = {YEAR_S}"  # longer than a life
)
PINS = ("482913", "736450", "591024")
OWN = "659301"  # of a code that is at each keypad from the beginning on, and that nobody asks anything of
NOBODYS = "908172"
SPARE = 3  # codes that the hub keeps for nobody yet, on the first keypad
WRONG_MAX = 4  # one more shuts the keypad for a while
HOUR_S = 3_600
SEED = 139  # of the short form: nearly everything comes about in its few lives
# What the API was asked for, as the story of a life tells of it.
ACTS = ("create", "update", "delete", "convert", "pull", "kill the bridge with")
LOOKS_MAX = 100  # at what the hub says, a few a second, for all to be quiet

WINDOWS = {  # hours, from the next edge of a time on
    "always": (None, None),
    "now": (-1, 0),
    "now and later": (-1, 1),
    "next": (0, 1),
    "later": (1, 3),
}
SOME_PIN = st.sampled_from(PINS)
SOME_WINDOW = st.sampled_from(sorted(WINDOWS))
SOME_DOOR = st.sampled_from([0, 0, 1])
THEN = st.sampled_from([None, None, OWN, OWN, *PINS])  # a PIN that is entered right after
WHICH = st.integers(0, 7)  # of those that there are, counted round


class Lives(RuleBasedStateMachine):
    world: ClassVar[World]
    benches: ClassVar[list[Bench]]
    scratch: ClassVar[Path]
    told: ClassVar[list[str]] = []  # in all lives

    @initialize(
        codes=st.lists(st.tuples(SOME_DOOR, SOME_PIN, SOME_WINDOW), min_size=1, max_size=3),
        own=st.lists(st.tuples(SOME_DOOR, SOME_PIN), max_size=2, unique=True),
        unheard=st.booleans(),
    )
    def begin(self, codes: list[tuple[int, str, str]], own: list[tuple[int, str]], unheard: bool) -> None:
        """The hub has the controls and some more, the keypads some of their own.

        If it has not heard of these yet, it wants the PIN of one of them. No window begins or ends for half an hour.
        """
        self.story: list[str] = []
        self.hub = Hub(self.world, self._tell)
        self.doors = [
            Door(name, keypad, bench, self._tell)
            for name, keypad, bench in zip(("front", "back"), self.world.keypads, self.benches, strict=True)
        ]
        self._put_right()
        self.doors[0].spare, self.pulled = SPARE, 0
        for door in self.doors:
            self._empty(door)
        for door in self.doors:
            terms = Terms(CONTROLS[0])
            door.log_from = life_look.log_end(self.world)
            id_ = self.world.create(device_id=door.keypad.device_id, code=terms.pin)
            door.control = Code(id_, terms, [terms])
            door.expected.add(door.control)
            self._enter(door, terms.pin)  # ends the count of wrong ones of the life before
        self._set_clocks(self._middle_s(1))
        for door in self.doors:
            if unheard:
                door.move_the_cable("out")
            door.program("add", OWN, self._now_s)
        wanted_too = [codes[0][:2]] if unheard else []
        for place, pin in (*wanted_too, *own):
            self._program(self.doors[place], "add", pin)
        for place, pin, window in codes:
            self.hub.create([self.doors[place]], self._terms(pin, window))
        for door in self.doors:
            if unheard:
                door.move_the_cable("in")

    def _empty(self, door: Door) -> None:
        """Have everything off the keypad, and told of."""
        device_id = door.keypad.device_id
        access_codes = self.world.seam.access_codes
        self.world.create(device_id=device_id, code=NOBODYS)  # what was unread till then is read before that
        for code in access_codes.list(device_id=device_id):
            access_codes.delete(access_code_id=code.access_code_id)
        for unmanaged in access_codes.unmanaged.list(device_id=device_id):
            mark = self.world.bridge.mark()
            access_codes.unmanaged.delete(access_code_id=unmanaged.access_code_id)
            self.world.bridge.event("access_code.unmanaged.removed", unmanaged.access_code_id, after=mark)
        self._await_agreement(door)

    def teardown(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.push(self._tell_its_story)
            if (failed := sys.exc_info()[1]) is not None:
                raise failed
            for door in self.doors:
                if door.has_power:
                    self._stand_there_when_a_window_begins_or_ends(door)
            self.be_quiet()
            for door in self.doors:
                check_events(self.world, door)

    def _tell(self, what: str) -> None:
        self.story.append(what)
        self.told.append(what)

    def _tell_its_story(self, _: object, failed: BaseException | None, __: object) -> None:
        if failed is not None:
            failed.add_note("\n".join(["this life:", *self.story]))

    # The API.

    def _terms(self, pin: str, window: str, *, once: bool = False) -> Terms:
        edge_s = self._middle_s() + HOUR_S // 2
        first, last = WINDOWS[window]
        if first is None or last is None:
            return Terms(pin, once=once)
        return Terms(pin, edge_s + first * HOUR_S, edge_s + last * HOUR_S, once)

    def _pick(self, door: Door, which: int, *, managed: bool) -> Code | None:
        """One that may be changed by the API."""
        codes = [
            code
            for code in door.expected.alive()
            if code is not door.control
            and code.wanted.pin != OWN
            and (code.is_managed, code.is_converting, code.is_backup) == (managed, False, False)
            and code.code_id is not None
        ]
        return codes[which % len(codes)] if codes else None

    @precondition(lambda self: self.hub.runs)
    @rule(
        place=SOME_DOOR,
        do=st.sampled_from(["one", "once", "both"]),
        pin=SOME_PIN,
        window=SOME_WINDOW,
        then=THEN,
    )
    def ask_for_a_code(self, place: int, do: str, pin: str, window: str, then: str | None) -> None:
        door = self.doors[place]
        self._create(self.doors if do == "both" else [door], self._terms(pin, window, once=do == "once"))
        self._enter_then(door, then)

    @precondition(lambda self: self.hub.runs)
    @rule(
        place=SOME_DOOR,
        change=st.sampled_from(["name", "code", "window", "all"]),
        which=WHICH,
        pin=SOME_PIN,
        window=SOME_WINDOW,
        then=THEN,
    )
    def change_a_code(
        self, place: int, change: str, which: int, pin: str, window: str, then: str | None
    ) -> None:
        door = self.doors[place]
        if code := self._pick(door, which, managed=True):
            self._update(door, code, change, pin, window)
        self._enter_then(door, then)

    @precondition(lambda self: self.hub.runs)
    @rule(place=SOME_DOOR, which=WHICH, then=THEN)
    def delete_a_code(self, place: int, which: int, then: str | None) -> None:
        door = self.doors[place]
        if code := self._pick(door, which, managed=True):
            self.hub.delete(code)
        self._enter_then(door, then)

    @precondition(lambda self: self.hub.runs)
    @rule(
        place=SOME_DOOR,
        do=st.sampled_from(["create", "code", "delete"]),
        which=WHICH,
        pin=SOME_PIN,
        then=THEN,
    )
    def kill_the_bridge_amid(self, place: int, do: str, which: int, pin: str, then: str | None) -> None:
        door = self.doors[place]
        code = None if do == "create" else self._pick(door, which, managed=True)
        if do == "create" or (code and not code.wanted.once):
            self.hub.ask_and_kill(door, do, code, pin)
        self._enter_then(door, then)

    def _create(self, doors: list[Door], terms: Terms) -> None:
        """One that opens once gets a PIN of its own: of two with one PIN only the log tells which has opened."""
        if not terms.once or not any(door.expected.may_hold(terms.pin) for door in doors):
            self.hub.create(doors, terms)

    def _update(self, door: Door, code: Code, change: str, pin: str, window: str) -> None:
        terms, is_over = code.wanted, code.is_over(self._now_s)
        if change in ("window", "all"):
            terms = self._terms(terms.pin, window)
        if change in ("code", "all"):
            terms = replace(terms, pin=pin)
        if change != "name" and (terms == code.wanted or (is_over and change == "code") or code.wanted.once):
            return
        self.hub.update(door, code, change, code.wanted if change == "name" else terms)

    @precondition(lambda self: self.hub.runs)
    @rule(place=SOME_DOOR, do=st.sampled_from(["convert", "convert", "delete"]), which=WHICH, then=THEN)
    def ask_for_an_unmanaged_code(self, place: int, do: str, which: int, then: str | None) -> None:
        door = self.doors[place]
        code = self._pick(door, which, managed=False)
        if code is not None and do == "delete":
            self.hub.delete(code)
        elif code is not None and not code.is_over(self._now_s) and not code.wanted.is_used:
            self.hub.convert(code)
        self._enter_then(door, then)

    @precondition(lambda self: self.hub.runs and self.pulled < SPARE)
    @rule(which=WHICH)
    def pull_a_backup(self, which: int) -> None:
        """At the first door, which keeps some since before all lives. It is entered in any case."""
        door = self.doors[0]
        code = self._pick(door, which, managed=True)
        if code is None or code.wanted.until_s is None or code.is_over(self._now_s):
            return
        backup = code.backup or self.hub.pull(door, code)
        if backup is not None:
            self.pulled += 1
            self._enter_then(door, backup.wanted.pin)

    # The doors.

    @rule(
        place=SOME_DOOR,
        pins=st.lists(st.sampled_from([*PINS, *PINS, OWN, NOBODYS]), min_size=1, max_size=2, unique=True),
    )
    def enter(self, place: int, pins: list[str]) -> None:
        for pin in pins:
            self._enter_then(self.doors[place], pin)

    def _enter_then(self, door: Door, pin: str | None) -> None:
        if pin is not None and door.has_power:
            self._enter(door, pin)

    def _enter(self, door: Door, pin: str, at_s: int | None = None) -> None:
        """Enter a PIN, `at_s` by the keypad's clock if that stands still. First the API is asked about its codes."""
        expected, at_s = door.expected, self._now_s if at_s is None else at_s
        if expected.wrong >= WRONG_MAX and pin != door.control.wanted.pin:
            self._enter(door, door.control.wanted.pin, at_s)
        for code in expected.may_hold(pin) if self.hub.runs else ():
            if code.is_managed and not code.is_converting:
                self.hub.ask_about(code)
        if self.hub.may_reach(door) and expected.clock == "unknown":
            expected.clock = "either"
        may = expected.may_open(pin, at_s)
        if len(may) < 2 or not any(code.wanted.once for code in may):
            door.enter(pin, at_s)

    @rule(
        place=SOME_DOOR,
        do=st.sampled_from(["add", "add", "once", "days", "delete", "another PIN"]),
        pin=SOME_PIN,
        other=SOME_PIN,
        then=THEN,
    )
    def work_at_a_keypad(
        self,
        place: int,
        do: Literal["add", "once", "days", "delete", "another PIN"],
        pin: str,
        other: str,
        then: str | None,
    ) -> None:
        door = self.doors[place]
        if not door.has_power:
            pass
        elif do == "delete":
            if code := self._code_for_sure(door, pin):
                door.unprogram(code)
        elif do == "another PIN":
            code = self._code_for_sure(door, pin)
            # The hub gives a code of its own that opens once another use with its right PIN.
            if code and not (code.is_managed and code.wanted.once) and self._is_free(door, other):
                door.give_another_pin(code, other)
        elif do == "days":
            self._program_for_a_day(door, pin)
        else:
            self._program(door, do, pin)
        self._enter_then(door, then)

    def _is_free(self, door: Door, pin: str) -> bool:
        """Whether nobody has the PIN there, nor is just getting there."""
        expected = door.expected
        return not expected.may_hold(pin) and not (self.hub.may_reach(door) and expected.wanting(pin))

    def _program(self, door: Door, how: Programmed, pin: str) -> None:
        if self._is_free(door, pin):
            door.program(how, pin, self._now_s)

    def _program_for_a_day(self, door: Door, pin: str) -> None:
        """At a quarter to the next hour, for the window to begin and end between those of others."""
        if door.expected.clock != "right" or not self._is_free(door, pin):
            return
        self._hold_sessions()
        at_s = self._middle_s() + HOUR_S // 4
        door.freeze(at_s)
        door.program("days", pin, at_s)
        self._set_clocks(self._middle_s(1))
        door.freeze(None)

    def _code_for_sure(self, door: Door, pin: str) -> Code | None:
        """The one that is there; against the hub's will it is disturbed only once."""
        codes = door.expected.may_hold(pin)
        if len(codes) != 1 or not codes[0].is_at_rest() or codes[0].is_converting:
            return None
        [code] = codes
        if code.is_managed and (code.disturbed or code.is_over(self._now_s)):
            return None
        return code

    # Harm.

    @rule(place=SOME_DOOR, cable=st.sampled_from(["out", "silent"]), then=THEN)
    def move_a_cable(self, place: int, cable: Literal["out", "silent"], then: str | None) -> None:
        """Pull the plug or cut the wires in it, or put that right."""
        door = self.doors[place]
        door.move_the_cable(cable if door.cable == "in" else "in")
        self._enter_then(door, then)

    @rule(place=SOME_DOOR, back=st.sampled_from([True, True, False]), then=THEN)
    def cut_the_power(self, place: int, back: bool, then: str | None) -> None:
        self.doors[place].cut_the_power(back=back)
        self._enter_then(self.doors[place], then)

    @rule(
        how=st.sampled_from(["kill", "kill", "stop"]),
        back=st.booleans(),
        place=SOME_DOOR,
        then=THEN,
    )
    def end_the_bridge(self, how: str, back: bool, place: int, then: str | None) -> None:
        """Or start one, if there is none."""
        runs = self.hub.runs
        if runs and how == "kill":
            self.world.bridge.kill()
        elif runs:
            assert self.world.bridge.stop() == 0
        if back or not runs:
            self.world.start_bridge(online=False)
        self._tell(f"{how if runs else 'no'} bridge{', start' if back or not runs else ''}")
        self._enter_then(self.doors[place], then)

    # Time.

    @property
    def _now_s(self) -> int:
        return self.world.clock.now_s()

    def _middle_s(self, hours: int = 0, of_s: int | None = None) -> int:
        """The middle of an hour, so many from now on: edges of windows lie between them."""
        return ((self._now_s if of_s is None else of_s) // HOUR_S + hours) * HOUR_S + HOUR_S // 2

    def _hold_sessions(self) -> None:
        """None may begin while the clocks are moved: that would tell a keypad the hub's time."""
        for door in self.doors:
            if self.hub.may_reach(door):
                self.hub.touch(door)

    def _set_clocks(self, to_s: int) -> None:
        now_s = self._now_s
        for door in self.doors:
            door.move_the_clock(now_s, to_s)
        self.world.clock.move(self.world.clock.ahead_s + to_s - now_s)

    @rule(place=SOME_DOOR, hours=st.integers(0, 2), then=THEN)
    def let_time_pass(self, place: int, hours: int, then: str | None) -> None:
        door = self.doors[place]
        if hours:
            self._tell(f"{hours} hours pass")
            self._hold_sessions()
            self._set_clocks(self._middle_s(hours))
        elif door.has_power:
            self._stand_there_when_a_window_begins_or_ends(door)
        self._enter_then(door, then)

    def _stand_there_when_a_window_begins_or_ends(self, door: Door) -> None:
        """Enter the PINs in the last second before and in the first one after."""
        edges = {
            (edge_s, it.pin)
            for code in door.expected.codes
            for it in code.stages
            for edge_s in ((it.from_s, it.until_s) if it else ())
            if edge_s is not None and 0 < edge_s - self._now_s < YEAR_S // 2
        }
        if not edges:
            return
        self._hold_sessions()
        at_s, _ = min(edges)
        for frozen_s in (at_s - 1, at_s):
            door.freeze(frozen_s)
            for pin in sorted(pin for edge_s, pin in edges if edge_s == at_s):
                self._enter(door, pin, frozen_s)
        self._set_clocks(self._middle_s(1, of_s=at_s - HOUR_S // 2))
        door.freeze(None)

    # Rest.

    @rule()
    def be_quiet(self) -> None:
        """All that was broken is whole again, and in the end everybody agrees."""
        if self.story and self.story[-1] == "quiet":
            return
        self._put_right()
        for door in self.doors:
            self.hub.touch(door)
        for door in self.doors:
            self._await_agreement(door)
            door.expected.settle(self._now_s)
            check_tables(self.world, door, self.scratch)
        self.pulled = 0
        self._tell("quiet")

    def _put_right(self) -> None:
        for door in self.doors:
            door.put_right()
        if not self.hub.runs:
            self.world.start_bridge(online=False)

    def _await_agreement(self, door: Door) -> None:
        bridge = self.world.bridge
        for _ in range(LOOKS_MAX):
            mark = bridge.mark()
            left = difference(self.world, door)
            if left is None:
                return
            bridge.message(lambda _: True, after=mark)
        pytest.fail(f"{door.name} does not come to rest: {left}")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("lives"), keypads=2, timing=TIMING) as world:
        now_s = world.clock.now_s()
        terms = Terms(PINS[0], now_s, now_s + HOUR_S)
        world.create(
            **fields(terms), use_backup_access_code_pool=True
        )  # from now on there are some, for good
        yield world


def test_lives_under_every_harm_keep_to_the_model(world: World, long: bool, tmp_path: Path) -> None:
    profile = settings(
        max_examples=40 if long else 4,
        stateful_step_count=40 if long else 20,
        deadline=None,
        derandomize=not long,
        database=None,
        phases=[Phase.generate],  # a life that went wrong is told whole: to live it again would take its time
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    with contextlib.ExitStack() as stack:
        Lives.world, Lives.scratch = world, tmp_path / "flash"
        Lives.benches = [stack.enter_context(keypad.bench()) for keypad in world.keypads]
        run_state_machine_as_test(Lives if long else seed(SEED)(Lives), settings=profile)
    if long:
        counts = {act: sum(what.startswith(act) for what in Lives.told) for act in ACTS}
        assert all(counts.values()), f"too few lives for something of everything: {counts}"
    check_silence(world, (*PINS, *CONTROLS, OWN, NOBODYS))
