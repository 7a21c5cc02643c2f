"""The official Python SDK against `doorpad demo`: every method that the installed release has, each reply looked at.

A new release of the SDK with a method that is not called here turns a test red. What the calls lead to is held
against more situations in `tests/api` and `tests/hil`.
"""

import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from demonstration import running
from hil_world import Doorpad
from jsonschema import Draft202012Validator
from seam import Seam, SeamHttpApiError

CONTRACT = json.loads((Path(__file__).parent.parent / "api" / "seam_contract.json").read_text())
EARLIEST = "2000-01-01T00:00:00Z"

# Methods of the groups that are served, whose paths are outside of the contract.
NOT_SERVED = {
    "locks.configure_auto_lock",  # a strike falls back by itself; there is no bolt to move
    "workspaces.create",  # an installation is the one workspace that there is
    "workspaces.reset_sandbox",
    "workspaces.update",
}
GROUPS = {path.split("/")[1] for path in CONTRACT["paths"]}


def methods(of: object, name: str = "") -> Iterator[str]:
    """The names of an SDK object's methods, with those of the groups below it."""
    for part in dir(of):
        if part.startswith("_"):
            continue
        value = getattr(of, part)
        if inspect.ismethod(value):
            yield f"{name}{part}"
        elif type(value).__module__.startswith("seam.routes"):
            yield from methods(value, f"{name}{part}.")


SDK = Seam(api_key="seam_doorpad_nobody", endpoint="http://127.0.0.1:1")
METHODS = {it for it in methods(SDK) if it.split(".")[0] in GROUPS and "." in it}


def json_schema(spec: Any) -> Any:
    """The contract's way to say that null is allowed, in that of JSON Schema."""
    if isinstance(spec, list):
        return [json_schema(it) for it in spec]
    if not isinstance(spec, dict):
        return spec
    made = {name: json_schema(it) for name, it in spec.items() if name != "nullable"}
    return {"anyOf": [made, {"type": "null"}]} if spec.get("nullable") else made


COMPONENTS = {"schemas": json_schema(CONTRACT["schemas"])}
# Both are told in the README beside this file.
COMPONENTS["schemas"]["device"]["properties"].pop("device_type")
COMPONENTS["schemas"]["unmanaged_device"]["properties"].pop("device_type")
GENERATED = "/access_codes/generate_code"


def findings(path: str, verb: str, reply: Any) -> list[str]:
    """What the contract's schema refuses in a reply."""
    responses = CONTRACT["paths"][path][verb]["responses"]
    schema = json_schema(responses["200"]["content"]["application/json"]["schema"])
    if path == GENERATED:
        schema["properties"].pop("generated_code")
    checker = Draft202012Validator({**schema, "components": COMPONENTS})
    return [f"{verb} {path}: {it.json_path} {it.message[:200]}" for it in checker.iter_errors(reply)]


@dataclass
class Stage:
    """The demo with its two keypads, and the SDK; each reply is checked as it comes."""

    command: Doorpad
    seam: Seam
    door: str
    other_door: str
    problems: list[str] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    pins: Iterator[int] = field(default_factory=lambda: iter(range(582014, 10**6, 7)))

    def pin(self) -> str:
        return str(next(self.pins))

    def check(self, response: httpx.Response) -> None:
        path, verb = urlsplit(str(response.request.url)).path, response.request.method.lower()
        self.paths.add(path)
        response.read()
        if response.status_code == 200:
            self.problems += findings(path, verb, response.json())

    def code(self, **fields: Any) -> str:
        """The id of a new code that the keypad holds."""
        asked = {"device_id": self.door, "code": self.pin()} | fields
        id_: str = self.seam.access_codes.create(**asked).access_code_id
        self.command.event("access_code.set_on_device", id_)
        return id_

    def delete(self, access_code_id: str) -> None:
        """Twice, as an SDK does when the answer is lost."""
        for _ in range(2):
            self.seam.access_codes.delete(access_code_id=access_code_id)
        self.command.event("access_code.deleted", access_code_id)

    def code_of_keypad(self) -> str:
        """The id of a code that a person made at the keypad."""
        simulate = self.seam.access_codes.simulate
        made = simulate.create_unmanaged_access_code(device_id=self.door, name="Ann", code=self.pin())
        id_: str = made.access_code_id
        return id_

    def account(self) -> str:
        (account,) = self.seam.connected_accounts.list()
        id_: str = account.connected_account_id
        return id_

    def webhook(self) -> Any:
        return self.seam.webhooks.create(url="http://127.0.0.1:9/", event_types=["device.removed"])


