"""The decision against a model that knows calendars instead of seconds, in both interpreters."""

import importlib.util
import json
import os
import random
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from doorpad.emulator import runtime
from doorpad_link import messages
from hypothesis import example, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
SECOND = timedelta(seconds=1)
USES_MAX = 256
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # of the ESP32's clock
LAST = datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)
# Where clocks go wrong: leap days, the end of a small integer of MicroPython on an ESP32 (2**30 s after 2000), of a
# signed 32-bit Unix second, and of a signed 32-bit second of the ESP32.
EDGES = [
    datetime(2024, 2, 29, tzinfo=UTC),
    datetime(2028, 2, 28, 23, 59, 59, tzinfo=UTC),
    datetime(2028, 2, 29, tzinfo=UTC),
    datetime(2028, 3, 1, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2034, 1, 9, 13, 37, 4, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC),
    datetime(2068, 1, 19, 3, 14, 7, tzinfo=UTC),
]


@dataclass(frozen=True)
class Code:
    enabled: bool = True
    uses_left: int | None = None  # None: no end to them
    window: tuple[datetime, datetime] | None = None
    other_flags: int = 0


@dataclass(frozen=True)
class Entry:
    """`now`: what the clock shows, right or wrong."""

    code: Code | None
    now: datetime
    clock_trusted: bool
    shut: bool

    def as_the_keypad_has_it(self) -> list[Any]:
        held = None
        if self.code is not None:
            flags = self.code.other_flags
            flags |= messages.ENABLED if self.code.enabled else 0
            flags |= messages.TIME_BOUND if self.code.window else 0
            flags |= _count(self.code.uses_left)
            held = [flags, *map(_seconds, self.code.window or (EPOCH, EPOCH))]
        return [held, _seconds(self.now), self.clock_trusted, self.shut]


def _seconds(moment: datetime) -> int:
    return (moment - EPOCH) // SECOND


def _count(uses_left: int | None) -> int:
    """How a record says it (protocol/README.md, Numbers, slot flags)."""
    if uses_left is None:
        return 0
    return 8 | (64 if uses_left == 0 else (uses_left - 1) << 8)


def model(entry: Entry) -> int:
    """The rules of the specification (protocol/README.md, Numbers), in the words of a calendar."""
    code, window = entry.code, entry.code.window if entry.code else None
    rules = {
        messages.LOCKED_OUT: entry.shut,
        messages.UNKNOWN_PIN: code is None,
        messages.DISABLED: code is not None and not code.enabled,
        messages.USED_UP: code is not None and code.uses_left == 0,
        messages.CLOCK_UNKNOWN: window is not None and not entry.clock_trusted,
        messages.TOO_EARLY: window is not None and entry.now < window[0],
        messages.TOO_LATE: window is not None and entry.now >= window[1],
        messages.GRANTED: True,
    }
    return next(reason for reason, holds in rules.items() if holds)


def model_after(entry: Entry) -> Code | None:
    """The code of an entry when it was judged: what it has opened, it has one time less to open."""
    if entry.code is None or entry.code.uses_left is None or model(entry) != messages.GRANTED:
        return entry.code
    return replace(entry.code, uses_left=entry.code.uses_left - 1)


def _draw_moment(rng: random.Random, near: list[datetime]) -> datetime:
    if rng.random() < 0.8:
        return rng.choice(near) + rng.choice((-1, 0, 0, 1)) * SECOND
    return EPOCH + rng.randrange(_seconds(LAST)) * SECOND


def _draw(rng: random.Random) -> Entry:
    code, near = None, EDGES
    if rng.random() < 0.9:
        window = None
        if rng.random() < 0.8:
            begin, end = sorted((_draw_moment(rng, EDGES), _draw_moment(rng, EDGES)))
            window, near = (begin, end), [begin, end]
        other = rng.choice((0, messages.MANAGED, messages.DURESS, messages.FROM_KEYPAD))
        uses_left = rng.choice((None, None, None, 0, 1, 2, 255, USES_MAX))
        code = Code(rng.random() < 0.9, uses_left, window, other)
    return Entry(code, _draw_moment(rng, near), rng.random() < 0.8, rng.random() < 0.1)


