"""Bad requests to the running system: each is refused by the SDK's exception, and no keypad notices."""

from collections.abc import Callable

import pytest
from hil_world import World
from seam import SeamHttpInvalidInputError


@pytest.fixture(scope="module")
def world(shared: World) -> World:
    return shared


@pytest.fixture(scope="module")
def code_id(world: World) -> str:
    return world.create(code="482913")


def operations(world: World) -> int:
    """Flash operations of the keypad since its start."""
    with world.keypad.bench() as bench:
        return int(bench.ask(flash=True)["operations"])


@pytest.fixture(scope="module")
def settled(world: World, code_id: str) -> int:
    """Flash operations once the keypad holds its one code: a late write shows in the next test."""
    return operations(world)


@pytest.fixture(scope="module")
def codes(world: World, code_id: str) -> list[object]:
    """All codes before the first bad request."""
    found: list[object] = world.seam.access_codes.list(device_id=world.device_id)
    assert found
    return found


DAY, NEXT_DAY = "2099-01-01T00:00:00Z", "2099-01-02T00:00:00Z"

REFUSED: dict[str, tuple[str, Callable[[World, str], object]]] = {
    "letters in the code": (
        "code",
        lambda w, _: w.seam.access_codes.create(device_id=w.device_id, code="12a4"),
    ),
    "code too short": ("code", lambda w, _: w.seam.access_codes.create(device_id=w.device_id, code="123")),
    "code too long": ("code", lambda w, _: w.seam.access_codes.create(device_id=w.device_id, code="1" * 13)),
    "code of another script": (
        "code",
        lambda w, _: w.seam.access_codes.create(device_id=w.device_id, code="١٢٣٤"),
    ),
    "code as a number": ("code", lambda w, _: w.seam.access_codes.create(device_id=w.device_id, code=4711)),
    "name too long": ("name", lambda w, _: w.seam.access_codes.create(device_id=w.device_id, name="x" * 256)),
    "device id of no form": ("device_id", lambda w, _: w.seam.access_codes.create(device_id="front door")),
    "window without an end": (
        "ends_at",
        lambda w, _: w.seam.access_codes.create(device_id=w.device_id, starts_at=DAY),
    ),
    "window without a start": (
        "starts_at",
        lambda w, _: w.seam.access_codes.create(device_id=w.device_id, ends_at=DAY),
    ),
    "window that ends before it starts": (
        "ends_at",
        lambda w, _: w.seam.access_codes.create(device_id=w.device_id, starts_at=NEXT_DAY, ends_at=DAY),
    ),
    "window without a time zone": (
        "starts_at",
        lambda w, _: w.seam.access_codes.create(device_id=w.device_id, starts_at=DAY[:-1], ends_at=NEXT_DAY),
    ),
    "window that is over": (
        "ends_at",
        lambda w, _: w.seam.access_codes.create(
            device_id=w.device_id, starts_at="2001-01-01T00:00:00Z", ends_at="2001-01-02T00:00:00Z"
        ),
    ),
    "code from an algorithm": (
        "is_offline_access_code",
        lambda w, _: w.seam.access_codes.create(device_id=w.device_id, is_offline_access_code=True),
    ),
    "update to a short code": (
        "code",
        lambda w, id_: w.seam.access_codes.update(access_code_id=id_, code="1"),
    ),
    "update to half a window": (
        "ends_at",
        lambda w, id_: w.seam.access_codes.update(access_code_id=id_, starts_at=DAY),
    ),
    "update to an unknown type": (
        "type",
        lambda w, id_: w.seam.access_codes.update(access_code_id=id_, type="weekly"),
    ),
    "keys that no keypad has": (
        "code",
        lambda w, _: w.seam.locks.simulate.keypad_code_entry(device_id=w.device_id, code="47#11"),
    ),
    "unmanaged code too long to type": (
        "code",
        lambda w, _: w.seam.access_codes.simulate.create_unmanaged_access_code(
            device_id=w.device_id, name="Key", code="123456789"
        ),
    ),
}


@pytest.mark.parametrize(("field", "request_"), REFUSED.values(), ids=REFUSED)
def test_bad_request_names_its_field_and_costs_the_keypad_nothing(
    world: World,
    code_id: str,
    codes: list[object],
    settled: int,
    field: str,
    request_: Callable[[World, str], object],
) -> None:
    with pytest.raises(SeamHttpInvalidInputError) as caught:
        request_(world, code_id)
    assert caught.value.status_code == 400
    assert caught.value.get_validation_error_messages(field)
    assert operations(world) == settled
    assert world.seam.access_codes.list(device_id=world.device_id) == codes


def test_keypad_works_as_before_after_all_bad_requests(
    world: World, codes: list[object], settled: int
) -> None:
    assert world.seam.access_codes.list(device_id=world.device_id) == codes
    with world.keypad.bench() as bench:
        assert bench.opens("482913")
    assert operations(world) > settled  # its entry in the journal: the count does count