def stay() -> dict[str, str]:
    """The times of a stay that has begun."""
    now = datetime.now(UTC)
    begins, ends = (now + timedelta(hours=it) for it in (-1, 24))
    return {"starts_at": begins.isoformat(), "ends_at": ends.isoformat()}


def refused(status: int, type_: str, call: Callable[..., Any], **asked: Any) -> None:
    with pytest.raises(SeamHttpApiError) as caught:
        call(**asked)
    assert (caught.value.status_code, caught.value.code) == (status, type_)


def create(stage: Stage) -> None:
    code = stage.seam.access_codes.create(device_id=stage.door, code=stage.pin(), name="Ann")
    assert (code.status, code.name, code.is_managed) == ("setting", "Ann", True)
    stage.command.event("access_code.set_on_device", code.access_code_id)
    assert stage.seam.access_codes.get(access_code_id=code.access_code_id).status == "set"


def create_multiple(stage: Stage) -> None:
    codes = stage.seam.access_codes.create_multiple(device_ids=[stage.door, stage.other_door])
    assert len({it.code for it in codes}) == len({it.common_code_key for it in codes}) == 1


def delete(stage: Stage) -> None:
    id_ = stage.code()
    stage.delete(id_)
    refused(404, "access_code_not_found", stage.seam.access_codes.get, access_code_id=id_)


def generate_code(stage: Stage) -> None:
    generated = stage.seam.access_codes.generate_code(device_id=stage.door)
    assert generated.device_id == stage.door and generated.code.isdigit()


def get(stage: Stage) -> None:
    code = stage.seam.access_codes.get(access_code_id=stage.code())
    assert stage.seam.access_codes.get(device_id=stage.door, code=code.code) == code


def list_codes(stage: Stage) -> None:
    ids = [stage.code() for _ in range(3)]
    listed = stage.seam.access_codes.list
    assert [it.access_code_id for it in listed(access_code_ids=ids)] == ids
    assert {it.access_code_id for it in listed(device_id=stage.door)} >= set(ids)
    pages = stage.seam.create_paginator(listed, {"access_code_ids": ids, "limit": 2})
    assert [it.access_code_id for it in pages.flatten_to_list()] == ids


def pull_backup_access_code(stage: Stage) -> None:
    codes = stage.seam.access_codes
    id_ = stage.code(**stay(), use_backup_access_code_pool=True)
    while not codes.get(access_code_id=id_).is_backup_access_code_available:
        pass  # of spare codes no event tells
    backup = codes.pull_backup_access_code(access_code_id=id_)
    assert backup.is_backup
    assert codes.get(access_code_id=id_).pulled_backup_access_code_id == backup.access_code_id


def report_device_constraints(stage: Stage) -> None:
    asked = {"device_id": stage.other_door}
    stage.seam.access_codes.report_device_constraints(**asked, min_code_length=6, max_code_length=8)
    device = stage.seam.devices.get(**asked)
    assert device.properties.supported_code_lengths == [6, 7, 8]


def create_unmanaged_access_code(stage: Stage) -> None:
    code = stage.seam.access_codes.unmanaged.get(access_code_id=stage.code_of_keypad())
    assert (code.status, code.name, code.is_managed) == ("set", "Ann", False)


def convert_to_managed(stage: Stage) -> None:
    id_ = stage.code_of_keypad()
    stage.seam.access_codes.unmanaged.convert_to_managed(access_code_id=id_)
    stage.command.event("access_code.unmanaged.converted_to_managed", id_)
    assert stage.seam.access_codes.get(access_code_id=id_).status == "set"


