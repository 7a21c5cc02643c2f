"""The API's own description against the contract: the shapes of the official SDKs' types, 1.721.0."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_world import World
from doorpad.api.app import OPERATIONS
from doorpad.api.openapi import document
from doorpad.events.types import KNOWN, TOLD
from doorpad.store.catalogue import (
    ACCESS_CODE,
    CODE_WARNINGS,
    DEVICE_WARNINGS,
    ERRORS,
    OTHER_ERRORS,
    OTHER_WARNINGS,
)
from openapi_spec_validator import OpenAPIV31SpecValidator

CONTRACT = json.loads((Path(__file__).parent / "seam_contract.json").read_text())
OURS = json.loads(json.dumps(document(OPERATIONS)))


def verbs(spec: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for path, by_verb in spec["paths"].items():
        for verb, operation in by_verb.items():
            yield path, verb, operation


def parameters(operation: Mapping[str, Any]) -> dict[str, tuple[bool, Any]]:
    """By name: whether it is needed, and its schema. Of alternatives no parameter is needed."""
    found = {it["name"]: (it.get("required", False), it["schema"]) for it in operation.get("parameters", ())}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    alternatives = body.get("oneOf", [body])
    for schema in alternatives:
        for name, about in schema.get("properties", {}).items():
            found[name] = (len(alternatives) == 1 and name in schema.get("required", ()), about)
    return found


def enumeration(schema: Mapping[str, Any]) -> set[str]:
    """The values that a schema (or an alternative of it) names; none if it takes any."""
    schema = schema.get("items", schema)
    return set(schema.get("enum", ())).union(
        *(enumeration(it) for it in (*schema.get("anyOf", ()), *schema.get("oneOf", ())))
    )


SERVED = list(verbs(CONTRACT))


def test_document_is_openapi_3_1() -> None:
    assert OURS["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(OURS).validate()


def test_paths_are_those_of_the_contract() -> None:
    assert OURS["paths"].keys() == CONTRACT["paths"].keys()


@pytest.mark.parametrize(("path", "verb", "theirs"), SERVED, ids=lambda it: it if isinstance(it, str) else "")
def test_path_takes_and_gives_what_the_contract_says(path: str, verb: str, theirs: Any) -> None:
    ours = OURS["paths"][path][verb]
    taken = parameters(ours)
    for name, (needed, schema) in parameters(theirs).items():
        assert taken[name][0] == needed, name
        ours_named = enumeration(taken[name][1])
        assert not ours_named or enumeration(schema) <= ours_named, name
    given = (it["responses"]["200"]["content"]["application/json"]["schema"] for it in (theirs, ours))
    their_reply, our_reply = given
    assert set(their_reply["required"]) <= set(our_reply["required"])


@pytest.mark.parametrize(
    "name", [it for it in OURS["components"]["schemas"] if "properties" in CONTRACT["schemas"].get(it, {})]
)
def test_object_has_what_the_contract_needs(name: str) -> None:
    theirs, ours = CONTRACT["schemas"][name], OURS["components"]["schemas"][name]
    assert set(theirs["required"]) <= set(ours["required"])
    for field, about in ours["properties"].items():
        # device_type is the one value of ours in an enumeration of theirs.
        if enumeration(about) and enumeration(theirs["properties"].get(field, {})) and field != "device_type":
            assert enumeration(about) <= enumeration(theirs["properties"][field]), field


# What the contract has and a keypad has not: heating and cooling, pictures, the upstream account's own customers;
# and what the devices of a provider can, for none is listed.
_OF_THERMOSTATS = re.compile(r".*\.can_(hvac|program_thermostat|run_thermostat|turn_off_hvac)\w*")
_OF_PROVIDERS = re.compile(r"device_provider\.can_\w+")
_NOT_HERE = {
    "connected_account.customer_key",
    "connected_account.image_url",
    "connected_account.user_identifier",
    "workspace.publishable_key",
}


def left_out(name: str, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    """The properties that ours lacks, however deep. An object without named properties is what it is at the time."""
    ours = solved(ours)
    if "items" in theirs:
        if "items" in ours:
            yield from left_out(name, theirs["items"], ours["items"])
    elif "properties" in ours:
        for field, about in theirs.get("properties", {}).items():
            if field in ours["properties"]:
                yield from left_out(f"{name}.{field}", about, ours["properties"][field])
            else:
                yield f"{name}.{field}"


def solved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Behind a reference, and of what may be null, the other."""
    while "$ref" in schema:
        schema = OURS["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    others = [it for it in schema.get("anyOf", ()) if it.get("type") != "null"]
    return solved(others[0]) if len(others) == 1 else schema


def test_objects_have_every_property_of_the_contract_but_these() -> None:
    missing = {
        it
        for name, ours in OURS["components"]["schemas"].items()
        if "properties" in CONTRACT["schemas"].get(name, {})
        for it in left_out(name, CONTRACT["schemas"][name], ours)
    }
    assert {
        it for it in missing if not _OF_THERMOSTATS.fullmatch(it) and not _OF_PROVIDERS.fullmatch(it)
    } == _NOT_HERE


def test_compared_objects_are_all_that_the_contract_has_of_the_served() -> None:
    compared = CONTRACT["schemas"].keys() & OURS["components"]["schemas"].keys()
    assert compared >= {
        "access_code",
        "unmanaged_access_code",
        "device",
        "event",
        "action_attempt",
        "workspace",
        "connected_account",
        "pagination",
    }


def codes_of(schema: Mapping[str, Any], kind: str) -> Iterator[str]:
    for it in schema["properties"][kind]["items"]["oneOf"]:
        (code,) = it["properties"][f"{kind.removesuffix('s')}_code"]["enum"]
        yield code


def test_catalogue_has_the_codes_of_the_contract() -> None:
    schemas = CONTRACT["schemas"]
    errors = {*codes_of(schemas["access_code"], "errors"), *codes_of(schemas["device"], "errors")}
    warnings = set(codes_of(schemas["access_code"], "warnings"))
    # Names of other makers' locks that came after the vocabulary of this API.
    assert errors - ERRORS.keys() == {
        "kwikset_insufficient_permissions",
        "keynest_unsupported_third_party_locker",
        "dormakaba_oracode_invalid_time_range",
    }
    assert warnings <= CODE_WARNINGS.keys()
    shown = OURS["components"]["schemas"]
    assert set(shown["error"]["properties"]["error_code"]["enum"]) == set(ERRORS | OTHER_ERRORS)
    warnings_shown = set(shown["warning"]["properties"]["warning_code"]["enum"])
    assert warnings_shown == set(CODE_WARNINGS | DEVICE_WARNINGS | OTHER_WARNINGS)


def test_errors_of_codes_carry_the_flag_that_the_contract_wants() -> None:
    compared = 0
    for it in CONTRACT["schemas"]["access_code"]["properties"]["errors"]["items"]["oneOf"]:
        (code,) = it["properties"]["error_code"]["enum"]
        if code in ERRORS:
            flagged = "is_access_code_error" in it["required"]
            assert flagged == (ERRORS[code].subject == ACCESS_CODE), code
            compared += 1
    assert compared > 30


def test_told_events_are_known_to_strict_clients() -> None:
    theirs = {
        name
        for it in CONTRACT["schemas"]["event"]["oneOf"]
        for name in it["properties"]["event_type"]["enum"]
    }
    assert theirs >= TOLD
    (asked,) = (
        it["schema"]
        for it in CONTRACT["paths"]["/events/list"]["get"]["parameters"]
        if it["name"] == "event_type"
    )
    assert set(asked["enum"]) == KNOWN


async def test_description_needs_no_key_and_is_readable(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.server.url) as stranger:
        assert (await stranger.get("/openapi.json")).json() == OURS
        assert (await stranger.get("/health")).json() == {"ok": True, "keypads": []}
        page = await stranger.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert all(path in page.text for path in OURS["paths"])
    assert "<script" not in page.text and "http" not in page.text
