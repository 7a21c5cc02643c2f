"""How much of what is sent to a keypad has to be sent again: the sign of a cable or plug that goes bad. Pure."""

from doorpad.link.statistics import LinkStatistics

_REQUESTS_MIN = 100  # fewer say little


class Repeated:
    """Judges the line over a hundred answered requests at a time, sessions that follow each other taken together."""

    def __init__(self) -> None:
        self._answered = self._repeats = 0  # when it was last judged

    def judge(self, counted: LinkStatistics) -> int | None:
        """The percentage of frames that were sent again since it was last judged; None: it is not time."""
        answered, repeats = counted.answered - self._answered, counted.repeats - self._repeats
        if answered < _REQUESTS_MIN:
            return None
        self._answered, self._repeats = counted.answered, counted.repeats
        return 100 * repeats // (answered + repeats)
