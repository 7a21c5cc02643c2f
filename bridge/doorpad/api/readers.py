"""What a read-only API key is kept from: PINs, webhooks' secrets, and finding out a PIN by asking."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from doorpad.api.errors import forbidden

# That a PIN is a weak one leaves a few hundred to try.
_HIDDEN = ("code", "is_weak_code")
_PIN_LIKE = re.compile(r"\d+")


def check_question(params: msgspec.Struct) -> None:
    """Raises ApiError 403 for parameters that look a PIN up: asked often enough, they tell it."""
    if getattr(params, "code", None) is not None:
        raise forbidden("this API key is read-only: it cannot look access codes up by their code")
    search = getattr(params, "search", None)
    if search is not None and _PIN_LIKE.fullmatch(search):
        raise forbidden("this API key is read-only: it cannot search for digits alone, which may be a code")


def without_secrets(reply: Mapping[str, Any]) -> dict[str, Any]:
    """The reply with all that tells of a PIN null, and each `secret` left out, however deep they are."""
    hidden: dict[str, Any] = _hide(msgspec.to_builtins(reply))
    return hidden


def _hide(value: Any) -> Any:
    if isinstance(value, list):
        return [_hide(it) for it in value]
    if isinstance(value, dict):
        # An event has an empty `code`, for clients that need a text there; nothing is in it to hide.
        return {
            name: None if name in _HIDDEN and it != "" else _hide(it)
            for name, it in value.items()
            if name != "secret"
        }
    return value
