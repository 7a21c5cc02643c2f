"""Every refusal the API gives, in the one envelope the SDKs turn into their exceptions.

Messages name fields and ids, never a PIN, a key, a URL or what the code inside was doing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from doorpad.errors import DoorpadError, NextStep


class ApiError(DoorpadError):
    """An answer other than 200.

    `fields` (parameter name to findings) becomes `validation_errors`, in the shape of zod's `format()`;
    the name "" stands for the request as a whole. `retry_after_s` becomes the header of that name.
    """

    next_step: ClassVar[NextStep] = NextStep.CHANGE_REQUEST

    def __init__(
        self,
        status: int,
        type_: str,
        message: str,
        *,
        data: Mapping[str, Any] | None = None,
        fields: Mapping[str, Sequence[str]] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        self.status, self.type, self.message = status, type_, message
        self.retry_after_s = retry_after_s
        self.data, self.fields = data or {}, fields
        super().__init__(message)

    def envelope(self, request_id: str) -> dict[str, Any]:
        error: dict[str, Any] = {
            "type": self.type,
            "message": self.message,
            "data": self.data,
            "request_id": request_id,
        }
        if self.fields is not None:
            named = {name: {"_errors": list(found)} for name, found in self.fields.items() if name}
            error["validation_errors"] = {"_errors": list(self.fields.get("", ())), **named}
        return {"error": error, "ok": False}


def invalid(fields: Mapping[str, Sequence[str]]) -> ApiError:
    """400: what is wrong with each parameter."""
    message = "; ".join(
        f"{name}: {', '.join(found)}" if name else ", ".join(found) for name, found in fields.items()
    )
    return ApiError(400, "invalid_input", message, fields=fields)


def invalid_field(name: str, finding: str) -> ApiError:
    """400: what is wrong with one parameter."""
    return invalid({name: [finding]})


def invalid_request(finding: str) -> ApiError:
    """400: what is wrong with the request as a whole."""
    return invalid({"": [finding]})


def not_found(kind: str, id_: UUID | str | None = None) -> ApiError:
    """404 for an object: `kind` is its name in the API, for example "access_code"."""
    what = kind.replace("_", " ")
    if id_ is None:
        return ApiError(404, f"{kind}_not_found", f"there is no such {what}")
    return ApiError(404, f"{kind}_not_found", f"there is no {what} {id_}", data={f"{kind}_id": str(id_)})


def unauthorized() -> ApiError:
    return ApiError(401, "unauthorized", "a valid API key is needed: Authorization: Bearer seam_doorpad_…")


def forbidden(message: str) -> ApiError:
    """403: the API key is good, and does not allow this."""
    return ApiError(403, "forbidden", message)


def too_many_failures(wait_ms: int) -> ApiError:
    """429: keys that are not accepted came too often."""
    wait_s = -(-wait_ms // 1_000)
    return ApiError(
        429,
        "too_many_requests",
        f"too many requests without a valid API key; the next is looked at in {wait_s} s",
        retry_after_s=wait_s,
    )


def duplicate(holder_id: str, *, is_leaving: bool) -> ApiError:
    """409: another code of the device, in an overlapping window, has the PIN. `is_leaving`: it is being removed."""
    until = "it is being removed; ask again once that is done" if is_leaving else "choose another code"
    return ApiError(
        409,
        "duplicate_access_code",
        f"access code {holder_id} of this device has the same code in an overlapping time frame: {until}",
        data={"access_code_id": holder_id},
    )


def not_simulated(device_id: str) -> ApiError:
    return ApiError(
        400,
        "device_not_simulated",
        f"device {device_id} is not an emulated keypad",
        data={"device_id": device_id},
    )


def unavailable(message: str) -> ApiError:
    """503: worth the same request again in seconds."""
    return ApiError(503, "service_unavailable", message)


def internal() -> ApiError:
    return ApiError(500, "internal_server_error", "the bridge failed to answer; its log has the cause")


def no_path() -> ApiError:
    return ApiError(404, "not_found", "there is no such path")


def no_method() -> ApiError:
    return ApiError(405, "method_not_allowed", "this path does not answer to this method")


def no_http() -> ApiError:
    return invalid_request("this is not a request of HTTP/1.1")


def head_too_large(bytes_max: int, headers_max: int) -> ApiError:
    return ApiError(
        431,
        "request_header_fields_too_large",
        f"the request line and headers are more than {bytes_max >> 10} KiB or {headers_max} headers; "
        "parameters can be sent as a JSON body, too",
    )


def too_slow() -> ApiError:
    return ApiError(408, "request_timeout", "the request did not come whole in time")


def too_large() -> ApiError:
    return ApiError(413, "payload_too_large", "the body is larger than 1 MiB")
