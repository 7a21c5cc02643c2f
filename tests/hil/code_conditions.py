"""What is wrong with one access code: each is brought about on a running keypad, and ended."""

from datetime import UTC, datetime, timedelta

import pytest
from condition_row import Door, Row, Scenario
from doorpad.store.brands import PROFILES
from doorpad.store.profile_names import ProfileName
from seam import SeamHttpApiError


def full_table(profile: ProfileName) -> Scenario:
    """One code more than the brand's keypad takes; then one is deleted."""

    def scenario(row: Row) -> None:
        door = row.door(profile)
        held = [door.code(code=f"{8_0000 + 7 * n:05}"[-5:]) for n in range(PROFILES[profile].slots)]
        for id_ in held:
            row.world.bridge.event("access_code.set_on_device", id_)
        more = door.code(code="59317")
        row.appears(lambda: door.of_code(more))
        assert door.of_device()["doorpad"]["full_since"] is not None
        for id_ in held:
            door.ask("/access_codes/delete", access_code_id=id_)
        row.goes(lambda: door.of_code(more))
        for id_ in held:
            row.world.bridge.event("access_code.deleted", id_)
        assert door.of_device()["doorpad"]["full_since"] is None
        door.delete(more)

    return scenario


def refused_by_flash(profile: ProfileName, times: int) -> Scenario:
    """The keypad refuses the code so often, because its flash takes nothing; then it takes it."""

    def scenario(row: Row) -> None:
        door = row.door(profile)
        with door.worn_out():
            id_ = door.code(code="482913")
            row.world.bridge.event("access_code.failed_to_set_on_device", id_)
            for told in range(2, times + 1):
                door.wake()
                row.until(
                    lambda: row.world.said.count(f"refused access code {id_}"),
                    lambda now, least=told: now >= least,
                )
            row.appears(lambda: door.of_code(id_))
        door.wake()
        row.goes(lambda: door.of_code(id_))
        door.delete(id_)

    return scenario


def away(profile: ProfileName) -> Scenario:
    """A code is asked for while the keypad is unplugged."""

    def scenario(row: Row) -> None:
        door = row.door(profile)
        with door.unplugged():
            id_ = door.code(code="482913")
            row.appears(lambda: door.of_code(id_))
        row.goes(lambda: door.of_code(id_))
        door.delete(id_)

    return scenario


def twenty_waiting(row: Row) -> None:
    door = row.door("igloohome")
    with door.unplugged():
        ids = [door.code(code=f"{7_0000 + 11 * n}") for n in range(20)]
        row.appears(lambda: door.of_code(ids[0]))
    for id_ in ids:
        row.world.bridge.event("access_code.set_on_device", id_)
    row.goes(lambda: door.of_code(ids[0]))
    for id_ in ids:
        door.delete(id_)


def same_name(row: Row) -> None:
    door = row.door("wyze")
    first = door.set_code(code="482913", name="Cleaner")
    second = door.set_code(code="591024", name="Cleaner")
    row.appears(lambda: door.of_code(second))
    door.ask("/access_codes/update", access_code_id=first, name="Cleaner 1")
    row.goes(lambda: door.of_code(second))
    door.delete(first)
    door.delete(second)


def pin_of_the_master(profile: ProfileName) -> Scenario:
    """The PIN is one that the keypad knows and the hub cannot: its master PIN."""

    def scenario(row: Row) -> None:
        door = row.door(profile)
        id_ = door.code(code=door.master_pin())
        row.world.bridge.event("access_code.failed_to_set_on_device", id_)
        row.appears(lambda: door.of_code(id_))
        door.ask("/access_codes/update", access_code_id=id_, code="482913")
        row.goes(lambda: door.of_code(id_))
        door.delete(id_)

    return scenario


def pin_made_at_the_keypad(row: Row) -> None:
    """Somebody gave the PIN at the keypad while it was unplugged; the hub learns of it when it writes its own."""
    door = row.door("august")
    with door.bench() as bench:
        with door.unplugged():
            bench.ask(program="5823")
            id_ = door.code(code="5823")
        row.appears(lambda: door.of_code(id_))
        bench.ask(unprogram="5823")
    row.goes(lambda: door.of_code(id_))
    door.delete(id_)


def no_level(row: Row) -> None:
    door = row.door("dormakaba_oracode")
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    end = start + timedelta(days=31)
    id_ = door.set_code(starts_at=start.isoformat(), ends_at=end.isoformat())
    row.appears(lambda: door.of_code(id_))
    door.ask("/access_codes/update", access_code_id=id_, ends_at=(start + timedelta(days=30)).isoformat())
    row.goes(lambda: door.of_code(id_))
    door.delete(id_)


