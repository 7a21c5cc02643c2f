"""The hub of a life: what is asked of its API, each at once noted in the model, and how it is killed."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import life_look
from hil_world import World
from httpx_retries import Retry
from life_door import Door
from life_model import Code, Refusal, Terms
from seam import Seam, SeamHttpApiError

CONTROLS = (
    "314592",
    "271838",
)  # of the code of each door that always opens, and that the hub is made to write


def fields(terms: Terms) -> dict[str, Any]:
    window = {"starts_at": _text(terms.from_s), "ends_at": _text(terms.until_s)}
    return {"code": terms.pin, **window, **({"is_one_time_use": True} if terms.once else {})}


def _text(unix_s: int | None) -> str | None:
    return None if unix_s is None else datetime.fromtimestamp(unix_s, UTC).isoformat()


@dataclass
class Hub:
    world: World
    tell: Callable[[str], None]

    @property
    def _now_s(self) -> int:
        return self.world.clock.now_s()

    @property
    def runs(self) -> bool:
        return self.world.bridge.process.poll() is None

    def may_reach(self, door: Door) -> bool:
        return self.runs and door.has_power and door.cable == "in"

    def create(self, doors: Sequence[Door], terms: Terms) -> None:
        """The same code at one door or at several: at all of them or at none.

        For several the SDK puts: the same asked for again may be the first, sent again, which takes effect once.
        """
        self.tell(f"create {terms} at {' and '.join(door.name for door in doors)}")
        made: dict[str, str] = {}
        codes, ids = self.world.seam.access_codes, [door.keypad.device_id for door in doors]

        def ask() -> None:
            if len(doors) == 1:
                made[ids[0]] = codes.create(device_id=ids[0], **fields(terms)).access_code_id
            else:
                replies = codes.create_multiple(device_ids=ids, **fields(terms))
                made.update((it.device_id, it.access_code_id) for it in replies)

        def is_first_again() -> bool:
            known = {code.code_id for door in doors for code in door.expected.codes} & {*made.values()}
            assert len(known) in (0, len(doors)), "some are new, some are not"
            return bool(known)

        if not self._is_taken(doors, terms, ask, is_first_again=is_first_again):
            for door in doors:
                self._made(door, made[door.keypad.device_id], terms)

    def update(self, door: Door, code: Code, change: str, terms: Terms) -> None:
        """`change`: "name", or what of the terms is another."""
        asked = {"access_code_id": code.code_id}
        if change == "name":
            asked["name"] = f"name {code.changes}"
        else:
            asked |= fields(terms)
        self.tell(f"update {change} of {code} to {terms} at {door.name}")
        ask = partial(self.world.seam.client.post, "/access_codes/update", json=asked)
        if not self._is_taken([door], terms, ask, code):
            door.expected.want(code, terms)

    def delete(self, code: Code) -> None:
        self.tell(f"delete {code}")
        codes = self.world.seam.access_codes
        (codes if code.is_managed else codes.unmanaged).delete(access_code_id=code.code_id)
        code.leave()

    def convert(self, code: Code) -> None:
        self.tell(f"convert {code}")
        self.world.seam.access_codes.unmanaged.convert_to_managed(access_code_id=code.code_id)
        code.is_converting = True

    def pull(self, door: Door, code: Code) -> Code | None:
        """Have a backup for one with a window; return it. The keypad has it with a lease, which opens at once."""
        self.tell(f"pull a backup for {code} at {door.name}")
        try:
            reply = self.world.seam.access_codes.pull_backup_access_code(access_code_id=code.code_id)
        except SeamHttpApiError as error:
            # Of one that has not begun a keypad that is away cannot be told.
            if error.code != "no_backup_access_code_available" or not code.wanted.is_ahead(self._now_s):
                raise
            self.tell("refused")
            return None
        [leased] = [
            it for it in life_look.mirror(self.world, door.keypad) if it.code_id == reply.access_code_id
        ]
        assert leased.terms.pin == reply.code
        wanted = replace(code.wanted, pin=reply.code)
        code.backup = Code(reply.access_code_id, wanted, [leased.terms, wanted], is_backup=True)
        door.expected.add(code.backup)
        return code.backup

    def _is_taken(
        self,
        doors: Sequence[Door],
        terms: Terms,
        ask: Callable[[], object],
        but: Code | None = None,
        is_first_again: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Ask for a code or a change; return whether it was refused because of another one, and rightly, or was
        answered with the first answer again.
        """
        answers = {self._refuses(door, terms, but) for door in doors}
        try:
            ask()
        except SeamHttpApiError as error:
            if error.code != "duplicate_access_code" or answers == {"not"}:
                raise
            self.tell("refused")
            return True
        if is_first_again():
            self.tell("answered as before")
            return True
        assert "must" not in answers, f"{terms} was taken, which another one has"
        now_s = self._now_s
        for code in (code for door in doors for code in door.expected.codes):
            # One that is asked to go, or is used up, has its PIN to itself until it is off the keypad.
            if code is but or code.code_id is None or not code.wanted.meet(terms, now_s):
                continue
            if code.state == "leaving":
                code.is_gone()
            elif code.state == "alive" and code.wanted.is_used:
                code.stages = [None]
        return False

    def _refuses(self, door: Door, terms: Terms, but: Code | None) -> Refusal:
        return door.expected.refuses(terms, self._now_s, but)

    def _made(self, door: Door, code_id: str, terms: Terms) -> None:
        door.expected.add(Code(code_id, terms, [None, terms]))

    def ask_about(self, code: Code) -> None:
        """What the API says of a managed code is the keypad's own word."""
        try:
            status = self.world.seam.access_codes.get(access_code_id=code.code_id).status
        except SeamHttpApiError as error:
            if error.code != "access_code_not_found" or code.state != "leaving":
                raise
            code.is_gone()
        else:
            is_leaving = code.is_over(self._now_s)  # at any moment
            if status == "set" and not (code.disturbed or is_leaving or code.is_backup):
                code.stages = [code.wanted]

    def touch(self, door: Door) -> None:
        """Have it write something: it then has a session with the keypad, and has told it the time."""
        mark = self.world.bridge.mark()
        code, before = door.control, door.control.wanted.pin
        terms = Terms(next(pin for pin in CONTROLS if pin != before))
        self.world.seam.access_codes.update(access_code_id=code.code_id, code=terms.pin)
        self.world.bridge.event("access_code.set_on_device", code.code_id, after=mark)
        code.want(terms)
        code.stages = [terms]
        door.expected.clock = "right"

    def ask_and_kill(self, door: Door, change: str, code: Code | None, pin: str) -> None:
        """Whether that was done only the next bridge can tell. What was answered has been done.

        change: "delete", or something else of a code, which then gets another PIN; without a code one is made.
        """
        if code is not None and code.is_over(self._now_s):
            return
        terms = Terms(pin) if code is None else replace(code.wanted, pin=pin)
        if change != "delete" and (
            (code is not None and terms == code.wanted) or self._refuses(door, terms, code) != "not"
        ):
            return
        self.tell(f"kill the bridge with {change} {code} {terms} at {door.name}")
        once = Seam(api_key=self.world.api_key, endpoint=self.world.endpoint, retries=Retry(total=0))
        device = {"device_id": door.keypad.device_id}
        ask: Callable[[], object]
        if code is None:
            ask = partial(once.access_codes.create, **device, **fields(terms))
        elif change == "delete":
            ask = partial(once.access_codes.delete, access_code_id=code.code_id)
        else:
            ask = partial(once.access_codes.update, access_code_id=code.code_id, code=pin)
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
            known = {it.code_id for it in door.expected.codes}
            made = [id_ for id_ in listed if id_ not in known]
            done = bool(made)
            if made:
                self._made(door, *made, terms)
        elif change == "delete":
            done = code.code_id not in listed or listed[code.code_id].status == "removing"
            if done:
                code.leave()
        else:
            done = listed[code.code_id].code == pin
            if done:
                door.expected.want(code, terms)
        self.tell(f"answered: {bool(answered)}, done: {done}")
        assert done or not answered, "an acknowledged write is lost"