def delete_unmanaged(stage: Stage) -> None:
    id_ = stage.code_of_keypad()
    stage.seam.access_codes.unmanaged.delete(access_code_id=id_)
    stage.command.event("access_code.unmanaged.removed", id_)
    refused(404, "access_code_not_found", stage.seam.access_codes.unmanaged.get, access_code_id=id_)


def list_unmanaged(stage: Stage) -> None:
    id_ = stage.code_of_keypad()
    listed = stage.seam.access_codes.unmanaged.list(device_id=stage.door)
    assert id_ in [it.access_code_id for it in listed]


def update_unmanaged(stage: Stage) -> None:
    id_ = stage.code_of_keypad()
    stage.seam.access_codes.unmanaged.update(access_code_id=id_, is_managed=True)
    stage.command.event("access_code.unmanaged.converted_to_managed", id_)
    assert stage.seam.access_codes.get(access_code_id=id_).is_managed


def update(stage: Stage) -> None:
    id_, pin, before = stage.code(), stage.pin(), stage.command.mark()
    stage.seam.access_codes.update(access_code_id=id_, code=pin, name="Bob", **stay())
    stage.command.event("access_code.set_on_device", id_, after=before)
    code = stage.seam.access_codes.get(access_code_id=id_)
    assert (code.code, code.name, code.type, code.status) == (pin, "Bob", "time_bound", "set")


def update_multiple(stage: Stage) -> None:
    codes = stage.seam.access_codes
    made = codes.create_multiple(device_ids=[stage.door, stage.other_door])
    codes.update_multiple(common_code_key=made[0].common_code_key, name="Bob")
    assert {codes.get(access_code_id=it.access_code_id).name for it in made} == {"Bob"}


def get_attempt(stage: Stage) -> None:
    done = stage.seam.locks.unlock_door(device_id=stage.door)
    id_ = done.action_attempt_id
    attempt = stage.seam.action_attempts.get(action_attempt_id=id_)
    assert (attempt.status, attempt.action_type) == ("success", "UNLOCK_DOOR")
    (listed,) = stage.seam.action_attempts.list(action_attempt_ids=[id_])
    assert listed == attempt


def delete_account(stage: Stage) -> None:
    account = {"connected_account_id": stage.account()}
    refused(409, "connected_account_is_connected", stage.seam.connected_accounts.delete, **account)


def get_account(stage: Stage) -> None:
    id_ = stage.account()
    assert stage.seam.connected_accounts.get(connected_account_id=id_).connected_account_id == id_


def update_account(stage: Stage) -> None:
    id_ = stage.account()
    stage.seam.connected_accounts.update(connected_account_id=id_, custom_metadata={"site": "7"})
    (account,) = stage.seam.connected_accounts.list(custom_metadata_has={"site": "7"})
    assert account.connected_account_id == id_


def disconnect_account(stage: Stage) -> None:
    accounts, asked = stage.seam.connected_accounts, {"connected_account_id": stage.account()}
    before = stage.command.mark()
    accounts.simulate.disconnect(**asked)
    (error,) = accounts.get(**asked).errors
    assert error.error_code == "account_disconnected"
    accounts.sync(**asked)
    assert accounts.get(**asked).errors == []
    for device_id in (stage.door, stage.other_door):
        stage.command.link("online", device_id, after=before)


def get_device(stage: Stage) -> None:
    device = stage.seam.devices.get(device_id=stage.door)
    assert stage.seam.devices.get(name=device.display_name) == device
    assert device in stage.seam.devices.list() and device in stage.seam.locks.list()
    assert stage.seam.locks.get(device_id=stage.door) == device


def list_device_providers(stage: Stage) -> None:
    assert stage.seam.devices.list_device_providers() == []


def report_provider_metadata(stage: Stage) -> None:
    zone = {"device_id": stage.door, "ultraloq_metadata": {"time_zone": "Europe/Vienna"}}
    stage.seam.devices.report_provider_metadata(devices=[zone])
    assert stage.seam.devices.get(device_id=stage.door).location.timezone == "Europe/Vienna"


def stands(stage: Stage, error_code: str) -> bool:
    device = stage.seam.devices.get(device_id=stage.door)
    return error_code in [it.error_code for it in device.errors]


