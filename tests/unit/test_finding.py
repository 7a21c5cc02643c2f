"""A keypad without a port of its own is looked for on all ports that nobody has, and proves which one it is."""

import asyncio
import os
import pty
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from doorpad.link.errors import LinkDown, NoSession, NotAuthenticated, PortGone, PortUnusable
from doorpad.sync import finding
from doorpad.sync.finding import AGAIN_S, Ports, Search
from doorpad.sync.keypad_port import KeypadPort
from doorpad_link import host
from jumping_loop import JumpingLoop

SERIALS = ("00112233445566aa", "00112233445566bb")


class Plugs:
    """Which keypad is behind which port; greeting another one, or nothing, takes a second."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.behind: dict[str, str | LinkDown] = {}  # name -> serial, or how an attempt there ends
        self.asked: list[tuple[str, str]] = []

    def plug_in(self, name: str, what: str | LinkDown) -> None:
        (self._folder / name).touch()
        self.behind[name] = what

    def pull(self, name: str) -> None:
        (self._folder / name).unlink()
        del self.behind[name]

    async def open_session(self, path: str, baud: int, keys: Path, serial: str, *_: Any, **__: Any) -> Any:
        name = Path(path).name
        self.asked.append((serial, name))
        await asyncio.sleep(1)
        what = self.behind[name]
        if isinstance(what, LinkDown):
            raise what
        if what != serial:
            raise NotAuthenticated(path, host.NOT_ENROLLED)
        return SimpleNamespace(down=None, close=lambda: None), name


@pytest.fixture
def plugs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugs:
    plugs = Plugs(tmp_path)
    monkeypatch.setattr(finding, "open_session", plugs.open_session)
    return plugs


@pytest.fixture
def run() -> Iterator[Callable[[Any], Any]]:
    loop = JumpingLoop()
    yield loop.run_until_complete
    loop.close()


def searches(folder: Path, *named: str) -> list[Search]:
    """One for each keypad, at the ports tty* of a folder."""
    ports = Ports([str(folder / "tty*")], [str(folder / name) for name in named])
    return [
        Search(ports, KeypadPort(serial, "Door", None, 115_200, None, False, False, folder, folder), 3.0)
        for serial in SERIALS
    ]


async def until_found(search: Search) -> Any:
    """As a keeper does: again and again."""
    while True:
        try:
            return await search.open_session()
        except LinkDown:
            await asyncio.sleep(0.25)


def test_two_keypads_that_look_at_once_find_each_their_own_port(tmp_path, plugs, run):
    plugs.plug_in("ttyUSB0", SERIALS[1])
    plugs.plug_in("ttyUSB1", SERIALS[0])

    async def both() -> list[Any]:
        return await asyncio.gather(*(until_found(search) for search in searches(tmp_path)))

    assert [name for _, name in run(both())] == ["ttyUSB1", "ttyUSB0"]


def test_keypad_under_another_name_is_found_without_looking_at_ports_that_are_taken(tmp_path, plugs, run):
    first, second = searches(tmp_path)
    plugs.plug_in("ttyUSB0", SERIALS[0])
    plugs.plug_in("ttyUSB1", SERIALS[1])
    held, _ = run(until_found(first))
    run(until_found(second))
    plugs.pull("ttyUSB0")
    held.down = PortGone("pulled")
    with pytest.raises(PortGone, match="was pulled"):
        run(first.open_session())
    plugs.asked.clear()
    plugs.plug_in("ttyUSB7", SERIALS[0])
    _, name = run(first.open_session())
    assert (name, plugs.asked) == ("ttyUSB7", [(SERIALS[0], "ttyUSB7")])


def test_port_that_is_not_the_keypads_is_left_alone_for_a_while_unless_it_was_pulled(tmp_path, plugs, run):
    search = searches(tmp_path)[0]
    plugs.plug_in("ttyACM0", NoSession("a modem that answers nothing"))

    async def look(seconds: float) -> None:
        for _ in range(int(seconds / 0.25)):
            with pytest.raises(NoSession, match="a modem"):
                await search.open_session()
            await asyncio.sleep(0.25)

    run(look(AGAIN_S - 2))
    assert len(plugs.asked) == 1
    plugs.pull("ttyACM0")
    with pytest.raises(PortGone, match=r"no port is there: .*tty\*"):
        run(search.open_session())
    plugs.plug_in("ttyACM0", NoSession("a modem that answers nothing"))
    run(look(AGAIN_S))
    assert len(plugs.asked) in (2, 3)  # at once, and again or not yet


def test_port_that_is_named_for_one_keypad_is_no_other_ones(tmp_path, plugs, run):
    search = searches(tmp_path, "ttyUSB0")[0]
    plugs.plug_in("ttyUSB0", SERIALS[0])
    with pytest.raises(PortGone):
        run(search.open_session())
    assert plugs.asked == []


def test_one_device_under_two_names_is_looked_at_once(tmp_path, plugs, run):
    search = searches(tmp_path)[0]
    plugs.plug_in("ttyUSB0", NoSession("nothing"))
    (tmp_path / "tty-by-id").symlink_to(tmp_path / "ttyUSB0")
    with pytest.raises(NoSession):
        run(search.open_session())
    assert len(plugs.asked) == 1


@pytest.mark.parametrize(
    "reason",
    [
        pytest.param(NotAuthenticated("ttyUSB0", host.WRONG_KEY), id="another key"),
        pytest.param(NotAuthenticated("ttyUSB0", host.WRONG_PROOF), id="no proof"),
        pytest.param(PortUnusable("port ttyUSB0 cannot be opened: no rights"), id="no rights"),
    ],
)
def test_what_a_person_has_to_mend_is_told_as_it_is(tmp_path, plugs, run, reason):
    plugs.plug_in("ttyUSB0", reason)
    with pytest.raises(type(reason)) as caught:
        run(searches(tmp_path)[0].open_session())
    assert caught.value is reason


def test_keypad_that_is_nowhere_is_told_with_what_each_port_said(tmp_path, plugs, run):
    plugs.plug_in("ttyUSB0", SERIALS[1])
    plugs.plug_in("ttyUSB1", NoSession("port ttyUSB1: silence"))
    with pytest.raises(NoSession) as caught:
        run(searches(tmp_path)[0].open_session())
    message = str(caught.value)
    assert all(part in message for part in (str(tmp_path / "tty*"), "ttyUSB0", "another", "silence")), message


def test_terminals_are_ports_and_what_does_not_match_is_none(tmp_path):
    outside, inside = pty.openpty()
    tty.setraw(inside)
    (tmp_path / "ttyUSB0").symlink_to(os.ttyname(inside))
    (tmp_path / "modem").touch()
    assert Ports([str(tmp_path / "tty*"), str(tmp_path / "none")]).there() == [str(tmp_path / "ttyUSB0")]
    os.close(outside)
    os.close(inside)
