"""/access_codes generate_code and report_device_constraints: a device and its PINs."""

from typing import Annotated
from uuid import UUID

import msgspec

from doorpad.api.errors import invalid, invalid_field, invalid_request
from doorpad.api.pins import generate_pin, in_words
from doorpad.api.service import CREATE, READ, AnyOperation, Operation, Reply, Service, device_or_404
from doorpad.store.pins import possible

Length = Annotated[int, msgspec.Meta(ge=4, le=20)]


class GenerateParams(msgspec.Struct, kw_only=True):
    device_id: UUID


class ConstraintsParams(msgspec.Struct, kw_only=True):
    """`supported_code_lengths`, or one or both of the bounds."""

    device_id: UUID
    supported_code_lengths: Annotated[list[Length], msgspec.Meta(min_length=1, max_length=17)] | None = None
    min_code_length: Length | None = None
    max_code_length: Length | None = None


class GeneratedCodeObject(msgspec.Struct):
    device_id: str
    code: str


async def _generate(service: Service, params: GenerateParams) -> Reply:
    async with service.database.read() as session:
        device = await device_or_404(session, params.device_id)
        pin = await generate_pin(session, [device])
    return {"generated_code": GeneratedCodeObject(device.device_id, pin)}


async def _report_constraints(service: Service, params: ConstraintsParams) -> Reply:
    """Narrow the lengths of new PINs. Codes that are there stay; they are judged when they change next."""
    bounds = (params.min_code_length, params.max_code_length)
    if params.supported_code_lengths is not None:
        if bounds != (None, None):
            names = ("supported_code_lengths", "min_code_length", "max_code_length")
            raise invalid(
                {
                    name: ["give either lengths or bounds, not both"]
                    for name in names
                    if getattr(params, name) is not None
                }
            )
        allowed = sorted(set(params.supported_code_lengths))
    elif bounds == (None, None):
        raise invalid_request("supported_code_lengths, min_code_length or max_code_length is needed")
    else:
        allowed = list(range(bounds[0] or 4, (bounds[1] or 20) + 1))
        if not allowed:
            raise invalid({"max_code_length": ["must not be less than min_code_length"]})
    async with service.database.write() as session:
        device = await device_or_404(session, params.device_id)
        if device.pin_max is not None and not set(allowed) & set(possible(device)):
            named = next(it for it in params.__struct_fields__[1:] if getattr(params, it) is not None)
            raise invalid_field(named, f"this keypad takes PINs of {in_words(possible(device))} digits")
        device.code_lengths = allowed
    return {}


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "/access_codes/generate_code",
        READ,
        GenerateParams,
        _generate,
        "Make up a PIN that is free on the device and not weak; it is not reserved.",
        {"generated_code": GeneratedCodeObject},
    ),
    Operation(
        "/access_codes/report_device_constraints",
        CREATE,
        ConstraintsParams,
        _report_constraints,
        "Narrow the lengths of PINs on a device.",
        {},
    ),
)
