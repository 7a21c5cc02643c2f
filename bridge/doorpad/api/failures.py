"""How often a client may come with a key that is not accepted."""

from collections import OrderedDict

_BURST = 10  # failures that are answered as such, one after the other
_REFILL_MS = 6_000  # then one in this time
_ADDRESSES_MAX = 1_024  # the one that failed the longest ago is forgotten first


class Failures:
    """Counts failures by the client's address, in bounded memory.

    A key that is accepted always is: those behind one address, a reverse proxy's for example, must not be able to
    lock each other out, and there are too many keys to try.
    """

    def __init__(self) -> None:
        self._full_at_ms: OrderedDict[str, int] = OrderedDict()

    def count(self, address: str, now_ms: int) -> int:
        """Count a failure; return after how many ms the next one is due, 0 while there have been few."""
        full_at_ms = max(now_ms, min(self._full_at_ms.pop(address, 0), now_ms + _BURST * _REFILL_MS))
        too_many = full_at_ms + _REFILL_MS - (now_ms + _BURST * _REFILL_MS)
        self._full_at_ms[address] = full_at_ms if too_many > 0 else full_at_ms + _REFILL_MS
        if len(self._full_at_ms) > _ADDRESSES_MAX:
            self._full_at_ms.popitem(last=False)
        return max(0, too_many)