def cable(error_code: str, take: str, give: str) -> Callable[[Stage], None]:
    """What takes a keypad away and gives it back; an error stands on it meanwhile."""

    def call(stage: Stage) -> None:
        simulate, before = stage.seam.devices.simulate, stage.command.mark()
        getattr(simulate, take)(device_id=stage.door)
        stage.command.event("device.disconnected", after=before)
        assert stands(stage, error_code)
        getattr(simulate, give)(device_id=stage.door)
        stage.command.event("device.connected", after=before)
        assert not stands(stage, error_code)

    return call


PLUG = cable("device_disconnected", "disconnect", "connect")
HUB = cable("hub_disconnected", "disconnect_from_hub", "connect_to_hub")
REMOVAL = cable("device_removed", "remove", "connect")


def paid_subscription(stage: Stage) -> None:
    pay = stage.seam.devices.simulate.paid_subscription
    for is_expired in (True, False):
        pay(device_id=stage.door, is_expired=is_expired)
        assert stands(stage, "subscription_required") is is_expired


def leave_alone_and_manage(stage: Stage) -> None:
    devices, asked = stage.seam.devices, {"device_id": stage.other_door}
    for code in stage.seam.access_codes.list(**asked):
        stage.delete(code.access_code_id)
    devices.update(**asked, is_managed=False)
    refused(404, "device_not_found", devices.get, **asked)
    assert devices.unmanaged.get(**asked).is_managed is False
    assert [it.device_id for it in devices.unmanaged.list()] == [stage.other_door]
    devices.unmanaged.update(**asked, is_managed=True)
    assert devices.get(**asked).is_managed


def update_device(stage: Stage) -> None:
    devices, asked = stage.seam.devices, {"device_id": stage.door}
    devices.update(**asked, name="Side door", custom_metadata={"floor": "3"})
    (device,) = devices.list(custom_metadata_has={"floor": "3"})
    assert (device.device_id, device.nickname) == (stage.door, "Side door")


def get_event(stage: Stage) -> None:
    id_ = stage.code()
    events = stage.seam.events.list(since=EARLIEST, access_code_id=id_)
    assert [it.event_type for it in events] == ["access_code.created", "access_code.set_on_device"]
    assert stage.seam.events.get(event_id=events[0].event_id) == events[0]


def lock_and_unlock(stage: Stage) -> None:
    for move in (stage.seam.locks.unlock_door, stage.seam.locks.lock_door):
        assert move(device_id=stage.door).status == "success"


def keypad_code_entry(stage: Stage) -> None:
    id_ = stage.code()
    pin = stage.seam.access_codes.get(access_code_id=id_).code
    attempt = stage.seam.locks.simulate.keypad_code_entry(device_id=stage.door, code=pin)
    assert attempt.status == "success"
    stage.command.event("lock.unlocked", id_)


def manual_lock_via_keypad(stage: Stage) -> None:
    call = stage.seam.locks.simulate.manual_lock_via_keypad
    refused(400, "device_type_not_supported", call, device_id=stage.door)


def webhooks(stage: Stage) -> None:
    hooks, made = stage.seam.webhooks, stage.webhook()
    asked = {"webhook_id": made.webhook_id}
    assert hooks.get(**asked) == made
    hooks.update(**asked, event_types=["lock.unlocked"])
    (listed,) = [it for it in hooks.list() if it.webhook_id == made.webhook_id]
    assert listed.event_types == ["lock.unlocked"]
    for _ in range(2):  # as an SDK does when the answer is lost
        hooks.delete(**asked)
    refused(404, "webhook_not_found", hooks.get, **asked)


def workspaces(stage: Stage) -> None:
    workspace = stage.seam.workspaces.get()
    assert workspace.is_sandbox
    assert stage.seam.workspaces.list() == [workspace]


