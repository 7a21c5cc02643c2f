"""One change of one code, interrupted: what was asked, what may have become of it, and that it is one of these."""

import random
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx
from hil_world import Bench, Keypad, World
from seam import Seam, SeamHttpApiError

Kind = Literal["create", "update", "delete"]
KINDS: tuple[Kind, ...] = ("create", "update", "delete")


@dataclass
class Change:
    """`number`, 0 to 99, makes its two PINs its own."""

    kind: Kind
    keypad: Keypad
    number: int
    code_id: str | None = None
    acknowledged: bool = False
    after: int = (
        0  # place in the messages of the bridge that settles it, from which on they are about the change
    )
    old: str = field(init=False)
    new: str = field(init=False)

    def __post_init__(self) -> None:
        self.old, self.new = f"72{self.number:02}", f"38{self.number:02}"

    def prepare(self, world: World) -> None:
        """Have a code on the keypad that can be changed."""
        if self.kind != "create":
            self.code_id = world.create(device_id=self.keypad.device_id, code=self.old)

    def ask(self, seam: Seam) -> None:
        """Send the request. No answer is one of its outcomes; a refusal is not."""
        try:
            if self.kind == "create":
                created = seam.access_codes.create(device_id=self.keypad.device_id, code=self.new)
                self.code_id = created.access_code_id
            elif self.kind == "update":
                seam.access_codes.update(access_code_id=self.code_id, code=self.new)
            else:
                seam.access_codes.delete(access_code_id=self.code_id)
            self.acknowledged = True
        except httpx.TransportError:
            pass

    def settle(self, world: World) -> bool:
        """Wait until hub and keypad agree; returns whether the change took place.

        Fails if it was acknowledged and did not.
        """
        code = self._find(world)
        if code is not None:
            self.code_id = code.access_code_id
        if self.kind == "delete":
            happened = code is None or code.status == "removing"
            if code is not None and happened:
                world.bridge.event("access_code.deleted", self.code_id)
                assert self._find(world) is None
        else:
            happened = code is not None and code.code == self.new
            if code is not None:
                self._wait_until_set(world, code)
        assert happened or not self.acknowledged, "an acknowledged change is lost"
        return happened

    def check(self, world: World, bench: Bench, happened: bool) -> None:
        """The keypad does what hub and SDK say, and each step is in the event log once."""
        pins = {"create": (None, self.new), "update": (self.old, self.new), "delete": (self.old, None)}
        expected_pins = [(pins[self.kind][0], not happened), (pins[self.kind][1], happened)]
        for pin, opens in sorted(
            expected_pins, key=lambda pair: pair[1]
        ):  # a right one last ends the wrong count
            if pin is not None:
                assert bench.opens(pin) == opens, f"{pin} opens: {not opens}"
        if self.code_id is None:
            return  # the hub never heard of it
        types = world.event_types(self.code_id)
        sets = {"create": int(happened), "update": 1 + happened, "delete": 1}[self.kind]
        expected = {
            "access_code.created": 1,
            "access_code.set_on_device": sets,
            "access_code.changed": int(happened and self.kind == "update"),
            "access_code.deleted": int(happened and self.kind == "delete"),
        }
        assert {name: types.count(name) for name in expected} == expected, types

    def _find(self, world: World) -> Any:
        by_code = {"device_id": self.keypad.device_id, "code": self.new}
        try:
            return world.seam.access_codes.get(
                **({"access_code_id": self.code_id} if self.code_id else by_code)
            )
        except SeamHttpApiError as error:
            if error.code != "access_code_not_found":
                raise
            return None

    def _wait_until_set(self, world: World, code: Any) -> None:
        assert code.status in ("set", "setting")
        if code.status == "setting":
            world.bridge.event("access_code.set_on_device", self.code_id, after=self.after)
        now = self._find(world)
        assert (now.status, now.errors) == ("set", [])


def check_slots(world: World, keypad: Keypad) -> None:
    """No two codes of a keypad share a slot, and each has one."""
    response = world.seam.client.post("/access_codes/list", json={"device_id": keypad.device_id})
    slots = [code["doorpad"]["slot"] for code in response["access_codes"]]
    assert None not in slots
    assert len(set(slots)) == len(slots), slots


def check_events(world: World) -> None:
    """No event is in the log twice."""
    ids = [event.event_id for event in world.events(limit=100_000)]
    assert len(set(ids)) == len(ids)


def moment_s(chance: random.Random) -> float:
    """A moment within what a request and its way to the keypad take: up to 40 ms."""
    return chance.uniform(0, 0.040)