def length_outside(row: Row) -> None:
    door = row.door("august")
    id_ = door.set_code(code="4829")
    report = "/access_codes/report_device_constraints"
    door.ask(report, device_id=door.device_id, supported_code_lengths=[6])
    row.appears(lambda: door.of_code(id_))
    door.ask("/access_codes/update", access_code_id=id_, code="482913")
    row.goes(lambda: door.of_code(id_))
    door.ask(report, device_id=door.device_id, supported_code_lengths=[4, 5, 6])
    door.delete(id_)


def answer_lost(row: Row) -> None:
    """The keypad has the code, and the cable is pulled within its answer."""
    door = Door(row.still, row.still.keypad)
    with door.bench() as bench:

        def carried() -> int:
            count: int = bench.ask(about=True)["carried"][1]
            return count

        def look() -> int:
            before = carried()
            door.wake()
            answer_bytes: int = row.until(carried, lambda now: now > before) - before
            for _ in range(50):  # the hub, which does one thing at a time, has come to rest meanwhile
                door.of_device()
            return answer_bytes

        look_bytes, before = look(), 0
        while look_bytes != before:  # until nothing but that is on the line
            look_bytes, before = look(), look_bytes
        mark = row.still.bridge.mark()
        # The hub looks at the keypad, and then writes to it: the second answer is the one that is lost.
        bench.ask(cut_after=look_bytes + 6, to="hub")
        id_ = door.code(code="482913")
        row.still.bridge.link("disconnected", door.device_id, after=mark)
        assert bench.opens("482913")
        row.appears(lambda: door.of_code(id_))
        door.plug_in(bench)
    row.goes(lambda: door.of_code(id_))
    door.delete(id_)


def asked_for_twice(row: Row) -> None:
    """Another code is refused the PIN of this one."""
    door = row.door("generic")
    id_ = door.set_code(code="482913")
    with pytest.raises(SeamHttpApiError):
        door.code(code="482913")
    row.appears(lambda: door.of_code(id_))
    door.ask("/access_codes/update", access_code_id=id_, code="591024")
    row.goes(lambda: door.of_code(id_))
    door.delete(id_)


def taken_off_at_the_keypad(*, allowed: bool) -> Scenario:
    def scenario(row: Row) -> None:
        door = row.door("generic")
        id_ = door.set_code(code="591024", is_external_modification_allowed=allowed)
        with door.bench() as bench:
            bench.ask(unprogram="591024")
        row.appears(lambda: door.of_code(id_))
        door.ask("/access_codes/update", access_code_id=id_, code="482913")
        row.goes(lambda: door.of_code(id_))
        door.delete(id_)

    return scenario


def taken_off_again_and_again(row: Row) -> None:
    door = row.door("generic")
    id_ = door.set_code(code="591024")
    with door.bench() as bench:
        for is_first in (True, False):
            mark = row.world.bridge.mark()
            bench.ask(unprogram="591024")
            row.world.bridge.event("access_code.deleted_external_to_seam", id_, after=mark)
            if is_first:
                row.world.bridge.event("access_code.set_on_device", id_, after=mark)
    row.appears(lambda: door.of_code(id_))
    row.appears(door.of_device)
    row.world.bridge.event("device.third_party_integration_detected")
    door.ask("/access_codes/update", access_code_id=id_, code="482913")
    row.goes(lambda: door.of_code(id_))
    row.goes(door.of_device)
    row.world.bridge.event("device.third_party_integration_no_longer_detected")
    door.delete(id_)


def unused_offline_code(row: Row) -> None:
    """Somebody is given a PIN that the lock made up, and opens with it."""
    door = row.door("igloohome")
    id_ = door.set_code(is_offline_access_code=True)
    row.appears(lambda: door.of_code(id_))
    with door.bench() as bench:
        assert bench.opens(door.of_code(id_)["code"])
    row.goes(lambda: door.of_code(id_))
    door.delete(id_)


def unplugged_removal(profile: ProfileName) -> Scenario:
    def scenario(row: Row) -> None:
        door = row.door(profile)
        id_ = door.set_code(code="482913")
        with door.unplugged():
            door.ask("/access_codes/delete", access_code_id=id_)
            row.appears(lambda: door.of_code(id_))
        row.world.bridge.event("access_code.deleted", id_)

    return scenario
