"""What people may expect of a door and its API: the model beside which a life is lived (test_hil_lives.py).

It knows what was asked for, what was answered and what the door did, and nothing of how any of it is done. What is
on its way is kept as the stages that a code may have come to on the keypad; each PIN that is entered rules some out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

Clock = Literal["right", "unknown", "either"]  # of the keypad: told by a hub since its power came, or not
Refusal = Literal["must", "may", "not"]
_FOREVER_S = 1 << 62


@dataclass(frozen=True)
class Terms:
    """A PIN, the second from which on it opens, and that from which on it does no more; None and None: always.

    once: it opens one time only. is_used: and has done so.
    """

    pin: str
    from_s: int | None = None
    until_s: int | None = None
    once: bool = False
    is_used: bool = False

    def __str__(self) -> str:
        often = f"{self.pin}{' (used up)' if self.is_used else ' once' if self.once else ''}"
        if self.from_s is None or self.until_s is None:
            return often
        first, end = (datetime.fromtimestamp(it, UTC) for it in (self.from_s, self.until_s))
        return f"{often} from {first:%d, %H:%M} to {end:%d, %H:%M}"

    def opens(self, at_s: int, clock: Clock = "right") -> bool:
        if self.is_used:
            return False
        if self.from_s is None or self.until_s is None:
            return True
        return clock != "unknown" and self.from_s <= at_s < self.until_s

    def is_over(self, at_s: int) -> bool:
        return self.until_s is not None and at_s >= self.until_s

    def is_ahead(self, at_s: int) -> bool:
        return self.from_s is not None and at_s < self.from_s

    def meet(self, other: "Terms", now_s: int) -> bool:
        """Whether both have the same PIN in some second from now on."""
        start_s = max(self.from_s or 0, other.from_s or 0, now_s)
        return self.pin == other.pin and start_s < min(
            self.until_s or _FOREVER_S, other.until_s or _FOREVER_S
        )


@dataclass(eq=False)
class Code:
    """
    code_id: None for one that was made at the keypad, until the hub has told of it.
    wanted: as it was last asked for, or made at the keypad.
    stages: what the keypad may hold for it, in the order in which it comes to that; None: nothing.
    state: "leaving" once it was asked to go, "gone" once it is known to be.
    changes: those that the API acknowledged, of whatever.
    disturbed: how often its PIN was deleted or changed at the keypad against the hub's will.
    is_certain: the hub has surely seen that it was disturbed before anything else was asked for, or it ended.
    had_rival: at some time another code had its PIN too.
    place: slot and version of an unmanaged one, as they were first seen.
    backup: what was pulled for it.
    is_backup: it was pulled itself, and shares the fate of the one that it is for.
    """

    code_id: str | None
    wanted: Terms
    stages: list[Terms | None]
    is_managed: bool = True
    state: Literal["alive", "leaving", "gone"] = "alive"
    is_converting: bool = False
    changes: int = 0
    disturbed: int = 0
    is_certain: bool = True
    had_rival: bool = False
    place: tuple[int, int] | None = None
    backup: "Code | None" = None
    is_backup: bool = False

    def __str__(self) -> str:
        stages = ", ".join(map(str, self.stages))
        kind = "managed" if self.is_managed else "unmanaged"
        return (
            f"{kind} {str(self.code_id)[-6:]} ({self.state}; wanted: {self.wanted}; on the keypad: {stages})"
        )

    def is_over(self, at_s: int) -> bool:
        """Whether the hub has nothing left to want of it."""
        return self.wanted.is_over(at_s) or (self.is_managed and self.wanted.is_used)

    def has(self, pin: str) -> bool:
        """Whether the keypad holds this PIN for it, for sure."""
        return all(it is not None and it.pin == pin for it in self.stages)

    def is_at_rest(self) -> bool:
        """Whether the keypad holds it as it is wanted, for sure."""
        return self.stages == [self.wanted]

    def want(self, terms: Terms) -> None:
        """The API acknowledged these."""
        self.changes += 1
        if terms != self.wanted:
            self.wanted = terms
            self._pass(terms)
        if self.backup is not None:
            window = replace(self.backup.wanted, from_s=terms.from_s, until_s=terms.until_s)
            if window != self.backup.wanted:
                self.backup.want(window)

    def leave(self) -> None:
        """The API acknowledged that it shall go."""
        self.state = "leaving"
        self._pass(None)
        if self.backup is not None:
            self.backup.leave()

    def disturb(self, now: Terms | None) -> None:
        """Somebody has deleted or changed it at the keypad, and the hub is to set it right."""
        self.disturbed += 1
        self.stages = [now, self.wanted]

    def opened(self, stages: list[bool]) -> None:
        """It, and no other, has opened the door. `stages`: which of its own can have done that."""
        del self.stages[: stages.index(True)]
        if self.wanted.once:
            self.wanted = replace(self.wanted, is_used=True)
            self.stages = [self.wanted, None] if self.is_managed or self.state == "leaving" else [self.wanted]
            self.place = None

    def is_converted(self) -> None:
        """It is the hub's: from now on that goes by what it wants."""
        self.is_managed = True
        if self.wanted.is_used:
            self.stages = [self.wanted, None]

    def _pass(self, stage: Terms | None) -> None:
        self.stages.append(stage)
        if self.disturbed and len(self.stages) > 2:
            self.is_certain = False

    def grow_older(self, before_s: int, now_s: int) -> None:
        """Of one that has ended meanwhile the hub cannot tell who disturbed it, if it sees that only now."""
        has_ended = self.wanted.is_over(now_s) and not self.wanted.is_over(before_s)
        if self.disturbed and not self.is_at_rest() and has_ended:
            self.is_certain = False
        if self.is_managed and has_ended:
            self._pass(None)  # the hub takes it off, and then another may have its PIN

    def is_gone(self) -> None:
        """The API, or the keypad itself, has said so: from now on it may not open."""
        self.state = "gone"
        self.stages = [None]

    def may_be(self, pin: str) -> bool:
        """Whether the keypad may hold this PIN for it."""
        return any(it is not None and it.pin == pin for it in self.stages)


