"""One door of a life: its keypad and cable, and what people do there, each at once noted in the model of it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from hil_world import Bench, Keypad
from life_model import Code, Expected, Terms

DAY_S = 86_400

Programmed = Literal["add", "once", "days"]
_COMMANDS: dict[Programmed, str] = {"add": "1", "once": "7", "days": "6#1"}


@dataclass
class Door:
    """
    name: as the story of a life calls it.
    tell_all: takes the next line of the story.
    spare: so many codes the hub keeps there for nobody yet.
    log_from: the place in the hub's log behind which this life is told.
    control: a code of the hub's that always opens.
    """

    name: str
    keypad: Keypad
    bench: Bench
    tell_all: Callable[[str], None]
    expected: Expected = field(default_factory=Expected)
    has_power: bool = True
    cable: Literal["in", "out", "silent"] = "in"
    spare: int = 0
    log_from: int = 1 << 62
    control: Code = field(init=False)

    def tell(self, what: str) -> None:
        self.tell_all(f"{self.name}: {what}")

    # At the keys.

    def enter(self, pin: str, at_s: int) -> None:
        opened = self.bench.opens(pin)
        shown = datetime.fromtimestamp(at_s, UTC)
        clock = self.expected.clock
        self.tell(f"{pin} {'opens' if opened else 'is refused'} on {shown:%d, %H:%M:%S}, clock {clock}")
        self.expected.press(pin, opened, at_s)

    def program(self, how: Programmed, pin: str, at_s: int) -> None:
        """Add a code with the master PIN. `at_s`: what the keypad's clock shows; for "days" it stands still."""
        window = (at_s, at_s + DAY_S) if how == "days" else (None, None)
        terms = Terms(pin, *window, once=how == "once")
        self.tell(f"program {terms}")
        self._dialogue(f"{_COMMANDS[how]}#{pin}")
        self.expected.add(Code(None, terms, [terms], is_managed=False))

    def unprogram(self, code: Code) -> None:
        """Delete one that is on the keypad for sure."""
        self.tell(f"unprogram {code}")
        self._dialogue(f"2#{code.wanted.pin}")
        if code.is_managed:
            code.disturb(None)
        else:
            code.is_gone()

    def give_another_pin(self, code: Code, pin: str) -> None:
        """To one that is on the keypad for sure. An unmanaged one with another PIN is another one."""
        self.tell(f"give {pin} to {code}")
        self._dialogue(f"3#{code.wanted.pin}#{pin}")
        terms = replace(code.wanted, pin=pin)
        if code.is_managed:
            code.disturb(terms)
            self.expected.note_rivals(code)
        else:
            code.is_gone()
            self.expected.add(Code(None, terms, [terms], is_managed=False))

    def _dialogue(self, keys: str) -> None:
        place = len(self.bench.outputs)
        touched_ms = self.bench.ask(press=f"{self.keypad.master_pin}#{keys}#*")["touched_ms"]
        while (ended := self.bench.see("led_green", 0, after=place)).ticks_ms < touched_ms:
            place = self.bench.outputs.index(ended, place) + 1
        self.expected.dialogues += 1

    # Harm.

    def move_the_cable(self, to: Literal["in", "out", "silent"]) -> None:
        self.cable = to
        self.tell(f"cable {to}")
        self.bench.ask(cable=to)

    def cut_the_power(self, *, back: bool) -> None:
        """Or give it back, if it is cut."""
        if self.has_power:
            self.bench.ask(power="off")
            self.expected.clock = "unknown"
        self.has_power = back or not self.has_power
        if self.has_power:
            self.bench.ask(power="on")
        self.tell(f"power {'on' if self.has_power else 'off'} again")

    def put_right(self) -> None:
        self.bench.ask(power="on")
        self.bench.ask(freeze=None)
        self.bench.ask(cable="in")
        self.has_power, self.cable = True, "in"

    # The clock.

    def freeze(self, at_s: int | None) -> None:
        """Let the keypad's clock stand at a second; None: let it run on."""
        self.bench.ask(freeze=at_s)

    def move_the_clock(self, from_s: int, to_s: int) -> None:
        if self.has_power:
            self.bench.ask(skew_s=to_s - from_s)
        for code in self.expected.codes:
            code.grow_older(from_s, to_s)
