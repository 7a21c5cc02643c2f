"""Whether API, database, keypad and log say what the model does, once all is quiet; and that nobody said a PIN."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import life_look
from doorpad import keyring
from doorpad_link import messages
from hil_world import World
from life_door import Door
from life_events import Told, standing
from life_model import Code, Expected, Terms

_AT_THE_DOOR = ("lock.unlocked", "lock.access_denied")
_MARK = "code_modified_external_to_seam"
_DUPLICATE = "duplicate_code_on_device"
_SLOW = "delay_in_setting_on_device"
_FAILED = "failed_to_set_on_device"
_PREVENTED = "duplicate_code_attempt_prevented"
_REMOVED = "access_code.unmanaged.removed"
_GAVE_UP = "access_code.unmanaged.failed_to_convert_to_managed"


def difference(world: World, door: Door) -> str | None:
    """What the API does not say yet of what the model expects; None: nothing.

    What only the API can tell is taken over into the model: the ids of codes that were made at the keypad, whether
    a conversion has succeeded, and that what was to go is gone.
    """
    expected = door.expected
    paths = "/access_codes/list", "/access_codes/unmanaged/list"
    managed, unmanaged = (_listed(world, door, path) for path in paths)
    log = life_look.events(world, door.keypad, door.log_from)
    removed, gave_up = (
        {it.access_code_id for it in log if it.event_type == type_} for type_ in (_REMOVED, _GAVE_UP)
    )
    for code in expected.codes:
        if code.is_converting:
            if code.code_id not in {*managed, *gave_up}:
                return f"{code} is still to be converted"
            code.is_converting = False
            if code.code_id in managed:
                code.is_converted()
        if not code.is_managed and code.state == "alive" and code.code_id is None:
            new = [id_ for id_, it in unmanaged.items() if it["code"] == code.wanted.pin]
            code.code_id = new[0] if len(new) == 1 else None
    for code in expected.codes:
        listed = (managed if code.is_managed else unmanaged).pop(str(code.code_id), None)
        if code.state == "alive" and listed is None:
            return f"{code} is not listed"
        if code.state != "alive":
            if listed is not None:
                return f"{code} is still listed: {listed}"
            if not code.is_managed and code.code_id is not None and code.code_id not in removed:
                return f"{code} is still to be removed"
        elif listed is not None and (wrong := _misstated(world, expected, code, listed)):
            return f"{code}: {wrong} in {listed}"
    if managed or unmanaged:
        return f"nobody made {managed or unmanaged}"
    spare = life_look.spare(world, door.keypad)
    if len(spare & {it.code_id for it in life_look.mirror(world, door.keypad)}) != door.spare:
        return f"of the spare codes there are {spare}"
    told = sum(it.event_type in _AT_THE_DOOR for it in log)
    if told != len(expected.presses):
        return f"{told} of {len(expected.presses)} entries are in the log"
    return None


def _listed(world: World, door: Door, path: str) -> dict[str, dict[str, Any]]:
    reply = world.seam.client.post(path, json={"device_id": door.keypad.device_id})
    return {it["access_code_id"]: it for it in reply["access_codes"]}


def _misstated(world: World, expected: Expected, code: Code, listed: Mapping[str, Any]) -> str | None:
    now_s = world.clock.now_s()
    is_held = code in expected.held(now_s)
    is_over = code.is_managed and code.is_over(now_s)
    status = "set" if is_held else "setting"
    if is_over or (code.is_managed and code.wanted.is_ahead(now_s)):
        status = "unset"
    if (listed["status"], _terms(listed)) != (status, code.wanted):
        return f"its status, which is {status}, or terms"
    if code.is_managed and code.wanted.is_ahead(now_s) and listed["is_scheduled_on_device"] != is_held:
        return "is_scheduled_on_device"
    needed = {_DUPLICATE} if status == "setting" else set()
    allowed = {_PREVENTED} | ({_MARK} if code.disturbed else set())
    # One whose PIN another one has for so long is late too.
    late = set() if is_held or is_over else {_SLOW, _FAILED}
    found = {it["error_code"] for it in listed["errors"]} - allowed
    if found - late != needed or {it["warning_code"] for it in listed["warnings"]} - late:
        return f"its errors, which are {needed}, or warnings"
    return None


def _terms(listed: Mapping[str, Any]) -> Terms:
    uses = listed["doorpad"]["uses_left"]
    window = (
        None if text is None else int(datetime.fromisoformat(text).timestamp())
        for text in (listed["starts_at"], listed["ends_at"])
    )
    return Terms(listed["code"], *window, once=uses is not None, is_used=uses == 0)


def check_tables(world: World, door: Door, scratch: Path) -> None:
    """The keypad's flash holds what the model does, and the database knows of each slot what is in it.

    Raises:
        AssertionError: not so, or a slot has changed that nobody asked to.
    """
    expected = door.expected
    found = life_look.flash(world, door.keypad, scratch)
    assert found == life_look.mirror(world, door.keypad), "keypad and database differ"
    spare = life_look.spare(world, door.keypad)
    assert len(spare) == door.spare and spare <= {it.code_id for it in found}
    found = [it for it in found if it.code_id not in spare]
    held = {(it.wanted, it.code_id if it.is_managed else None) for it in expected.held(world.clock.now_s())}
    assert {(it.terms, it.code_id) for it in found} == held and len(found) == len(held)
    own = {it.terms: (it.slot, it.version) for it in found if not it.flags & messages.MANAGED}
    for code in expected.alive():
        if not code.is_managed:
            code.place = code.place or own[code.wanted]
            assert own[code.wanted] == code.place, f"the slot of {code} was changed"
    assert world.seam.devices.get(device_id=door.keypad.device_id).errors == []


def check_events(world: World, door: Door) -> None:
    """All that has happened is in the log, once, and the API tells the same. Raises AssertionError."""
    expected = door.expected
    log = life_look.events(world, door.keypad, door.log_from)
    assert not [it for it in log if it.event_type == "doorpad.journal_gap"], "the journal has a gap"
    of_codes: dict[str, list[Told]] = {}
    for event in log:
        if event.event_type.startswith("access_code."):
            of_codes.setdefault(str(event.access_code_id), []).append(event)
    known = {code.code_id for code in expected.codes}
    unseen = of_codes.keys() - known  # made at the keypad and deleted there, while no hub looked
    _check_door([it for it in log if it.event_type in _AT_THE_DOOR], expected, unseen)
    count = Counter(it.event_type for it in log)
    assert count["lock.locked"] <= count["lock.unlocked"], "a strike fell back twice"
    assert count["doorpad.programming"] == expected.dialogues
    assert len(unseen) == sum(code.code_id is None for code in expected.codes), unseen
    for code_id in unseen:
        assert standing(of_codes[code_id]) == "gone", of_codes[code_id]
    now_s = world.clock.now_s()
    for code in expected.codes:
        if code.code_id is not None:
            told = of_codes.get(code.code_id, [])
            _check_life(told, code, expected, now_s)
            shown = {it.event_id for it in world.events(access_code_id=code.code_id, limit=10_000)}
            logged = {it.event_id for it in log if it.access_code_id == code.code_id}
            assert logged <= shown, f"the API does not tell {logged - shown} of {code}"


def _check_door(told: list[Told], expected: Expected, unseen: Iterable[str]) -> None:
    for event, press in zip(told, expected.presses, strict=True):
        meant = {it.code_id for it in press.codes}
        if None in meant:
            meant |= set(unseen)
        if press.event_type == "lock.access_denied":
            meant.add(None)
        assert event.event_type == press.event_type and event.access_code_id in meant, (event, press)


def _check_life(told: list[Told], code: Code, expected: Expected, now_s: int) -> None:
    where = standing(told, gives_way=code.had_rival)
    count = Counter(it.event_type.removeprefix("access_code.") for it in told)
    assert count["changed"] == code.changes, (code, count)
    assert count["backup_access_code_pulled"] == (code.backup is not None), (code, count)
    times = count["deleted_external_to_seam"] + count["modified_external_to_seam"]
    assert times == code.disturbed if code.is_certain else times <= code.disturbed, (code, count)
    if code.state != "alive":
        allowed = {"gone"}
    elif not code.is_managed:
        allowed = {"unmanaged"}
    elif code.is_over(now_s):
        allowed = {"asked", "off"}
    elif code not in expected.held(now_s):
        allowed = {"asked", "off", "scheduled"}
    else:
        allowed = {"scheduled" if code.wanted.is_ahead(now_s) else "set"}
    assert where in allowed, (code, where, [it.event_type for it in told])


def check_silence(world: World, pins: Iterable[str]) -> None:
    """No PIN or key is in what bridges, emulator and keypads have written. Raises AssertionError."""
    texts = [world.said, *map(str, world.told()[1:])]
    texts += [path.read_text(errors="replace") for path in world.data.glob("keypads/*/*.log")]
    keys = [keyring.load(world.data / "keys", keypad.serial).psk for keypad in world.keypads]
    for text in texts:
        for pin in pins:
            hidden = re.search(rf"(?<![0-9a-fA-F]){pin}(?![0-9a-fA-F])|{pin.encode().hex()}", text)
            assert hidden is None, text[max(hidden.start() - 80, 0) : hidden.end() + 20]
        for key in keys:
            assert key.hex() not in text and repr(key)[2:-1] not in text
