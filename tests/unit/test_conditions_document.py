"""The page on errors and warnings has a row for each that can stand, by what it stands on."""

import re
from collections import Counter
from pathlib import Path

from doorpad.store.catalogue import (
    ACCOUNT,
    BRIDGE,
    CODE_WARNINGS,
    DEVICE_WARNINGS,
    ERRORS,
    OTHER_ERRORS,
    OTHER_WARNINGS,
)

PAGE = (Path(__file__).parents[2] / "docs" / "conditions.md").read_text()
HEADINGS = {
    "access_code": "Errors of an access code",
    "device": "Errors of a device",
    ACCOUNT: "Errors of the hub",
    BRIDGE: "Errors of the hub",
}


def test_page_has_each_condition_once_under_its_subject() -> None:
    told = Counter(
        (part.splitlines()[0], name)
        for part in PAGE.split("\n## ")[1:]
        for name in re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)
    )
    known = [(HEADINGS[condition.subject], name) for name, condition in ERRORS.items()]
    known += [("Warnings of an access code", name) for name in CODE_WARNINGS]
    known += [("Warnings of a device", name) for name in DEVICE_WARNINGS]
    assert told == Counter(known)


def test_page_tells_what_only_the_vocabulary_of_2026_has() -> None:
    part = PAGE.partition("\n## In the vocabulary of 2026")[2]
    told = set(re.findall(r"^\| (?:code|device) \| `(\w+)`", part, re.MULTILINE))
    of_2026 = {name for name, it in (OTHER_ERRORS | OTHER_WARNINGS).items() if it.schemas == "P"}
    in_place_of_others = {
        "conflicting_external_modification",
        "external_modification_in_effect",
        "provider_issue",
        "unknown_issue_with_access_code",
    }
    assert told == of_2026 - in_place_of_others
