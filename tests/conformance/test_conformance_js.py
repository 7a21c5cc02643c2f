"""The official JavaScript SDK against `doorpad demo`, each reply held against the schemas published with it.

Two worlds: the vocabulary of 2025, the hub's own, with the release of `@seamapi/types` that is nearest to it; and
that of 2026 with the newest release. What a case does stands in `js/cases`.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from demonstration import demo, run
from node import JS

CONTRACT = json.loads((Path(__file__).parent.parent / "api" / "seam_contract.json").read_text())
TYPES = {"2025": "types-1721", "2026": "types-1977"}

CASES = [
    f"{file.stem}.{name}"
    for file in sorted((JS / "cases").glob("*.mjs"))
    for name in re.findall(r"^export async function (\w+)", file.read_text(), re.MULTILINE)
]

# Paths whose work these keypads cannot do; `locks.calls_work_as_the_device_says_it_can` sees them refused.
REFUSED = {
    "/locks/simulate/manual_lock_via_keypad",
    # Of what is in use; `hub.hub_and_its_keypads_are_not_deleted`.
    "/connected_accounts/delete",
    "/devices/delete",
}

# Of the SDK's groups that are served, what is outside of the contract.
NOT_SERVED = {
    "/locks/configure_auto_lock",
    "/workspaces/create",
    "/workspaces/reset_sandbox",
    "/workspaces/update",
}
GROUPS = {path.split("/")[1] for path in CONTRACT["paths"]}


@dataclass(frozen=True)
class Ran:
    """What the cases told: what was wrong, by case; the verbs that were answered, by path; the SDK's paths."""

    findings: dict[str, list[str]]
    answered: dict[str, list[str]]
    methods: list[str]


@pytest.fixture(scope="session", params=TYPES)
def ran(request: pytest.FixtureRequest, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    vocabulary = request.param
    with demo(tmp_path_factory.mktemp("conformance"), "--errors-vocabulary", vocabulary) as ready:
        told = [json.loads(line) for line in run(packages, "run.mjs", ready, TYPES[vocabulary]).splitlines()]
    findings = {it["case"]: it["findings"] for it in told if "case" in it}
    return Ran(findings, told[-1]["answered"], told[-1]["methods"])


@pytest.mark.parametrize("case", CASES)
def test_sdk_and_schemas_accept(ran: Ran, case: str) -> None:
    assert ran.findings[case] == []


def test_every_path_of_the_contract_is_called(ran: Ran) -> None:
    assert ran.findings.keys() == set(CASES)
    assert ran.answered.keys() | REFUSED >= CONTRACT["paths"].keys()


def test_every_method_of_the_installed_sdk_is_called(ran: Ran) -> None:
    """If a new release has another one, this shows that the cases have to follow."""
    methods = {path for path in ran.methods if path.split("/")[1] in GROUPS}
    assert methods - ran.answered.keys() - REFUSED == NOT_SERVED
    assert len(methods) > 50


def test_sdk_of_today_uses_the_verbs_of_today(ran: Ran) -> None:
    """If a new release sends another verb, this shows that the contract has to follow."""
    for path, verbs in ran.answered.items():
        assert {it.lower() for it in verbs} <= CONTRACT["paths"][path].keys(), path
