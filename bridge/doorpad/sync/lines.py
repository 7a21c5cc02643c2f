"""How each keypad's line is doing, for whoever watches over the hub: a monitor, not a client of the API."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from doorpad.link.statistics import KeypadStatistics, LinkStatistics
from doorpad.store.schema import LinkState


class Lines:
    """Keeps what was last told of each. `now_ms`: Unix milliseconds."""

    def __init__(self, device_ids: Iterable[str], now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._shown: dict[str, dict[str, Any]] = {
            device_id: {
                "device_id": device_id,
                "link": None,
                "counted_at_ms": None,
                "hub": None,
                "keypad": None,
            }
            for device_id in device_ids
        }

    def link(self, device_id: str, state: LinkState) -> None:
        self._shown[device_id]["link"] = state

    def count(self, device_id: str, hub: LinkStatistics, keypad: KeypadStatistics) -> None:
        self._shown[device_id] |= {
            "counted_at_ms": self._now_ms(),
            "hub": asdict(hub),
            "keypad": asdict(keypad),
        }

    def shown(self) -> list[dict[str, Any]]:
        """One for each keypad; null is what was not told since the start."""
        return list(self._shown.values())
