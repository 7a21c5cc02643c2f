"""The cable is pulled in the middle of exchanges with the real firmware."""

import random
from collections.abc import Iterator

import pytest
from bad_line import BAUD, Hub, Keypad, emulated
from cable_cuts import ENDS, EXCHANGES, Cuts

SAMPLES = 2  # a direction of each exchange


@pytest.fixture(scope="module")
def keypad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keypad]:
    with emulated(tmp_path_factory.mktemp("cuts"), "--baud", str(BAUD)) as keypad:
        yield keypad


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_cable_pulled_within_an_exchange_leaves_its_effect_exactly_once(
    keypad: Keypad, exchange: str
) -> None:
    rng = random.Random(exchange)
    cuts = Cuts(keypad, Hub(keypad, await keypad.connect()))
    try:
        await cuts.exchange(exchange, 0, "keypad")
        size = dict(cuts.size)
        for end in ENDS:
            for count in sorted(rng.sample(range(1, size[end] + 1), SAMPLES)):
                await cuts.exchange(exchange, count, end)
    finally:
        cuts.hub.close()
