"""Errors and warnings as the API shows them, on codes, devices and the hub."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from doorpad.api.times import iso
from doorpad.store.catalogue import ACCESS_CODE, ACCOUNT, CODE_WARNINGS, DEVICE, DEVICE_WARNINGS, ERRORS

ErrorCode = Annotated[str, Meta(extra_json_schema={"enum": list(ERRORS)})]
WarningCode = Annotated[str, Meta(extra_json_schema={"enum": list(CODE_WARNINGS | DEVICE_WARNINGS)})]


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


class WarningObject(msgspec.Struct, kw_only=True):
    warning_code: WarningCode
    message: str
    created_at: str


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
    for name in ("managed_access_code_id", "unmanaged_access_code_id"):
        if detail and name in detail:
            setattr(shown, name, detail[name])
    return shown


def warning_object(warning_code: str, since_ms: int, message: str) -> WarningObject:
    return WarningObject(warning_code=warning_code, message=message, created_at=iso(since_ms))