@pytest.fixture(scope="module")
def judging() -> Any:
    path = ROOT / "firmware" / "doorpad_fw" / "decide.py"
    spec = importlib.util.spec_from_file_location("decide", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MOMENTS = st.one_of(
    st.builds(lambda edge, seconds: edge + seconds * SECOND, st.sampled_from(EDGES), st.integers(-2, 2)),
    st.integers(0, _seconds(LAST)).map(lambda seconds: EPOCH + seconds * SECOND),
)
WINDOWS = st.tuples(MOMENTS, MOMENTS).map(lambda pair: (min(pair), max(pair)))
FLAGS = st.sampled_from((0, messages.MANAGED, messages.DURESS, messages.FROM_KEYPAD))
USES = st.none() | st.sampled_from((0, 1, 2, USES_MAX)) | st.integers(0, USES_MAX)
CODES = st.builds(Code, st.booleans(), USES, st.none() | WINDOWS, FLAGS)
ENTRIES = st.builds(Entry, st.none() | CODES, MOMENTS, st.booleans(), st.booleans())


@given(ENTRIES)
@example(Entry(Code(window=(EDGES[2], EDGES[3])), EDGES[2], True, False))
@example(Entry(Code(window=(EDGES[2], EDGES[3])), EDGES[3] - SECOND, True, False))
@example(Entry(Code(window=(EDGES[2], EDGES[3])), EDGES[3], True, False))
@settings(max_examples=1000, deadline=None)
def test_entry_is_judged_as_the_model_judges_it(judging: Any, entry: Entry) -> None:
    assert _judged(judging, entry) == model(entry)


@given(CODES, st.lists(st.tuples(MOMENTS, st.booleans(), st.booleans()), max_size=12))
@example(Code(uses_left=3), [(EDGES[0], True, False)] * 5)
@settings(max_examples=1000, deadline=None)
def test_code_opens_as_often_as_the_model_lets_it(
    judging: Any, code: Code, at: list[tuple[datetime, bool, bool]]
) -> None:
    held: Code | None = code
    for moment in at:
        entry = Entry(held, *moment)
        reason, flags = _judged(judging, entry), _flags(entry)
        assert reason == model(entry)
        if reason == messages.GRANTED and flags & messages.COUNTED:
            flags = judging.after_use(flags)
        held = model_after(entry)
        assert flags == _flags(replace(entry, code=held))


def _flags(entry: Entry) -> int:
    held = entry.as_the_keypad_has_it()[0]
    return 0 if held is None else int(held[0])


def _judged(judging: Any, entry: Entry) -> int:
    held, now_s, trusted, shut = entry.as_the_keypad_has_it()
    slot = None if held is None else SimpleNamespace(flags=held[0], from_s=held[1], until_s=held[2])
    reason: int = judging.decide(slot, now_s, trusted, shut)
    return reason


def test_entries_are_judged_alike_inside_micropython(tmp_path: Path) -> None:
    rng = random.Random(20340110)
    entries = [_draw(rng) for _ in range(4000)]
    inside = ROOT / "tests" / "firmware" / "mpy"
    done = subprocess.run(
        [*runtime.micropython(), str(inside / "judge.py")],
        input="".join(json.dumps(entry.as_the_keypad_has_it()) + "\n" for entry in entries),
        env={**os.environ, "MICROPYPATH": runtime.search_path(runtime.compile_program(tmp_path, named=True))},
        capture_output=True,
        text=True,
        check=True,
    )
    told = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    wanted = [(model(entry), _flags(replace(entry, code=model_after(entry)))) for entry in entries]
    assert told == wanted
    assert {reason for reason, _ in told} == set(range(8)), "each reason came up"
