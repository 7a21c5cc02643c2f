"""How fast a keypad's crystal runs, as an interval: what is known, and how each look at its clock narrows that.

A single number would need a guess at how good it is; an interval says it. Each look bounds the mean rate between two
settings of the clock, and the crystal is taken to keep its mean rate within WANDER_PPB from one such time to the
next. So the rate to come lies in every interval that was seen, widened by that. Where two do not meet, the crystal
has wandered further (a summer, a new crystal), and only the newest counts.
"""

import math
from dataclasses import dataclass

WANDER_PPB = 5_000  # an AT-cut crystal within some 25 degrees of where it was
RATE_PPB_MAX = 500_000  # beyond it the clock was moved, or is broken; also what the link can say


@dataclass(frozen=True, slots=True)
class Drift:
    """The rate error against the hub's clock, in parts per billion. Positive: the keypad runs fast."""

    low_ppb: float
    high_ppb: float

    @property
    def taken_off_ppb(self) -> int:
        """What the keypad takes off: the middle."""
        return round((self.low_ppb + self.high_ppb) / 2)

    @property
    def wander_ppb(self) -> int:
        """How far the rate may be from that, either way."""
        middle = self.taken_off_ppb
        return math.ceil(max(self.high_ppb - middle, middle - self.low_ppb))


UNKNOWN = Drift(-100_000, 100_000)  # ten times what data sheets of ESP32 modules allow their crystals


def seen(known: Drift, rate_ppb: float, uncertainty_ppb: float) -> Drift:
    """What is known once the mean rate between two settings was seen, to the uncertainty either way."""
    if abs(rate_ppb) - uncertainty_ppb > RATE_PPB_MAX:
        return known  # no crystal does that
    sample = Drift(
        max(rate_ppb - uncertainty_ppb - WANDER_PPB, -RATE_PPB_MAX),
        min(rate_ppb + uncertainty_ppb + WANDER_PPB, RATE_PPB_MAX),
    )
    both = Drift(max(known.low_ppb, sample.low_ppb), min(known.high_ppb, sample.high_ppb))
    return both if both.low_ppb <= both.high_ppb else sample
