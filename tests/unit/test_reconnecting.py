"""Attempts at a session with a keypad that does not answer: when they are made, on a clock that jumps."""

import random
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import pytest
from doorpad.link.errors import NoSession, PortGone
from doorpad.store.database import Database
from doorpad.sync import finding
from doorpad.sync.backoff import Backoff
from doorpad.sync.finding import Ports
from doorpad.sync.keeper import Keeper
from doorpad.sync.keypad_port import KeypadPort
from doorpad.sync.timing import Timing
from jumping_loop import JumpingLoop

# 1.8 to the powers of 0 to 6, then the limit; by a pocket calculator.
PAUSES_S = [1, 1.8, 3.24, 5.832, 10.4976, 18.89568, 34.012224, 60, 60, 60]


class Enough(BaseException):
    """Ends a keeper, which nothing else does."""


def _attempts(folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, count: int) -> list[float]:
    """When a keeper makes its first attempts while each ends at once with the error."""
    loop = JumpingLoop()
    begun: list[float] = []

    async def fail(*_: object, **__: object) -> NoReturn:
        begun.append(loop.time())
        if len(begun) == count:
            raise Enough
        raise error

    async def no_one(_device_id: str, _is_in_step: bool) -> None:
        """Nobody waits for the keypad to be in step."""

    async def keep() -> None:
        database = await Database.open(folder)
        keypad = KeypadPort(
            "00112233445566aa", "Door", "/dev/none", 115_200, None, False, False, folder, folder
        )
        keeper = Keeper(
            database, keypad, Ports(()), Timing(), lambda: 1, lambda *_: None, lambda *_: None, no_one
        )
        await keeper.enrol()
        try:
            await keeper.run()
        finally:
            await database.close()

    monkeypatch.setattr(finding, "open_session", fail)
    try:
        with pytest.raises(Enough):
            loop.run_until_complete(keep())
    finally:
        loop.close()
    return begun


def test_pauses_grow_to_a_minute_and_begin_anew_after_success() -> None:
    backoff = Backoff(lambda: 0.0)
    assert [backoff.next_s() for _ in PAUSES_S] == pytest.approx(PAUSES_S)
    backoff.reset()
    assert backoff.next_s() == 1


def test_up_to_a_quarter_of_each_pause_is_left_out_at_random() -> None:
    pauses = [Backoff(random.Random(seed).random).next_s() for seed in range(200)]
    assert 0.75 < min(pauses) < 0.77
    assert 0.98 < max(pauses) <= 1
    backoff = Backoff(lambda: 0.999_999)
    assert [backoff.next_s() for _ in PAUSES_S] == pytest.approx([0.75 * it for it in PAUSES_S], rel=1e-4)


def test_keypad_that_does_not_answer_is_tried_less_and_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = _attempts(tmp_path, monkeypatch, NoSession("port /dev/none: silence"), len(PAUSES_S) + 1)
    pauses = [after - before for before, after in pairwise(begun)]
    for pause_s, most_s in zip(pauses, PAUSES_S, strict=True):
        assert 0.75 * most_s - 1e-6 <= pause_s <= most_s + 1e-6, pauses
    assert pauses[-3:] != [60, 60, 60]  # the pauses of many keypads must not fall in step


def test_port_that_is_gone_is_looked_for_at_a_steady_pace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = _attempts(tmp_path, monkeypatch, PortGone("port /dev/none does not exist"), 20)
    pauses = [after - before for before, after in pairwise(begun)]
    assert pauses == pytest.approx([Timing().port_s] * 19)
