"""Whole lives of codes against a model: API, keys, cable, power, kills and clocks in any order (DESIGN, 10).

Everything is the real thing: the bridge is a process that is killed, the keypad runs the firmware on an emulated
board. Beside them stands a model of what people may expect (life_model.py). In each life codes are made, changed,
deleted and taken over, PINs are entered and programmed, and after every entry the door must have done what the
model allows. From time to time all is put right again; then keypad, database and API have to agree with the
model, and the log with everything that was done at the door (life_check.py).
"""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import httpx
import life_look
import pytest
from hil_world import Bench, World, running
from httpx_retries import Retry
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
from life_model import Code, Expected, Terms
from seam import Seam, SeamHttpApiError

TIMING = "poll_s = 0.2\noffline_s = 1.0\nhandshake_s = 1.0\nstatistics_s = 0.3"
PINS = ("482913", "736450", "591024")
NOBODYS = "908172"
CONTROLS = ("314592", "271838")  # of a code that always opens: it ends the count of wrong ones
WRONG_MAX = 4  # one more shuts the keypad for a while
HOUR_S = 3_600
SEED = 139  # of the short form: its few lives have something of everything in them
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
THEN = st.sampled_from([*[None] * 4, *PINS])  # a PIN that is entered right after
WHICH = st.integers(0, 7)  # of those that there are, counted round


def text(unix_s: int | None) -> str | None:
    return None if unix_s is None else datetime.fromtimestamp(unix_s, UTC).isoformat()


def fields(terms: Terms) -> dict[str, Any]:
    window = {"starts_at": text(terms.from_s), "ends_at": text(terms.until_s)}
    return {"code": terms.pin, **window}


