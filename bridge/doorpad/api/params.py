"""Parameters of a request, from its query or its JSON body, into the msgspec struct of its path.

Fields are converted one by one: a refusal then lists every field that is wrong, by its name.
"""

from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec

from doorpad.api.errors import invalid, invalid_request

P = TypeVar("P", bound=msgspec.Struct)

# Bounds of what reaches a statement of the database: SQLite refuses a search of over 50,000 bytes and
# more than 32,766 bound parameters.
Text = Annotated[str, msgspec.Meta(max_length=255)]
Texts = Annotated[list[Text], msgspec.Meta(max_length=1_000)]
Ids = Annotated[list[UUID], msgspec.Meta(max_length=10_000)]
_Value = Annotated[str, msgspec.Meta(max_length=500)]
Metadata = Annotated[dict[Text, _Value | bool], msgspec.Meta(max_length=50)]
MetadataChange = Annotated[dict[Text, _Value | bool | None], msgspec.Meta(max_length=50)]  # null takes away

_STRICT = "_strict"  # SDKs add it to each query: refuse parameters this path does not know


@dataclass(frozen=True, slots=True)
class _Field:
    type: Any
    is_list: bool
    is_dict: bool
    required: bool


def decode(type_: type[P], query: bytes, body: bytes) -> P:
    """The struct, from the query and the body; where both name a field, the query counts.

    Raises:
        ApiError: 400 invalid_input, naming each wrong field.
    """
    fields = _fields(type_)
    values: dict[str, Any] = {}
    wrong: dict[str, list[str]] = {}
    _convert(fields, _from_json(body), values, wrong, strict=True)
    _convert(fields, _from_query(fields, query), values, wrong, strict=False)
    for name, field in fields.items():
        if field.required and name not in values and name not in wrong:
            wrong[name] = ["Required"]
    if wrong:
        raise invalid(wrong)
    return type_(**values)


def _convert(
    fields: dict[str, _Field],
    raw: dict[str, Any],
    values: dict[str, Any],
    wrong: dict[str, list[str]],
    *,
    strict: bool,
) -> None:
    for name, field in fields.items():
        if name in raw:
            try:
                values[name] = msgspec.convert(raw[name], field.type, strict=strict)
            except msgspec.ValidationError as error:
                wrong[name] = [str(error)]


def _from_json(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        raw = msgspec.json.decode(body)
    except (ValueError, RecursionError):  # ValueError: malformed, or not UTF-8
        raise invalid_request("the body is not valid JSON") from None
    if not isinstance(raw, dict):
        raise invalid_request("the body is not a JSON object")
    return raw


def _from_query(fields: dict[str, _Field], query: bytes) -> dict[str, Any]:
    pairs: dict[str, list[str]] = {}
    try:
        told = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
    except UnicodeError:
        raise invalid_request("the query is not UTF-8, percent-encoded") from None
    for key, value in told:
        pairs.setdefault(key, []).append(value)
    strict = pairs.pop(_STRICT, ["false"])[-1] == "true"
    raw: dict[str, Any] = {}
    for key, values in pairs.items():
        name = key.removesuffix("[]")
        field = fields.get(name if not strict else key)
        outer, dot, inner = key.partition(".")
        if dot and outer in fields and fields[outer].is_dict:
            raw.setdefault(outer, {})[inner] = values[-1]
            continue
        if field is None:
            if strict:
                # The name is not repeated: it may be a value that slipped out of its place.
                known = ", ".join(sorted(fields)) or "none"
                raise invalid_request(
                    f"the query has a parameter that this path does not know; it knows {known}"
                )
        elif field.is_list:
            raw.setdefault(name, []).extend([] if values == [""] else values)
        elif len(values) > 1:
            raise invalid({name: ["Expected one value, got several"]})
        else:
            raw[name] = values[0] or None  # `key=` is how the SDKs write null
    return raw


@cache
def _fields(type_: type[msgspec.Struct]) -> dict[str, _Field]:
    fields = {}
    for field in msgspec.structs.fields(type_):
        # Only a struct's field may be "unset"; its value, once given, is one of the other types.
        given = [t for t in _alternatives(field.type) if t is not msgspec.UnsetType]
        fields[field.name] = _Field(
            type=Union[tuple(given)],  # noqa: UP007 (built at run time)
            is_list=any(_is_a(list, t) for t in given),
            is_dict=any(_is_a(dict, t) for t in given),
            required=field.required,
        )
    return fields


def _is_a(kind: type, type_: Any) -> bool:
    bare = get_args(type_)[0] if get_origin(type_) is Annotated else type_
    return get_origin(bare) is kind


def _alternatives(type_: Any) -> tuple[Any, ...]:
    return get_args(type_) if get_origin(type_) in (Union, UnionType) else (type_,)