CALLS: dict[str, Callable[[Stage], None]] = {
    "access_codes.create": create,
    "access_codes.create_multiple": create_multiple,
    "access_codes.delete": delete,
    "access_codes.generate_code": generate_code,
    "access_codes.get": get,
    "access_codes.list": list_codes,
    "access_codes.pull_backup_access_code": pull_backup_access_code,
    "access_codes.report_device_constraints": report_device_constraints,
    "access_codes.simulate.create_unmanaged_access_code": create_unmanaged_access_code,
    "access_codes.unmanaged.convert_to_managed": convert_to_managed,
    "access_codes.unmanaged.delete": delete_unmanaged,
    "access_codes.unmanaged.get": create_unmanaged_access_code,
    "access_codes.unmanaged.list": list_unmanaged,
    "access_codes.unmanaged.update": update_unmanaged,
    "access_codes.update": update,
    "access_codes.update_multiple": update_multiple,
    "action_attempts.get": get_attempt,
    "action_attempts.list": get_attempt,
    "connected_accounts.delete": delete_account,
    "connected_accounts.get": get_account,
    "connected_accounts.list": get_account,
    "connected_accounts.simulate.disconnect": disconnect_account,
    "connected_accounts.sync": disconnect_account,
    "connected_accounts.update": update_account,
    "devices.get": get_device,
    "devices.list": get_device,
    "devices.list_device_providers": list_device_providers,
    "devices.report_provider_metadata": report_provider_metadata,
    "devices.simulate.connect": PLUG,
    "devices.simulate.connect_to_hub": HUB,
    "devices.simulate.disconnect": PLUG,
    "devices.simulate.disconnect_from_hub": HUB,
    "devices.simulate.paid_subscription": paid_subscription,
    "devices.simulate.remove": REMOVAL,
    "devices.unmanaged.get": leave_alone_and_manage,
    "devices.unmanaged.list": leave_alone_and_manage,
    "devices.unmanaged.update": leave_alone_and_manage,
    "devices.update": update_device,
    "events.get": get_event,
    "events.list": get_event,
    "locks.get": get_device,
    "locks.list": get_device,
    "locks.lock_door": lock_and_unlock,
    "locks.simulate.keypad_code_entry": keypad_code_entry,
    "locks.simulate.manual_lock_via_keypad": manual_lock_via_keypad,
    "locks.unlock_door": lock_and_unlock,
    "webhooks.create": webhooks,
    "webhooks.delete": webhooks,
    "webhooks.get": webhooks,
    "webhooks.list": webhooks,
    "webhooks.update": webhooks,
    "workspaces.get": workspaces,
    "workspaces.list": workspaces,
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running(tmp_path_factory.mktemp("conformance")) as command:
        ready = command.ready()
        seam = Seam(api_key=ready["api_key"], endpoint=ready["endpoint"])
        door, other_door = (it["device_id"] for it in ready["keypads"])
        stage = Stage(command, seam, door, other_door)
        seam.client.event_hooks["response"].append(stage.check)
        yield stage


def test_every_method_of_the_installed_sdk_is_called() -> None:
    assert CALLS.keys() == METHODS - NOT_SERVED
    assert METHODS >= NOT_SERVED


def test_reply_that_is_not_as_the_contract_says_is_found(stage: Stage) -> None:
    reply = stage.seam.client.get("/devices/get", params={"device_id": stage.door})
    assert findings("/devices/get", "get", reply) == []
    for wrong in ({"created_at": None}, {"errors": [{"error_code": "unheard_of"}]}, {"is_managed": False}):
        assert findings("/devices/get", "get", {**reply, "device": reply["device"] | wrong}), wrong


@pytest.mark.parametrize("method", sorted(CALLS))
def test_method_does_what_it_says(stage: Stage, method: str) -> None:
    stage.problems.clear()
    stage.paths.clear()
    CALLS[method](stage)
    assert "/" + method.replace(".", "/") in stage.paths
    assert stage.problems == []


@pytest.mark.parametrize("method", sorted(NOT_SERVED))
def test_method_that_is_not_served_is_refused_in_the_envelope(stage: Stage, method: str) -> None:
    group, name = method.split(".")
    call = getattr(getattr(stage.seam, group), name)
    needed = [it.name for it in inspect.signature(call).parameters.values() if it.default is it.empty]
    refused(404, "not_found", call, **dict.fromkeys(needed, stage.door))
