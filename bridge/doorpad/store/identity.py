"""Ids that can be derived again: after a lost database the same thing gets the same id.

All are UUIDv5 strings of 36 characters. The text hashed for each kind begins with that kind, so
that no two kinds can collide.
"""

from uuid import UUID, uuid5

NAMESPACE_DOORPAD = UUID("6b0f0a1e-5d0c-4a52-9a43-2f6f2f1f7d11")  # random, never to change


def _derive(*parts: object) -> str:
    return str(uuid5(NAMESPACE_DOORPAD, ":".join(map(str, parts))))


def device_id_for(serial: str) -> str:
    """The id of the keypad that proves `serial` (16 hex characters, its own id)."""
    return _derive("device", serial)


def bridge_id_for(connected_account_id: str) -> str:
    """The id of the bridge process of a hub."""
    return _derive("bridge", connected_account_id)


def connect_webview_id_for(connected_account_id: str) -> str:
    """The id of the web page that a hub would have come by, if it had come by one: strict clients ask for it."""
    return _derive("connect_webview", connected_account_id)


def unmanaged_code_id(device_id: str, table_epoch: str, slot: int, version: int) -> str:
    """The id of a code that another hand wrote, by the slot's version when it was first seen."""
    return _derive("unmanaged_code", device_id, table_epoch, slot, version)


def journal_event_id(device_id: str, journal_epoch: str, seq: int, rewound: int = 0) -> str:
    """The id of the event for one journal entry: a replayed entry is the same event.

    `rewound`: how often the journal's numbers had begun again before.
    """
    return _derive("journal_event", device_id, journal_epoch, seq, *([rewound] if rewound else []))


def effect_event_id(subject_id: str, event_type: str, discriminator: str | int) -> str:
    """The id of an event the hub concluded itself.

    `discriminator` tells two occurrences for one subject apart, for example the slot's version.
    """
    return _derive("effect_event", subject_id, event_type, discriminator)