@dataclass(frozen=True)
class Press:
    """A PIN that was entered, what it came to, and the codes that the keypad may have taken it for."""

    pin: str
    event_type: Literal["lock.unlocked", "lock.access_denied"]
    codes: tuple[Code, ...]


@dataclass
class Expected:
    """One keypad.

    wrong: the PINs that were refused since the last one that opened, at most.
    dialogues: how often the master PIN was entered.
    """

    codes: list[Code] = field(default_factory=list)
    presses: list[Press] = field(default_factory=list)
    wrong: int = 0
    dialogues: int = 0
    clock: Clock = "right"

    def add(self, code: Code) -> None:
        self.codes.append(code)
        self.note_rivals(code)

    def want(self, code: Code, terms: Terms) -> None:
        """The API acknowledged a change, if only of its name."""
        code.want(terms)
        self.note_rivals(code)

    def note_rivals(self, code: Code) -> None:
        """One PIN has one slot: whoever has it may have to give it up, and whoever waits may get it."""
        if rivals := self.rivals(code):
            for it in (code, *rivals):
                it.had_rival = True
                if it.state == "alive" and it.is_managed:
                    it.stages += [None, it.wanted]

    def wanting(self, pin: str) -> list[Code]:
        return [code for code in self.alive() if code.wanted.pin == pin]

    def alive(self) -> list[Code]:
        return [code for code in self.codes if code.state == "alive"]

    def may_hold(self, pin: str) -> list[Code]:
        """One PIN has one slot: who has it for sure has it alone."""
        codes = [code for code in self.codes if code.may_be(pin)]
        return [code for code in codes if code.has(pin)] or codes

    def may_open(self, pin: str, at_s: int) -> list[Code]:
        return [code for code in self.may_hold(pin) if any(self._opening(code.stages, pin, at_s, self.clock))]

    def must_open(self, pin: str, at_s: int) -> list[Code]:
        """What is not the hub's stays where it is, whoever waits for its PIN."""
        clock: Clock = "right" if self.clock == "right" else "unknown"
        return [
            code
            for code in self.may_hold(pin)
            if all(self._opening(code.stages, pin, at_s, clock))
            and (not self.rivals(code) or not (code.is_managed or code.is_converting))
        ]

    @staticmethod
    def _opening(stages: Iterable[Terms | None], pin: str, at_s: int, clock: Clock) -> Iterable[bool]:
        return (it is not None and it.pin == pin and it.opens(at_s, clock) for it in stages)

    def rivals(self, code: Code) -> list[Code]:
        """Those that a keypad cannot hold beside it: one PIN has one slot."""
        pins = {it.pin for it in (*code.stages, code.wanted) if it is not None}
        return [
            other
            for other in self.codes
            if other is not code
            and (any(map(other.may_be, pins)) or (other.state == "alive" and other.wanted.pin in pins))
        ]

    def press(self, pin: str, opened: bool, at_s: int) -> None:
        """Take what the door did. Raises AssertionError if it may not have done that."""
        may, must = self.may_open(pin, at_s), self.must_open(pin, at_s)
        if opened:
            assert may, f"{pin} has opened the door, which no code allows now"
            self.presses.append(Press(pin, "lock.unlocked", tuple(may)))
            self.wrong = 0
            if len(may) == 1:
                may[0].opened(list(self._opening(may[0].stages, pin, at_s, self.clock)))
            return
        assert not must, f"{pin} was refused: {must}"
        self.presses.append(Press(pin, "lock.access_denied", tuple(self.may_hold(pin))))
        self.wrong += 1
        for code in may:
            if self.clock == "right" and not self.rivals(code):
                # There is never a moment at which neither the old nor the new is valid.
                opens = list(self._opening(code.stages, pin, at_s, self.clock))
                if opens[0]:
                    del code.stages[: opens.index(False)]

    def refuses(self, terms: Terms, now_s: int, but: Code | None = None) -> Refusal:
        """Whether the API has to refuse these terms, because another code has the PIN in the same time."""
        answer: Refusal = "not"
        for code in self.codes:
            if code is but or (code.state == "gone" and code.is_managed):
                continue
            is_used_up = (code.is_managed or code.is_converting) and code.wanted.is_used
            if is_used_up and not code.may_be(terms.pin):
                continue
            if code.wanted.meet(terms, now_s):
                if code.state == "alive" and code.code_id is not None and not is_used_up:
                    return "must"
                answer = "may"  # it is on its way out, or the hub may not have heard of it
        return answer

    def held(self, now_s: int) -> list[Code]:
        """Those that the keypad holds once all is quiet: of one PIN the unmanaged one, else the first to begin."""
        held: dict[str, Code] = {}
        for code in sorted(self.alive(), key=lambda it: (it.is_managed, it.wanted.from_s or 0)):
            if not code.is_managed or not code.is_over(now_s):
                held.setdefault(code.wanted.pin, code)
        return list(held.values())

    def settle(self, now_s: int) -> None:
        """All is quiet: each code is where it belongs."""
        held = self.held(now_s)
        for code in self.codes:
            if code.state != "alive":
                code.is_gone()
            elif code.is_managed and code.is_over(now_s):
                code.stages = [None]
            else:
                # One that waits for its PIN gets it when that is free.
                code.stages = [code.wanted] if code in held else [None, code.wanted]
        self.clock = "right"
