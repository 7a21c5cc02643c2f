"""A day of a keypad in virtual time: entries, changes, sessions that drop, a clock that steps. Nothing is used up.

The firmware's session, table, journal and door run inside MicroPython; the hub's session is the real one. What was
acknowledged is the model of the table. At the end the keypad holds it, also after a restart, and has as much of its
heap as after the first hour.
"""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from doorpad_link import messages
from mpy_hub import TO_DEVICE, Gone, Hub, Line
from mpy_keypad import MicroPythonKeypad, running

HOST = (b"hub----1", bytes(range(100, 132)))
CAPACITY = 50
RUSH_HOUR = 500  # what happens in the first hour: all that is made once has been made then
# Of 229,000, either way: see Life.heap. In twenty runs the day took 448 or 544 bytes more than its first hour; one
# block lost with each change would be 3,840.
NOISE_BYTES = 1_024
START_UNIX = 1_800_000_000
FLAGS = messages.MANAGED | messages.ENABLED
CODE_ID = bytes(range(16))
WRONG_PIN = "000000"  # no code is ever given it


class Life:
    """`held`: slot -> (version, PIN) as acknowledged."""

    def __init__(self, keypad: MicroPythonKeypad, seed: int) -> None:
        self.keypad = keypad
        keypad.build(CAPACITY, [HOST])
        self.line = Line(keypad)
        self.hub = Hub(self.line, *HOST)
        self.random = random.Random(seed)
        self.held: dict[int, tuple[int, str]] = {}
        self.revoked: list[str] = []
        self.done: Counter[str] = Counter()
        self.now_s = 0.0
        self.clock_off_s = 0
        self._operation = 0
        self._dropping = 0  # frames to the keypad that the line still loses
        self.line.cable = self._pass

    def _pass(self, direction: bool, data: bytes) -> bytes:
        if self._dropping and direction == TO_DEVICE:
            self._dropping -= 1
            return b""
        return data

    def ask(self, op: int, body: object) -> tuple[int, Any] | None:
        """Status and result; None if the session was lost, and with it what became of the request."""
        try:
            answer = self.hub.ask(op, body)
            while answer[0] == messages.BUSY:  # somebody types
                self.pass_time(1)
                answer = self.hub.ask(op, body)
            return answer
        except Gone:
            self.done["lost sessions"] += 1
            return None

    def pass_time(self, seconds: float) -> None:
        self.now_s += seconds
        self.line.now_ms += int(seconds * 1000)
        self.keypad.ask("live", int(seconds * 1000), 1, 0)

    def live(self, kinds: list[str], seconds: int) -> None:
        """Do what `kinds` names, evenly over so many seconds."""
        for kind in kinds:
            getattr(self, kind)()
            self.pass_time(seconds / len(kinds))

    def heap(self) -> int:
        """Bytes in use: the least of some, for the collector takes for a pointer whatever looks like one."""
        samples = []
        for _ in range(5):
            self.read()
            samples.append(self.keypad.ask("heap"))
        return min(samples)

    def drop_the_line(self) -> None:
        """From now on a few frames are lost: up to eight, so that some sessions end by it."""
        self._dropping = self.random.randint(1, 8)
        self.done["drops"] += 1

    def set_the_clock(self) -> None:
        """Mostly to the right time; sometimes a host is wrong by up to an hour, and the next one steps it back."""
        self.clock_off_s = self.random.choice([0, 0, 0, -3600, 30, 3600])
        answer = self.ask(messages.OP_TIME, [int(START_UNIX + self.now_s + self.clock_off_s), 0])
        if answer:
            self.done[f"time {answer[0]}"] += 1

    def read(self) -> None:
        """Look at everything, as a hub does: state, changes, journal. Ends what is in doubt."""
        self.ask(messages.OP_STATE, None)
        self.ask(messages.OP_SINCE, [0, 1, True])
        self.ask(messages.OP_EVENTS, [0, 10])
        table = self.keypad.ask("table")[2]
        self.held = {slot: (version, pin) for slot, version, _, pin, _, _ in table}

    def change(self) -> None:
        """Put a new code, another PIN into a slot, or clear one."""
        self._operation += 1
        op_id = self._operation.to_bytes(8, "big")
        slot = self.random.randint(1, CAPACITY)
        version, old = self.held.get(slot, (0, ""))
        if old and self.random.random() < 0.4:
            answer = self.ask(messages.OP_DEL, [[version, slot, op_id]])
            pin = ""
        else:
            pin = f"{self._operation + 100_000}"
            put = [version, slot, pin.encode(), None, None, FLAGS]
            answer = self.ask(messages.OP_PUT, [op_id, CODE_ID, [put]])
        if answer is None:
            self.read()
            if self.held.get(slot) == (version, old):
                return
        else:
            status, [[_, slot_status, now]] = answer
            assert (status, slot_status) == (messages.OK, messages.OK)
            if pin:
                self.held[slot] = (now, pin)
            else:
                del self.held[slot]
        if old:
            self.revoked.append(old)
        self.done["changes"] += 1

    def enter(self) -> None:
        """Somebody enters a PIN; what the journal says of it must fit what is held."""
        kind = self.random.random()
        slot = 0
        if kind < 0.7 and self.held:
            slot = self.random.choice(list(self.held))
            pin = self.held[slot][1]
        elif kind < 0.85 and self.revoked:
            pin = self.random.choice(self.revoked)
        else:
            pin = WRONG_PIN
        self._type(pin, slot)

    def guess(self) -> None:
        """Somebody tries PIN after PIN until the entry is shut, and then a right one."""
        for _ in range(5):
            self._type(WRONG_PIN, 0)
        if self.held:
            slot = self.random.choice(list(self.held))
            self._type(self.held[slot][1], slot)

    def _type(self, pin: str, slot: int) -> None:
        newest = self.keypad.ask("newest")
        self.keypad.ask("press", pin + "#", rest_ms=1000)
        told = [entry[1:] for entry in self.keypad.ask("journal", newest)]
        [(what, reason, of)] = [it for it in told if it[0] in (messages.EV_GRANTED, messages.EV_DENIED)]
        if slot and reason != messages.LOCKED_OUT:
            assert (what, of) == (messages.EV_GRANTED, slot)
        else:
            assert what == messages.EV_DENIED
        self.done["granted" if what == messages.EV_GRANTED else f"denied {reason}"] += 1


@pytest.mark.parametrize("seed", [1])
def test_day_of_a_keypad_uses_nothing_up(
    seed: int, long: bool, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    entries, changes = (10_000, 2_000) if long else (600, 120)
    with running(tmp_path, pytestconfig.cache.mkdir("firmware")) as keypad:  # type: ignore[union-attr]
        life = Life(keypad, seed)
        kinds = ["enter"] * entries + ["change"] * changes + ["guess"] * (changes // 20)
        kinds += ["drop_the_line", "set_the_clock", "read"] * (changes // 10)
        life.random.shuffle(kinds)
        life.live(kinds[:RUSH_HOUR], 3600)
        heap_after_an_hour = life.heap()
        life.live(kinds[RUSH_HOUR:], 23 * 3600)
        heap = life.heap()
        assert life.done["changes"] >= changes * 0.95
        assert min(life.done[it] for it in ("granted", "denied 1", "denied 5", "lost sessions", "time 0")) > 0
        before = keypad.ask("table")
        keypad.restart()
        assert keypad.ask("table") == before
        assert heap <= heap_after_an_hour + NOISE_BYTES, (life.done, heap_after_an_hour)
