"""The names of errors and warnings in each vocabulary: checked against the schemas that strict clients read by."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from api_world import KEYPAD, NOW_MS, NOW_S, World
from doorpad.api.app import create_app
from doorpad.api.server import Server
from doorpad.api.vocabulary import Vocabulary, error_name, warning_name
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
)
from doorpad.store.schema import CodeError, Slot
from doorpad_link.messages import ENABLED, MANAGED
from seam import AsyncSeam

ID = "00000000-0000-4000-8000-000000000001"
_CONTRACT = json.loads((Path(__file__).parent / "seam_contract.json").read_text())["schemas"]

# The access code, device and account of npm `@seamapi/types` 1.977.0: the names in its enumerations.
_OF_DEVICES = """account_disconnected salto_ks_subscription_limit_exceeded dormakaba_sites_disconnected
    device_offline device_removed hub_disconnected device_disconnected empty_backup_access_code_pool
    august_lock_not_authorized missing_device_credentials auxiliary_heat_running
    subscription_required bridge_disconnected"""
_IN_2026 = {
    ("access_code", "errors"): """provider_issue failed_to_set_on_device failed_to_remove_from_device
        duplicate_code_on_device no_space_for_access_code_on_device conflicting_external_modification
        access_code_inactive insufficient_permissions """
    + _OF_DEVICES,
    ("access_code", "warnings"): """code_rotates_periodically time_frame_adjusted_for_unknown_time_zone
        external_modification_in_effect delay_in_setting_on_device delay_in_removing_from_device
        third_party_integration_detected igloo_algopin_must_be_used_within_24_hours management_transferred
        using_backup_access_code being_deleted unknown_issue_with_access_code""",
    ("device", "errors"): _OF_DEVICES,
    ("device", "warnings"): """partial_backup_access_code_pool many_active_backup_codes
        third_party_integration_detected power_saving_mode device_communication_degraded
        scheduled_maintenance_window device_has_flaky_connection max_access_codes_reached time_zone_unknown""",
}


def _accepted(vocabulary: Vocabulary, subject: str, kind: str) -> set[str]:
    if vocabulary == "2026":
        return set(_IN_2026[subject, kind].split())
    field = {"errors": "error_code", "warnings": "warning_code"}[kind]
    variants = _CONTRACT[subject]["properties"][kind]["items"]["oneOf"]
    return {name for it in variants for name in it["properties"][field]["enum"]}


@pytest.mark.parametrize("vocabulary", ["2026", "zod"])
def test_every_condition_has_a_name_that_strict_clients_of_the_vocabulary_know(
    vocabulary: Vocabulary,
) -> None:
    shown_on = {ACCESS_CODE: ["access_code"], DEVICE: ["device", "access_code"]}
    shown_on |= {ACCOUNT: ["device", "access_code"], BRIDGE: ["device", "access_code"]}
    for name, condition in ERRORS.items():
        for subject in shown_on[condition.subject]:
            assert error_name(vocabulary, name) in _accepted(vocabulary, subject, "errors"), name
    for subject, warnings in (("access_code", CODE_WARNINGS), ("device", DEVICE_WARNINGS)):
        for name in warnings:
            assert warning_name(vocabulary, name) in _accepted(vocabulary, subject, "warnings"), name


@pytest.mark.parametrize("vocabulary", get_args(Vocabulary))
def test_names_that_a_vocabulary_knows_stay(vocabulary: Vocabulary) -> None:
    known = set(ERRORS) if vocabulary == "2025" else _accepted(vocabulary, "access_code", "errors")
    for name in known & set(ERRORS):
        assert error_name(vocabulary, name) == name


def test_schemas_of_the_catalogue_are_those_of_the_contract() -> None:
    tables: list[tuple[dict[str, Condition], str, str]] = [
        (ERRORS, "access_code", "errors"),
        (CODE_WARNINGS, "access_code", "warnings"),
    ]
    for conditions, subject, kind in tables:
        for letter, vocabulary in (("Z", "zod"), ("P", "2026")):
            known = _accepted(vocabulary, subject, kind)  # type: ignore[arg-type]
            marked = {name for name, condition in conditions.items() if letter in condition.schemas}
            assert marked == known & set(conditions), (letter, kind)


def test_names_that_only_the_vocabulary_of_2026_has_are_known_to_its_clients() -> None:
    for condition_of, kind in ((OTHER_ERRORS, "errors"), (OTHER_WARNINGS, "warnings")):
        for name, condition in condition_of.items():
            subject = "device" if condition.subject == DEVICE else "access_code"
            assert ("P" in condition.schemas) == (name in _accepted("2026", subject, kind)), name


async def _told(world: World, vocabulary: Vocabulary, path: str, **asked: str) -> dict[str, Any]:
    """The answer of an API in this vocabulary over the database of the world."""
    server = Server(
        create_app(
            database=world.database,
            keys=world.keys,
            changes=world.wakes,
            bench=world.hands,
            now_ms=lambda: world.now_ms,
            feed=world.feed,
            errors_vocabulary=vocabulary,
        )
    )
    await server.start()
    try:
        async with AsyncSeam(api_key=world.key, endpoint=server.url) as seam:
            answer: dict[str, Any] = await seam.client.get(path, params=asked)
            return answer
    finally:
        await server.stop()


@pytest.mark.parametrize(
    ("vocabulary", "errors", "warnings"),
    [
        ("2025", ["code_modified_external_to_seam"], []),
        ("2026", ["conflicting_external_modification"], ["being_deleted"]),
        ("zod", ["code_modified_external_to_seam"], []),
    ],
)
async def test_code_changed_at_the_keypad_is_told_in_the_vocabulary_asked_for(
    world: World, device_id: str, vocabulary: Vocabulary, errors: list[str], warnings: list[str]
) -> None:
    await world.add_code(device_id, ID)
    await world.put_on_keypad(ID, 3)
    await world.keypad_shows(device_id, 3, maker=KEYPAD)
    await world.change(ID, state="removing", slot=3, asked_at_ms=NOW_MS + 5_000)
    code = (await _told(world, vocabulary, "/access_codes/get", access_code_id=ID))["access_code"]
    assert [it["error_code"] for it in code["errors"]] == errors
    assert code["errors"][0]["change_type"] == "removed"
    assert code["errors"][0]["message"].startswith("Code was modified or removed externally")
    assert [it["warning_code"] for it in code["warnings"]] == warnings
    if warnings:
        assert code["warnings"][0]["created_at"] == "2027-01-15T08:00:05.000Z"


async def test_two_names_of_one_issue_are_told_once(world: World, device_id: str) -> None:
    await world.add_code(device_id, ID)
    async with world.database.write() as session:
        for error_code in ("august_lock_missing_keypad", "august_lock_invalid_code_length"):
            session.add(
                CodeError(
                    access_code_id=ID, error_code=error_code, created_at_ms=NOW_MS, message="x", detail={}
                )
            )
    listed = (await _told(world, "2026", "/access_codes/list", device_id=device_id))["access_codes"]
    assert [it["error_code"] for it in listed[0]["errors"]] == ["provider_issue"]


async def test_names_are_replaced_in_the_result_of_an_action_attempt(
    world: World, device_id: str, seam: AsyncSeam
) -> None:
    await world.add_code(device_id, ID, starts_at_s=NOW_S - 60, ends_at_s=NOW_S + 60)
    await world.put_on_keypad(ID, 3)
    answer = await seam.client.post("/access_codes/update", json={"access_code_id": ID, "name": "New"})
    async with world.database.write() as session:
        session.add(
            CodeError(
                access_code_id=ID,
                error_code="wyze_duplicate_code_name",
                created_at_ms=NOW_MS,
                message="x",
                detail={},
            )
        )
    attempt_id = answer["action_attempt"]["action_attempt_id"]
    told = await _told(world, "2026", "/action_attempts/get", action_attempt_id=attempt_id)
    errors = told["action_attempt"]["result"]["access_code"]["errors"]
    assert [it["error_code"] for it in errors] == ["provider_issue"]


@pytest.mark.parametrize("vocabulary", get_args(Vocabulary))
async def test_full_keypad_is_warned_of_where_there_is_a_name_for_it(
    world: World, vocabulary: Vocabulary
) -> None:
    device_id = await world.add_device(capacity=3, full_since_ms=NOW_MS + 5_000)
    told = (await _told(world, vocabulary, "/devices/get", device_id=device_id))["device"]
    assert told["doorpad"]["full_since"] == "2027-01-15T08:00:05.000Z"
    expected = {
        "warning_code": "max_access_codes_reached",
        "message": "The device holds as many access codes as it can.",
        "created_at": "2027-01-15T08:00:05.000Z",
        "active_access_code_count": 3,
        "max_active_access_code_count": 3,
    }
    assert told["warnings"] == ([expected] if vocabulary == "2026" else [])


@pytest.mark.parametrize("profile", ["ultraloq", "generic"])
@pytest.mark.parametrize("time_zone", [None, "Europe/Paris"])
async def test_unknown_time_zone_is_warned_of_where_it_is_needed(
    world: World, profile: str, time_zone: str | None
) -> None:
    device_id = await world.add_device(profile=profile, time_zone=time_zone)
    told = (await _told(world, "2026", "/devices/get", device_id=device_id))["device"]
    names = [it["warning_code"] for it in told["warnings"]]
    assert names == (["time_zone_unknown"] if profile == "ultraloq" and time_zone is None else [])


@pytest.mark.parametrize("managed", [True, False])
@pytest.mark.parametrize("vocabulary", get_args(Vocabulary))
async def test_code_that_is_switched_off_is_told_of_where_there_is_a_name_for_it(
    world: World, device_id: str, vocabulary: Vocabulary, *, managed: bool
) -> None:
    await world.add_code(device_id, ID, managed=managed, name="Ann")
    await world.put_on_keypad(ID, 3)
    path = "/access_codes/get" if managed else "/access_codes/unmanaged/get"

    async def errors() -> list[str]:
        code = (await _told(world, vocabulary, path, access_code_id=ID))["access_code"]
        return [it["error_code"] for it in code["errors"]]

    assert await errors() == []
    async with world.database.write() as session:
        slot = await session.get_one(Slot, (device_id, 3))
        slot.flags &= ~ENABLED
    assert await errors() == (["access_code_inactive"] if vocabulary == "2026" else [])


async def test_code_is_inactive_since_somebody_has_switched_it_off(world: World, device_id: str) -> None:
    await world.add_code(device_id, ID, external_modification_allowed=True)
    await world.put_on_keypad(ID, 3)
    world.now_ms = NOW_MS + 9_000
    off = {"code": "4711", "access_code_id": ID, "flags": MANAGED}
    await world.keypad_shows(device_id, 3, maker=KEYPAD, **off)
    code = (await _told(world, "2026", "/access_codes/get", access_code_id=ID))["access_code"]
    assert [it["created_at"] for it in code["errors"]] == ["2027-01-15T08:00:09.000Z"]
    assert [it["warning_code"] for it in code["warnings"]] == ["external_modification_in_effect"]
