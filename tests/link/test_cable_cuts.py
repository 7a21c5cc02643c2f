"""The cable is pulled in the middle of exchanges with the real firmware."""

import random
from collections.abc import Callable, Iterator

import pytest
from bad_line import Hub, Keypad, on_each_line
from cable_cuts import ENDS, EXCHANGES, Cuts

SAMPLES = 2  # a direction of each exchange


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Keypad]]:
    with on_each_line(tmp_path_factory.mktemp("cuts")) as at:
        yield at


@pytest.mark.parametrize(
    ("line", "exchange"),
    [*(("uart", exchange) for exchange in EXCHANGES), ("console", "put"), ("console", "events")],
)
async def test_cable_pulled_within_an_exchange_leaves_its_effect_exactly_once(
    at: Callable[[str], Keypad], line: str, exchange: str
) -> None:
    keypad = at(line)
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
