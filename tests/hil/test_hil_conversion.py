"""Taking over a code while a person is at the keypad with it: done whole, or nothing of what he did is lost."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import pytest
from held_adoption import Held
from hil_world import Bench, World, running

PIN, OTHER_PIN = "736450", "481592"
CREATED, REMOVED = "access_code.unmanaged.created", "access_code.unmanaged.removed"
CONVERTED = "access_code.unmanaged.converted_to_managed"
FAILED = "access_code.unmanaged.failed_to_convert_to_managed"
When = Literal["away", "before", "answer lost"]


@dataclass(frozen=True)
class Hub:
    """A bridge that waits for the test where it takes codes over."""

    world: World
    held: Held

    @contextmanager
    def converting(self, code_id: str, when: When) -> Iterator[str]:
        """The block is what happens while the conversion is under way; it gets the attempt's id."""
        if when == "away":
            self.unplug()
            yield self._ask(code_id)
            self.plug_in()
            return
        attempt_id = self._ask(code_id)
        with self.held.at("before"):
            if when == "before":
                yield attempt_id
        with self.held.at("after", "go" if when == "before" else "lost"):
            if when == "answer lost":
                yield attempt_id

    def _ask(self, code_id: str) -> str:
        path = "/access_codes/unmanaged/convert_to_managed"
        attempt = self.world.seam.client.post(path, json={"access_code_id": code_id})["action_attempt"]
        assert attempt["status"] == "pending"
        return str(attempt["action_attempt_id"])

    def unplug(self) -> None:
        mark = self.world.bridge.mark()
        self.world.seam.devices.simulate.disconnect(device_id=self.world.device_id)
        self.world.bridge.link("disconnected", self.world.device_id, after=mark)

    def plug_in(self) -> None:
        self.world.seam.devices.simulate.connect(device_id=self.world.device_id)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("conversion")
    held = Held(folder / "held")
    with running(folder, timing="poll_s = 600.0", program=held.arguments) as world:
        yield Hub(world, held)
    held.close()


@pytest.fixture
def bench(hub: Hub) -> Iterator[Bench]:
    with hub.world.keypad.bench() as bench:
        yield bench


@pytest.fixture
def code_id(hub: Hub, bench: Bench) -> Iterator[str]:
    """A code that was made at the keypad. None is left there afterwards."""
    mark = hub.world.bridge.mark()
    bench.ask(program=PIN)
    yield str(hub.world.bridge.event(CREATED, after=mark)["access_code_id"])
    for list_, delete, gone in (
        (hub.world.seam.access_codes.list, hub.world.seam.access_codes.delete, "access_code.deleted"),
        (
            hub.world.seam.access_codes.unmanaged.list,
            hub.world.seam.access_codes.unmanaged.delete,
            REMOVED,
        ),
    ):
        for code in list_(device_id=hub.world.device_id):
            delete(access_code_id=code.access_code_id)
            hub.world.bridge.event(gone, code.access_code_id)


def takes_it_off(hub: Hub, bench: Bench) -> None:
    bench.ask(unprogram=PIN)


def gives_another_pin(hub: Hub, bench: Bench) -> None:
    bench.ask(press=f"{hub.world.master_pin}#3#{PIN}#{OTHER_PIN}#*")


def makes_it_anew(hub: Hub, bench: Bench) -> None:
    bench.ask(unprogram=PIN)
    bench.ask(program=PIN)


@pytest.mark.parametrize("when", ["before", "answer lost"])
def test_code_opens_in_every_moment_of_its_conversion(
    hub: Hub, bench: Bench, code_id: str, when: When
) -> None:
    before = hub.world.unmanaged_place(code_id)
    with hub.converting(code_id, when) as attempt_id:
        assert bench.opens(PIN)
    hub.world.bridge.event(CONVERTED, code_id)
    assert bench.opens(PIN)
    assert hub.world.seam.action_attempts.get(action_attempt_id=attempt_id).status == "success"
    code = hub.world.seam.access_codes.get(access_code_id=code_id)
    assert (code.status, code.code, code.errors, code.warnings) == ("set", PIN, [], [])
    place = hub.world.place(code_id)
    assert (place["slot"], place["generation"]) == (before["slot"], before["generation"] + 1)  # one write
    changes = [it for it in hub.world.event_types(code_id) if it.startswith("access_code.")]
    assert changes == [CREATED, CONVERTED]


@pytest.mark.parametrize(
    ("person", "left", "when"),
    [
        (takes_it_off, [], "before"),
        (takes_it_off, [], "answer lost"),
        (gives_another_pin, [OTHER_PIN], "away"),
        (gives_another_pin, [OTHER_PIN], "before"),
        (gives_another_pin, [OTHER_PIN], "answer lost"),
        (makes_it_anew, [PIN], "before"),
    ],
)
def test_what_a_person_does_meanwhile_stands(
    hub: Hub,
    bench: Bench,
    code_id: str,
    person: Callable[[Hub, Bench], None],
    left: list[str],
    when: When,
) -> None:
    mark = hub.world.bridge.mark()
    with hub.converting(code_id, when) as attempt_id:
        person(hub, bench)
        assert all(bench.opens(pin) for pin in left)
    failed = hub.world.bridge.event(FAILED, code_id, after=mark)
    assert (failed["error_code"], failed["change_type"]) == ("code_modified_external_to_seam", "removed")
    attempt = hub.world.seam.action_attempts.get(action_attempt_id=attempt_id, wait_for_action_attempt=False)
    assert (attempt.status, attempt.error.type) == ("error", "code_modified_external_to_seam")
    hub.world.bridge.event(REMOVED, code_id, after=mark)
    changes = [it for it in hub.world.event_types(code_id) if it.startswith("access_code.")]
    assert changes == [CREATED, FAILED, REMOVED]
    (told,) = hub.world.events(event_ids=[failed["event_id"]])
    assert [it.error_code for it in told.access_code_errors] == ["code_modified_external_to_seam"]
    # Nothing more is to come: what the hub had to write has been written when this is on the keypad.
    hub.world.create(code="902817")
    now = hub.world.seam.access_codes.unmanaged.list(device_id=hub.world.device_id)
    assert [(it.code, it.errors) for it in now] == [(pin, []) for pin in left]
    for it in now:
        assert [e for e in hub.world.event_types(it.access_code_id) if e.startswith("access_code.")] == [
            CREATED
        ]
        assert hub.world.unmanaged_place(it.access_code_id)["maker"] == "keypad"
    managed = hub.world.seam.access_codes.list(device_id=hub.world.device_id)
    assert [it.code for it in managed] == ["902817"]
    assert [pin for pin in (PIN, OTHER_PIN, "902817") if bench.opens(pin)] == [*left, "902817"]
