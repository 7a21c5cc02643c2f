"""Errors and warnings as the API shows them, on codes, devices and the hub."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from doorpad.api.times import iso
from doorpad.store.catalogue import (
    ACCESS_CODE,
    ACCOUNT,
    CODE_WARNINGS,
    DEVICE,
    DEVICE_WARNINGS,
    ERRORS,
    OTHER_ERRORS,
    OTHER_WARNINGS,
)

ErrorCode = Annotated[str, Meta(extra_json_schema={"enum": list(ERRORS | OTHER_ERRORS)})]
WarningCode = Annotated[
    str, Meta(extra_json_schema={"enum": list(CODE_WARNINGS | DEVICE_WARNINGS | OTHER_WARNINGS)})
]


ChangeType = Literal["modified", "removed"]

_DETAILS = ("managed_access_code_id", "unmanaged_access_code_id", "change_type")


class ErrorObject(msgspec.Struct, kw_only=True):
    """Of the flags, those of the error's subject are there."""

    error_code: ErrorCode
    message: str
    created_at: str
    is_access_code_error: bool | UnsetType = UNSET
    is_device_error: bool | UnsetType = UNSET
    is_connected_account_error: bool | UnsetType = UNSET
    is_bridge_error: bool | UnsetType = UNSET
    managed_access_code_id: str | UnsetType = UNSET
    unmanaged_access_code_id: str | UnsetType = UNSET
    change_type: ChangeType | UnsetType = UNSET  # what another hand did


class WarningObject(msgspec.Struct, kw_only=True):
    warning_code: WarningCode
    message: str
    created_at: str
    change_type: ChangeType | UnsetType = UNSET
    active_access_code_count: int | UnsetType = UNSET
    max_active_access_code_count: int | UnsetType = UNSET


def error_object(
    error_code: str, since_ms: int, *, message: str | None = None, detail: dict[str, Any] | None = None
) -> ErrorObject:
    """The error as every object shows it that it stands on.

    Args:
        message: more exact words than the catalogue's.
        detail: further fields; unknown ones are the hub's own and not shown.
    """
    condition = ERRORS[error_code]
    shown = ErrorObject(error_code=error_code, message=message or condition.message, created_at=iso(since_ms))
    if condition.subject == ACCESS_CODE:
        shown.is_access_code_error = True
    elif condition.subject == DEVICE:
        shown.is_device_error = True
    elif condition.subject == ACCOUNT:
        shown.is_connected_account_error, shown.is_device_error = True, False
    else:
        shown.is_bridge_error = shown.is_connected_account_error = True
    for name in _DETAILS:
        if detail and name in detail:
            setattr(shown, name, detail[name])
    return shown


def warning_object(
    warning_code: str, since_ms: int, message: str, detail: dict[str, Any] | None = None
) -> WarningObject:
    """The warning as every object shows it that it stands on; `detail` as in `error_object`."""
    shown = WarningObject(warning_code=warning_code, message=message, created_at=iso(since_ms))
    if detail and "change_type" in detail:
        shown.change_type = detail["change_type"]
    return shown
