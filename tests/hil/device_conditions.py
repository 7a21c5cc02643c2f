"""What is wrong with a keypad as a whole: its line, its parts, its clock, its spare codes."""

from datetime import UTC, datetime, timedelta

from condition_row import Door, Row, Scenario
from doorpad.store.brands import PROFILES
from doorpad.store.profile_names import ProfileName
from other_firmware import build, update


def device_away(profile: ProfileName) -> Scenario:
    def scenario(row: Row) -> None:
        door = row.door(profile)
        id_ = door.set_code(code="482913")
        with door.unplugged():
            row.appears(door.of_device)
            row.appears(lambda: door.of_code(id_))  # inherited
        row.goes(door.of_device)
        row.goes(lambda: door.of_code(id_))
        door.delete(id_)

    return scenario


def silent(row: Row) -> None:
    door = row.door("generic")
    with door.bench() as bench:
        bench.ask(cable="silent")
        row.appears(door.of_device)
        bench.ask(cable="in")
    row.goes(door.of_device)


def lost_three_times(row: Row) -> None:
    door = row.door("generic")
    for _ in range(3):
        with door.unplugged():
            pass
    row.appears(door.of_device)
    row.world.bridge.event("device.connection_became_flaky")
    row.goes(door.of_device)
    row.world.bridge.event("device.connection_stabilized")


def reported(profile: ProfileName, what: str) -> Scenario:
    """The device says so of itself, until it is over."""

    def scenario(row: Row) -> None:
        door = row.door(profile)
        with door.bench() as bench:
            bench.ask(plays=what, active=True)
            row.appears(door.of_device)
            bench.ask(plays=what, active=False)
        row.goes(door.of_device)

    return scenario


def stuck_key(row: Row) -> None:
    door = Door(row.world, row.world.keypads[-1])
    id_ = door.set_code(code="482913")
    row.appears(lambda: door.of_code(id_))
    with door.bench() as bench:
        bench.ask(switch="5", down=False)
    row.goes(lambda: door.of_code(id_))
    door.delete(id_)


def clock_ahead(row: Row) -> None:
    """The keypad has seen a later time than the hub's, and lost it with its power: it trusts neither."""
    door = row.door("generic")
    start = datetime.now(UTC) - timedelta(hours=1)
    id_ = door.set_code(starts_at=start.isoformat(), ends_at=(start + timedelta(days=1)).isoformat())
    with door.bench() as bench:
        bench.ask(skew_s=66)
        assert not bench.opens("0000")  # the journal has the time now
        bench.ask(power="off")
        bench.ask(power="on")
        row.appears(door.of_device)
        row.world.clock.move(10)  # near enough: the keypad's journal is less than a minute ahead now
        bench.ask(power="off")
        bench.ask(power="on")
    row.goes(door.of_device)
    row.world.clock.move(0)
    door.delete(id_)


def stay() -> dict[str, str]:
    """The window of a code that has begun and ends in an hour, on a device that shall keep spare ones."""
    now = datetime.now(UTC)
    return {
        "starts_at": (now - timedelta(minutes=1)).isoformat(),
        "ends_at": (now + timedelta(hours=1)).isoformat(),
    }


def keep_no_spares(door: Door) -> None:
    """The pool of a device ends with its management."""
    door.ask("/devices/update", device_id=door.device_id, is_managed=False)
    door.ask("/devices/unmanaged/update", device_id=door.device_id, is_managed=True)


def no_spare_code_yet(row: Row) -> None:
    door = row.door("lockly")
    with door.unplugged():
        id_ = door.code(use_backup_access_code_pool=True, **stay())
        row.appears(door.of_device)
        row.appears(lambda: door.of_code(id_))  # inherited
    row.goes(door.of_device)
    row.goes(lambda: door.of_code(id_))
    door.delete(id_)
    keep_no_spares(door)


def room_for_one_spare_code(row: Row) -> None:
    door = row.door("salto_ks")
    held = [door.set_code(**stay()) for _ in range(PROFILES["salto_ks"].slots - 2)]
    id_ = door.set_code(use_backup_access_code_pool=True, **stay())
    row.appears(door.of_device)
    door.delete(held.pop())
    door.delete(held.pop())
    row.goes(door.of_device)
    for it in (*held, id_):
        door.delete(it)
    keep_no_spares(door)


def three_pulled(row: Row) -> None:
    door = row.door("dormakaba_oracode")
    ids = [door.set_code(use_backup_access_code_pool=True, **stay()) for _ in range(3)]
    for id_ in ids:
        row.until(lambda id_=id_: door.of_code(id_)["is_backup_access_code_available"], bool)
        door.ask("/access_codes/pull_backup_access_code", access_code_id=id_)
    row.appears(door.of_device)
    for id_ in ids:
        door.delete(id_)  # with what was pulled for it
    row.goes(door.of_device)
    keep_no_spares(door)


def other_firmware(row: Row) -> None:
    """Somebody brings other firmware onto the keypad, and thinks better of it."""
    door = row.door("generic")
    command = update(row.world, build(row.world, "9.8.7"), door.keypad)
    row.appears(door.of_device)
    command.kill()
    row.goes(door.of_device)
