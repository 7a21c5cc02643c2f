"""The API's own description: OpenAPI 3.1 and a page to read, both from the table of operations."""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from doorpad import __version__
from doorpad.api.service import AnyOperation

_REF = "#/components/schemas/"
_REFUSAL = {
    "type": "object",
    "required": ["error", "ok"],
    "properties": {
        "ok": {"const": False},
        "error": {
            "type": "object",
            "required": ["type", "message", "data", "request_id"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "data": {"type": "object"},
                "request_id": {"type": "string", "format": "uuid"},
                "validation_errors": {
                    "type": "object",
                    "description": "Only with type invalid_input: findings by parameter.",
                },
            },
        },
    },
}


def document(operations: Sequence[AnyOperation]) -> dict[str, Any]:
    """The OpenAPI document of these operations."""
    replies = [type_ for operation in operations for type_ in operation.replies.values()]
    shown, components = msgspec.json.schema_components(replies, ref_template=_REF + "{name}")
    schemas = iter(shown)
    for component in components.values():
        _as_sent(component)
    paths = {}
    for operation in operations:
        reply = _reply({key: next(schemas) for key in operation.replies})
        parameters = _parameters(operation.params)
        paths[operation.path] = {
            verb.lower(): _operation(operation, verb, parameters, reply) for verb in operation.verbs
        }
    made = {
        "openapi": "3.1.0",
        "info": {
            "title": "doorpad",
            "version": __version__,
            "summary": "Access codes of keypads, in the shapes of the Seam API.",
        },
        "security": [{"api_key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"api_key": {"type": "http", "scheme": "bearer"}},
            "schemas": {**components, "refusal": _REFUSAL},
        },
    }
    renamed: dict[str, Any] = _renamed(made, {name: _api_name(name) for name in components})
    return renamed


def page(made: Mapping[str, Any]) -> str:
    """The document as one HTML page without scripts."""
    lines = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width'><title>doorpad API</title>",
        "<style>body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "code{background:#eee;padding:0 .2em}td{padding:.1rem 1rem .1rem 0;vertical-align:top}</style>",
        "<h1>doorpad API</h1><p>For machines: <a href=openapi.json>openapi.json</a>. Every path needs the "
        "header <code>Authorization: Bearer</code> and an API key.</p>",
    ]
    for path, verbs in made["paths"].items():
        first = next(iter(verbs.values()))
        lines.append(f"<h2 id='{html.escape(path)}'>{html.escape(path)}</h2>")
        lines.append(f"<p>{html.escape(first['summary'])} <code>{' '.join(verbs).upper()}</code></p>")
        lines.append(_table(verbs))
        reply = first["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
        lines.append(f"<p>Answers {', '.join(f'<code>{html.escape(key)}</code>' for key in reply)}.</p>")
    return "\n".join(lines) + "\n"


def _table(verbs: Mapping[str, Any]) -> str:
    # A query and a body take the same parameters; the body's schema is the handier of the two.
    schema = next(
        it["requestBody"]["content"]["application/json"]["schema"]
        for it in verbs.values()
        if "requestBody" in it
    )
    rows = [
        f"<tr><td><code>{html.escape(name)}</code><td>{html.escape(_words(about))}"
        f"<td>{'needed' if name in schema['required'] else ''}"
        for name, about in schema["properties"].items()
    ]
    return f"<table>{''.join(rows)}</table>" if rows else ""


def _words(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_words(it) for it in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(str(it) for it in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_words(schema.get('items', {}))}"
    return str(schema.get("format", schema.get("type", "anything")))


def _parameters(type_: type[msgspec.Struct]) -> dict[str, Any]:
    """The parameters as a schema of an object, with everything in place."""
    _, components = msgspec.json.schema_components([type_], ref_template=_REF + "{name}")
    made: dict[str, Any] = components[type_.__name__]
    whole = {"type": "object", "properties": made["properties"], "required": made["required"]}
    put_in: dict[str, Any] = _put_in(whole, components)
    return put_in


def _put_in(part: Any, components: Mapping[str, Any]) -> Any:
    """`part` with what it refers to in the place of the reference."""
    if isinstance(part, dict):
        if "$ref" in part:
            return _put_in(components[part["$ref"].removeprefix(_REF)], components)
        return {key: _put_in(value, components) for key, value in part.items()}
    return [_put_in(it, components) for it in part] if isinstance(part, list) else part


def _operation(
    operation: AnyOperation, verb: str, parameters: dict[str, Any], reply: dict[str, Any]
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": f"{verb.lower()}{operation.path.replace('/', '_')}",
        "summary": operation.summary,
    }
    if verb in ("GET", "DELETE"):
        made["parameters"] = [
            {
                "name": name,
                "in": "query",
                "required": name in parameters["required"],
                "schema": {key: value for key, value in schema.items() if key != "default"},
            }
            for name, schema in parameters["properties"].items()
        ]
    else:
        made["requestBody"] = {
            "required": bool(parameters["required"]),
            "content": {"application/json": {"schema": parameters}},
        }
    made["responses"] = {
        "200": {"description": "Done.", "content": {"application/json": {"schema": reply}}},
        "default": {
            "description": "Refused; nothing was changed.",
            "content": {"application/json": {"schema": {"$ref": _REF + "refusal"}}},
        },
    }
    return made


def _as_sent(component: dict[str, Any]) -> None:
    """Of a reply, what has a default is sent too: only what can be unset may be missing."""
    names = [
        name
        for name, schema in component["properties"].items()
        if name in component["required"] or "default" in schema
    ]
    component["required"] = names
    for schema in component["properties"].values():
        schema.pop("default", None)


def _reply(keys: Mapping[str, Any]) -> dict[str, Any]:
    properties = {**keys, "ok": {"const": True}}
    return {"type": "object", "required": list(properties), "properties": properties}


def _api_name(name: str) -> str:
    """`UnmanagedAccessCodeObject` is `unmanaged_access_code` to API clients."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name.removesuffix("Object")).lower()


def _renamed(part: Any, names: Mapping[str, str]) -> Any:
    """`part` with the schemas renamed, where they are defined and where they are referred to."""
    if isinstance(part, dict):
        return {
            names.get(key, key): _REF + names[value.removeprefix(_REF)]
            if key == "$ref" and value.removeprefix(_REF) in names
            else _renamed(value, names)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [_renamed(it, names) for it in part]
    return part
