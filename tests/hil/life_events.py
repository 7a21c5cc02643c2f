"""Whether the events of one code make a life: each at its edge, once, none before its beginning or after its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# What may happen to a code -> where it must stand before, and where it stands then.
_EDGES = {
    "created": ({""}, "asked"),
    "scheduled_on_device": ({"asked", "off"}, "scheduled"),
    "set_on_device": ({"asked", "scheduled", "off"}, "set"),
    "deleted_external_to_seam": ({"asked", "scheduled", "set"}, "off"),
    "modified_external_to_seam": ({"asked", "scheduled", "set"}, "off"),
    "removed_from_device": ({"asked", "scheduled", "set"}, "off"),
    "deleted": ({"asked", "off"}, "gone"),
    "unmanaged.created": ({""}, "unmanaged"),
    "unmanaged.converted_to_managed": ({"unmanaged"}, "set"),
    "unmanaged.removed": ({"unmanaged"}, "gone"),
}
_COMPLAINTS = {
    "delay_in_setting_on_device",
    "failed_to_set_on_device",
    "delay_in_removing_from_device",
    "failed_to_remove_from_device",
    "unmanaged.failed_to_convert_to_managed",
}


@dataclass(frozen=True)
class Told:
    """An event as the hub's log has it."""

    event_id: str
    event_type: str
    access_code_id: str | None
    payload: dict[str, Any]


def standing(events: Sequence[Told], *, gives_way: bool = False) -> str:
    """Follow a code through its events, oldest first, without those of the door; return where it stands.

    That is one of the words of `_EDGES`.

    Args:
        gives_way: another one has its PIN at another time, so that it may leave the keypad unsaid.
    Raises:
        AssertionError: an event came for which there was no edge, or a second time at the same one.
    """
    where, complaints = "", set[tuple[str, Any]]()
    for place, event in enumerate(events):
        step = event.event_type.removeprefix("access_code.")
        so_far = f"{step} after {[it.event_type for it in events[:place]]}"
        if step == "changed":
            assert where not in ("", "gone", "unmanaged"), so_far
            if {it["property"] for it in event.payload["changed_properties"]} != {"name"}:
                where, complaints = "asked", set()
        elif step == "backup_access_code_pulled":
            assert where in ("asked", "scheduled", "set", "off"), so_far
        elif step in _COMPLAINTS:
            complaint = (step, event.payload.get("error_code"))
            assert where not in ("", "gone") and complaint not in complaints, so_far
            complaints.add(complaint)
        else:
            before, after = _EDGES[step]
            unsaid = gives_way and where == "scheduled" and "off" in before
            assert where in before or unsaid, so_far
            where, complaints = after, set()
    return where