class Lives(RuleBasedStateMachine):
    world: ClassVar[World]
    bench: ClassVar[Bench]
    scratch: ClassVar[Path]

    @initialize(codes=st.lists(st.tuples(SOME_PIN, SOME_WINDOW), min_size=1, max_size=3))
    def begin(self, codes: list[tuple[str, str]]) -> None:
        """All is quiet, the hub knows of no code but the control, and no window begins or ends for half an hour."""
        self.story: list[str] = []
        self.expected = Expected()
        self.log_from = 1 << 62
        self._put_right()
        seam, device_id = self.world.seam, self.world.device_id
        self.world.create(code=NOBODYS)  # whatever the life before has left unread is read before that
        for code in seam.access_codes.list(device_id=device_id):
            seam.access_codes.delete(access_code_id=code.access_code_id)
        for unmanaged in seam.access_codes.unmanaged.list(device_id=device_id):
            mark = self.world.bridge.mark()
            seam.access_codes.unmanaged.delete(access_code_id=unmanaged.access_code_id)
            self.world.bridge.event("access_code.unmanaged.removed", unmanaged.access_code_id, after=mark)
        self._await_agreement()
        self.log_from = max(seq for seq, _ in life_look.events(self.world))
        terms = Terms(CONTROLS[0])
        self.control = Code(self.world.create(code=terms.pin), terms, [terms])
        self.expected.add(self.control)
        self._enter(terms.pin, self.world.clock.now_s())  # ends the count of wrong ones of the life before
        self._move_clocks(self._middle_s(1))
        for pin, window in codes:
            self._create(pin, window)

    def teardown(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.push(self._tell_its_story)
            if (failed := sys.exc_info()[1]) is not None:
                raise failed
            if self.has_power:
                self._stand_at_the_door_when_a_window_begins_or_ends()
            self.be_quiet()
            check_events(self.world, self.expected, self.log_from)

    def _tell_its_story(self, _: object, failed: BaseException | None, __: object) -> None:
        if failed is not None:
            failed.add_note("\n".join(["this life:", *self.story]))

    # The API.

    def _terms(self, pin: str, window: str) -> Terms:
        edge_s = self._middle_s() + HOUR_S // 2
        first, last = WINDOWS[window]
        if first is None or last is None:
            return Terms(pin)
        return Terms(pin, edge_s + first * HOUR_S, edge_s + last * HOUR_S)

    def _is_taken(self, terms: Terms, ask: Callable[[], object], but: Code | None = None) -> bool:
        """Ask for a code or a change; return whether it was refused because of another one, and rightly."""
        refuses = self.expected.refuses(terms, self.world.clock.now_s(), but)
        try:
            ask()
        except SeamHttpApiError as error:
            if error.code != "duplicate_access_code" or refuses == "not":
                raise
            self._tell("refused")
            return True
        assert refuses != "must", f"{terms} was taken, which another one has"
        return False

    def _made(self, code_id: str, terms: Terms) -> None:
        self.expected.add(Code(code_id, terms, [None, terms]))

    def _pick(self, which: int, *, managed: bool) -> Code | None:
        """One that may be changed by the API."""
        codes = [
            code
            for code in self.expected.alive()
            if code is not self.control
            and (code.is_managed, code.is_converting) == (managed, False)
            and code.code_id is not None
        ]
        return codes[which % len(codes)] if codes else None

    @precondition(lambda self: self.has_bridge)
    @rule(
        do=st.sampled_from(
            ["create", "create", "name", "code", "code", "window", "both", "delete", "delete"]
        ),
        killing=st.sampled_from([*[False] * 7, True]),
        which=WHICH,
        pin=SOME_PIN,
        window=SOME_WINDOW,
        then=THEN,
    )
    def ask_for_a_code(
        self, do: str, killing: bool, which: int, pin: str, window: str, then: str | None
    ) -> None:
        if killing:
            self._ask_and_kill_the_bridge(do, which, pin)
        elif do == "create":
            self._create(pin, window)
        elif (code := self._pick(which, managed=True)) and do == "delete":
            self._tell(f"delete {code}")
            self.world.seam.access_codes.delete(access_code_id=code.code_id)
            code.leave()
        elif code:
            self._update(code, do, pin, window)
        self._enter_then(then)

    @precondition(lambda self: self.has_bridge)
    @rule(do=st.sampled_from(["convert", "convert", "delete"]), which=WHICH, then=THEN)
    def ask_for_an_unmanaged_code(self, do: str, which: int, then: str | None) -> None:
        code = self._pick(which, managed=False)
        if code is None:
            return
        self._tell(f"{do} {code}")
        if do == "convert":
            self.world.seam.access_codes.unmanaged.convert_to_managed(access_code_id=code.code_id)
            code.is_converting = True
        else:
            self.world.seam.access_codes.unmanaged.delete(access_code_id=code.code_id)
            code.leave()
        self._enter_then(then)

    def _create(self, pin: str, window: str) -> None:
        terms = self._terms(pin, window)
        self._tell(f"create {window} {terms}")
        made: list[str] = []

        def ask() -> None:
            reply = self.world.seam.access_codes.create(device_id=self.world.device_id, **fields(terms))
            made.append(reply.access_code_id)

        if not self._is_taken(terms, ask):
            self._made(*made, terms)

    def _update(self, code: Code, change: str, pin: str, window: str) -> None:
        terms, is_over = code.wanted, code.wanted.is_over(self.world.clock.now_s())
        if change in ("window", "both"):
            terms = self._terms(terms.pin, window)
        if change in ("code", "both"):
            terms = Terms(pin, terms.from_s, terms.until_s)
        asked: dict[str, Any] = {"access_code_id": code.code_id}
        if change == "name":
            asked["name"] = f"name {code.changes}"
        elif terms == code.wanted or (is_over and change == "code"):
            return
        else:
            asked |= fields(terms)
        self._tell(f"update {change} {window} {code} to {terms}")
        if not self._is_taken(
            terms, lambda: self.world.seam.client.post("/access_codes/update", json=asked), code
        ):
            self.expected.want(code, terms)

    def _ask_and_kill_the_bridge(self, change: str, which: int, pin: str) -> None:
        """Whether that was done only the next bridge can tell. What was answered has been done."""
        code = None if change == "create" else self._pick(which, managed=True)
        now_s = self.world.clock.now_s()
        if change != "create" and (code is None or code.wanted.is_over(now_s)):
            return
        terms = Terms(pin) if code is None else replace(code.wanted, pin=pin)
        if change not in ("create", "delete") and code is not None and terms == code.wanted:
            return
        if change != "delete" and self.expected.refuses(terms, now_s, code) != "not":
            return
        self._tell(f"kill the bridge with {change} {code} {terms}")
        once = Seam(api_key=self.world.api_key, endpoint=self.world.endpoint, retries=Retry(total=0))
        device, id_ = {"device_id": self.world.device_id}, {"access_code_id": code.code_id if code else None}
        ask: Callable[[], object] = {
            "create": partial(once.access_codes.create, **device, **fields(terms)),
            "delete": partial(once.access_codes.delete, **id_),
        }.get(change, partial(once.access_codes.update, **id_, code=pin))
        answered: list[object] = []

        def ask_once() -> None:
            with contextlib.suppress(httpx.TransportError):
                answered.append(ask())

        asking = threading.Thread(target=ask_once)
        asking.start()
        self.world.bridge.kill()
        asking.join()
        self.world.start_bridge(online=False)
        listed = {it.access_code_id: it for it in self.world.seam.access_codes.list(**device)}
        if code is None:
            known = {it.code_id for it in self.expected.codes}
            made = [id_ for id_ in listed if id_ not in known]
            done = bool(made)
            if made:
                self._made(*made, terms)
        elif change == "delete":
            done = code.code_id not in listed or listed[code.code_id].status == "removing"
            if done:
                code.leave()
        else:
            done = listed[code.code_id].code == pin
            if done:
                self.expected.want(code, terms)
        self._tell(f"answered: {bool(answered)}, done: {done}")
        assert done or not answered, "an acknowledged write is lost"

    # The door.

    @precondition(lambda self: self.has_power)
    @rule(pins=st.lists(st.sampled_from([*PINS, *PINS, NOBODYS]), min_size=1, max_size=2, unique=True))
    def enter(self, pins: list[str]) -> None:
        for pin in pins:
            self._enter(pin, self.world.clock.now_s())

    def _enter_then(self, pin: str | None) -> None:
        if pin is not None and self.has_power:
            self._enter(pin, self.world.clock.now_s())

    def _enter(self, pin: str, at_s: int) -> None:
        """Enter a PIN at the door. What the API says of it before is the keypad's own word."""
        if self.expected.wrong >= WRONG_MAX and pin != self.control.wanted.pin:
            self._enter(self.control.wanted.pin, at_s)
        for code in self.expected.may_hold(pin) if self.has_bridge else ():
            if code.is_managed and not code.is_converting:
                self._ask_about(code)
        if self.is_linked and self.expected.clock == "unknown":
            self.expected.clock = "either"
        opened = self.bench.opens(pin)
        self._tell(f"{pin} {'opens' if opened else 'is refused'} at {text(at_s)}, {self.expected.clock}")
        self.expected.press(pin, opened, at_s)

    def _ask_about(self, code: Code) -> None:
        try:
            status = self.world.seam.access_codes.get(access_code_id=code.code_id).status
        except SeamHttpApiError as error:
            if error.code != "access_code_not_found" or code.state != "leaving":
                raise
            code.is_gone()
        else:
            if status == "set" and not code.taken_off:
                code.stages = [code.wanted]

    @precondition(lambda self: self.has_power)
    @rule(do=st.sampled_from(["add", "add", "delete"]), pin=SOME_PIN)
    def work_at_the_keypad(self, do: str, pin: str) -> None:
        if do == "add":
            self._program(pin)
        else:
            self._unprogram(pin)

    def _program(self, pin: str) -> None:
        """With the master PIN, one that nobody has there, nor is just getting there."""
        if self.expected.may_hold(pin) or (self.is_linked and self.expected.wanting(pin)):
            return
        self._tell(f"program {pin}")
        self.bench.ask(program=pin)
        self.expected.dialogues += 1
        self.expected.add(Code(None, Terms(pin), [Terms(pin)], is_managed=False))

    def _unprogram(self, pin: str) -> None:
        """With the master PIN, one that is there for sure; against the hub's will once for each code."""
        codes = self.expected.may_hold(pin)
        if len(codes) != 1 or codes[0].stages != [codes[0].wanted] or codes[0].is_converting:
            return
        [code] = codes
        if code.is_managed and (code.taken_off or code.wanted.is_over(self.world.clock.now_s())):
            return
        self._tell(f"unprogram {code}")
        self.bench.ask(unprogram=pin)
        self.expected.dialogues += 1
        if code.is_managed:
            code.take_off()
        else:
            code.is_gone()

    # Harm.

    @property
    def has_bridge(self) -> bool:
        return self.world.bridge.process.poll() is None

    @property
    def is_linked(self) -> bool:
        """Whether hub and keypad may be talking."""
        return self.has_bridge and self.has_power and self.cable == "in"

    @rule(cable=st.sampled_from(["out", "silent"]), then=THEN)
    def move_the_cable(self, cable: Literal["out", "silent"], then: str | None) -> None:
        """Pull the plug or cut the wires in it, or put that right."""
        self.cable = cable if self.cable == "in" else "in"
        self._tell(f"cable {self.cable}")
        self.bench.ask(cable=self.cable)
        self._enter_then(then)

    @rule(back=st.sampled_from([True, True, False]), then=THEN)
    def cut_the_power(self, back: bool, then: str | None) -> None:
        """Or give it back, if it is cut."""
        if self.has_power:
            self.bench.ask(power="off")
            self.expected.clock = "unknown"
        self.has_power = back or not self.has_power
        if self.has_power:
            self.bench.ask(power="on")
        self._tell(f"power {'on' if self.has_power else 'off'} again")
        self._enter_then(then)

    @rule(how=st.sampled_from(["kill", "kill", "stop"]), back=st.booleans(), then=THEN)
    def end_the_bridge(self, how: str, back: bool, then: str | None) -> None:
        """Or start one, if there is none."""
        runs = self.has_bridge
        if runs and how == "kill":
            self.world.bridge.kill()
        elif runs:
            assert self.world.bridge.stop() == 0
        if back or not runs:
            self.world.start_bridge(online=False)
        self._tell(f"{how if runs else 'no'} bridge{', start' if back or not runs else ''}")
        self._enter_then(then)

    # Time.

    def _middle_s(self, hours: int = 0) -> int:
        """The middle of an hour, so many from now on: edges of windows lie between hours."""
        return (self.world.clock.now_s() // HOUR_S + hours) * HOUR_S + HOUR_S // 2

    def _move_clocks(self, to_s: int) -> None:
        if self.is_linked:
            self._touch()
        self._set_clocks(to_s)

    def _set_clocks(self, to_s: int) -> None:
        """Both; no session may begin meanwhile, which would tell the keypad the hub's time."""
        before_s = self.world.clock.now_s()
        by_s = to_s - before_s
        if self.has_power:
            self.bench.ask(skew_s=by_s)
        self.world.clock.move(self.world.clock.ahead_s + by_s)
        for code in self.expected.codes:
            code.grow_older(before_s, to_s)

    @rule(hours=st.integers(0, 2), then=THEN)
    def let_time_pass(self, hours: int, then: str | None) -> None:
        if hours:
            self._tell(f"{hours} hours pass")
            self._move_clocks(self._middle_s(hours))
        elif self.has_power:
            self._stand_at_the_door_when_a_window_begins_or_ends()
        self._enter_then(then)

    def _stand_at_the_door_when_a_window_begins_or_ends(self) -> None:
        """Enter the PINs in the last second before and in the first one after."""
        now_s = self.world.clock.now_s()
        edges = {
            (edge_s, it.pin)
            for code in self.expected.codes
            for it in code.stages
            for edge_s in ((it.from_s, it.until_s) if it else ())
            if edge_s is not None and edge_s > now_s
        }
        if not edges:
            return
        if self.is_linked:
            self._touch()
        at_s, _ = min(edges)
        for frozen_s in (at_s - 1, at_s):
            self.bench.ask(freeze=frozen_s)
            for pin in sorted(pin for edge_s, pin in edges if edge_s == at_s):
                self._enter(pin, frozen_s)
        self._set_clocks(at_s + HOUR_S // 2)
        self.bench.ask(freeze=None)

    # Rest.

    @rule()
    def be_quiet(self) -> None:
        """All that was broken is whole again, and in the end everybody agrees."""
        if self.story and self.story[-1] == "quiet":
            return
        self._tell("quiet")
        self._put_right()
        self._touch()
        self._await_agreement()
        self.expected.settle(self.world.clock.now_s())
        check_tables(self.world, self.expected, self.scratch)

    def _put_right(self) -> None:
        self.bench.ask(power="on")
        self.bench.ask(freeze=None)
        self.bench.ask(cable="in")
        self.has_power, self.cable = True, "in"
        if not self.has_bridge:
            self.world.start_bridge(online=False)

    def _touch(self) -> None:
        """Have the hub write something: it then has a session with the keypad, and has told it the time."""
        mark = self.world.bridge.mark()
        [pin] = {*CONTROLS} - {self.control.wanted.pin}
        self.world.seam.access_codes.update(access_code_id=self.control.code_id, code=pin)
        self.world.bridge.event("access_code.set_on_device", self.control.code_id, after=mark)
        self.control.want(Terms(pin))
        self.control.stages = [Terms(pin)]
        self.expected.clock = "right"

    def _await_agreement(self) -> None:
        bridge = self.world.bridge
        for _ in range(LOOKS_MAX):
            mark = bridge.mark()
            left = difference(self.world, self.expected, self.log_from)
            if left is None:
                return
            bridge.message(lambda _: True, after=mark)
        pytest.fail(f"that does not come to rest: {left}")

    def _tell(self, what: str) -> None:
        self.story.append(what)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("lives"), timing=TIMING) as world:
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
    Lives.world, Lives.scratch = world, tmp_path / "flash"
    with world.keypad.bench() as bench:
        Lives.bench = bench
        run_state_machine_as_test(Lives if long else seed(SEED)(Lives), settings=profile)
    check_silence(world, (*PINS, *CONTROLS, NOBODYS))
