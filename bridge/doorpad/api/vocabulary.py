"""Errors and warnings in the words that a hub's clients know: `errors_vocabulary` of its configuration.

    "2025"  the default: every name of `store/catalogue.py` but the other vocabularies' own
    "2026"  the API renamed some since, and says for most makers' names that the provider has an issue
    "zod"   2025, without the few names that its own strict client schema refuses

Everything inside of the hub uses the names of 2025. They are replaced here, on the way out, and nowhere else.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import UNSET

from doorpad.api.code_objects import AccessCodeObject, UnmanagedAccessCodeObject
from doorpad.api.conditions import ErrorObject, WarningObject
from doorpad.api.device_objects import DeviceObject
from doorpad.store.brands import PROFILES
from doorpad.store.catalogue import (
    ACCESS_CODE,
    ACCOUNT,
    BRIDGE,
    CODE_WARNINGS,
    DEVICE,
    DEVICE_WARNINGS,
    ERRORS,
    OTHER_ERRORS,
    OTHER_WARNINGS,
    Condition,
    Subject,
)

Vocabulary = Literal["2025", "2026", "zod"]

_LETTER: dict[Vocabulary, str] = {"2026": "P", "zod": "Z"}

# What is said of a subject whose own name the vocabulary lacks ...
_IN_GENERAL: dict[Vocabulary, dict[Subject, str]] = {
    "2026": {
        ACCESS_CODE: "provider_issue",
        DEVICE: "device_disconnected",
        ACCOUNT: "account_disconnected",
        BRIDGE: "bridge_disconnected",
    },
    "zod": {
        ACCESS_CODE: "failed_to_set_on_device",
        DEVICE: "device_disconnected",
        ACCOUNT: "account_disconnected",
        BRIDGE: "bridge_disconnected",
    },
}
# ... unless it has a more exact one.
_ERROR_IN: dict[Vocabulary, dict[str, str]] = {
    "2026": {"code_modified_external_to_seam": "conflicting_external_modification"},
    "zod": {
        "august_device_slots_full": "no_space_for_access_code_on_device",
        "dormakaba_oracode_no_valid_user_level": "dormakaba_oracode_invalid_time_range",
    },
}
_WARNING_IN: dict[Vocabulary, dict[str, str]] = {
    "2026": {"code_modified_external_to_seam": "external_modification_in_effect"},
    "zod": {},
}
_WARNINGS = DEVICE_WARNINGS | CODE_WARNINGS | OTHER_WARNINGS

_WITH_TIME_ZONE = {it.device_type for it in PROFILES.values() if it.needs_time_zone}

T = TypeVar("T")


def error_name(vocabulary: Vocabulary, name: str) -> str:
    """What the vocabulary calls an error of the catalogue."""
    if vocabulary == "2025" or _LETTER[vocabulary] in ERRORS[name].schemas:
        return name
    return _ERROR_IN[vocabulary].get(name, _IN_GENERAL[vocabulary][ERRORS[name].subject])


def warning_name(vocabulary: Vocabulary, name: str) -> str:
    """What the vocabulary calls a warning of the catalogue."""
    known: Condition = _WARNINGS[name]
    if vocabulary == "2025" or _LETTER[vocabulary] in known.schemas:
        return name
    return _WARNING_IN[vocabulary].get(name, "unknown_issue_with_access_code")


def in_vocabulary(vocabulary: Vocabulary, reply: Mapping[str, Any]) -> dict[str, Any]:
    """A reply with the names of its errors and warnings replaced, in all objects that it shows."""
    return {key: value if vocabulary == "2025" else _shown(vocabulary, value) for key, value in reply.items()}


def _shown(vocabulary: Vocabulary, value: Any) -> Any:
    if isinstance(value, list):
        return [_shown(vocabulary, it) for it in value]
    if isinstance(value, dict):  # an event
        shown = {key: _shown(vocabulary, it) for key, it in value.items()}
        if vocabulary == "2026" and shown.get("method") == "seamapi":
            shown["method"] = "remote"  # how a client of the API opens a door was renamed
        return shown
    if isinstance(value, ErrorObject):
        return msgspec.structs.replace(value, error_code=error_name(vocabulary, value.error_code))
    if isinstance(value, WarningObject):
        return msgspec.structs.replace(value, warning_code=warning_name(vocabulary, value.warning_code))
    if not isinstance(value, msgspec.Struct):
        return value
    changes: dict[str, Any] = {}
    for name, key in (("errors", _by_error), ("warnings", _by_warning)):
        standing = getattr(value, name, None)
        if standing:
            changes[name] = _once(_shown(vocabulary, standing), key)
    if vocabulary == "2026":
        if warnings := _warnings_of_state(value):
            changes["warnings"] = changes.get("warnings", []) + warnings
        if errors := _errors_of_state(value):
            changes["errors"] = changes.get("errors", []) + errors
    if isinstance(getattr(value, "result", None), dict):  # an action attempt
        changes["result"] = _shown(vocabulary, value.result)  # type: ignore[attr-defined]
    return msgspec.structs.replace(value, **changes) if changes else value


def _by_error(error: ErrorObject) -> str:
    return error.error_code


def _by_warning(warning: WarningObject) -> str:
    return warning.warning_code


def _once(standing: list[T], key: Callable[[T], str]) -> list[T]:
    """The first of each name: what had two names here may have one there."""
    first: dict[str, T] = {}
    for it in standing:
        first.setdefault(key(it), it)
    return list(first.values())


def _warnings_of_state(shown: object) -> list[WarningObject]:
    """What the vocabulary of 2026 warns of and that of 2025 shows by other fields of an object."""
    if isinstance(shown, AccessCodeObject):
        return list(_of_code(shown))
    if isinstance(shown, DeviceObject):
        return list(_of_device(shown))
    return []


def _of_code(code: AccessCodeObject) -> Iterator[WarningObject]:
    pulled_at = code.doorpad["backup_pulled_at"]
    if pulled_at is not None:
        yield _other_warning("using_backup_access_code", pulled_at)
    for mutation in code.pending_mutations:
        if mutation["mutation_code"] == "deleting":
            yield _other_warning("being_deleted", mutation["created_at"])


def _of_device(device: DeviceObject) -> Iterator[WarningObject]:
    full_since = device.doorpad["full_since"]
    if full_since is not None:
        warning = _other_warning("max_access_codes_reached", full_since)
        count = device.properties["max_active_codes_supported"]
        warning.active_access_code_count = warning.max_active_access_code_count = count
        yield warning
    if device.location.time_zone is UNSET and device.device_type in _WITH_TIME_ZONE:
        yield _other_warning("time_zone_unknown", device.created_at)


def _other_warning(name: str, created_at: str) -> WarningObject:
    return WarningObject(warning_code=name, message=OTHER_WARNINGS[name].message, created_at=created_at)


def _errors_of_state(shown: object) -> list[ErrorObject]:
    """The same of errors: a code that is on the keypad and switched off there."""
    if (
        not isinstance(shown, AccessCodeObject | UnmanagedAccessCodeObject)
        or shown.doorpad["enabled"] is not False
    ):
        return []
    # The change that switched it off, if one stands there, tells since when.
    changed = [it.created_at for it in shown.errors if it.change_type == "modified"]
    changed += [it.created_at for it in shown.warnings if it.change_type == "modified"]
    name = "access_code_inactive"
    return [
        ErrorObject(
            error_code=name,
            message=OTHER_ERRORS[name].message,
            created_at=changed[0] if changed else shown.created_at,
            is_access_code_error=True,
        )
    ]
