"""protocol/doorpad.cddl: it is whole, it refuses what is wrong, and stored and real sessions follow it.

In every other test of this folder the fixture `ear` holds whatever a session of ours sends against it, and `taped`
whatever is said on the cable of an emulated keypad, in this folder and wherever else there is one.
"""

import asyncio
import copy
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pycddl
import pytest
import reference
from doorpad import application, keyring
from doorpad.emulator import fleet
from doorpad.emulator.control import ControlServer
from doorpad.link import operations, update
from doorpad.link.connection import Connection
from doorpad.link.errors import LinkDown
from doorpad.link.slot_writes import SlotWrite
from doorpad_link import handshake, messages, x25519
from grammar import OPERATIONS, TEXT, Ear, follows
from grammar_samples import SAMPLES
from link_world import Keypad, exchange, make_host
from link_world import handshake as open_session

VECTORS = Path(__file__).parents[2] / "protocol" / "vectors"
WAIT_S = 60.0


def _with(value: list[Any], path: tuple[int, ...], item: Any) -> list[Any]:
    changed = copy.deepcopy(value)
    inner = changed
    for place in path[:-1]:
        inner = inner[place]
    inner[path[-1]] = item
    return changed


@pytest.mark.parametrize("rule", SAMPLES)
def test_body_follows_its_rule_until_a_field_is_wrong_missing_or_too_many(rule):
    sample, wrongs = SAMPLES[rule]
    assert follows(rule, sample)
    for path, wrong in wrongs:
        assert not follows(rule, _with(sample, path, wrong)), (path, wrong)
    assert not follows(rule, sample[:-1])
    assert not follows(rule, [*sample, 0]), "nothing of today may follow"
    assert follows(rule, [*sample, 0], closed=False), "a later version may add at the end"


def test_file_is_cddl_to_a_second_reader():
    pycddl.Schema(TEXT)


def test_every_operation_has_rules_for_request_and_reply_and_a_sample():
    numbers = {name: number for name, number in vars(messages).items() if name.startswith("OP_")}
    assert set(OPERATIONS) == set(numbers.values())
    named = {rule.rsplit("-", 1)[0] for rule in SAMPLES if rule.endswith(("-request", "-reply"))}
    assert named == {"unknown", *OPERATIONS.values()}


def test_each_body_follows_the_one_rule_for_all():
    for rule, (sample, _) in SAMPLES.items():
        assert follows("body", sample) == (rule != "unknown-request"), rule


@pytest.mark.parametrize("path", sorted(VECTORS.glob("session-*.json")), ids=lambda path: path.stem)
def test_stored_session_follows_the_grammar(path):
    vector = json.loads(path.read_text())
    wires = [bytes.fromhex(wire) for wire in vector["frames"].values()]
    [hello, hello_r] = [reference.parse(wire.strip(b"\0"))[1] for wire in wires[:2]]
    keys = reference.Keys(bytes.fromhex(vector["key"]), hello, reference.split_proof(hello_r)[0])
    ear = Ear(lambda: [keys])
    for wire in wires:
        ear.hear(wire, from_device=bool(reference.parse(wire.strip(b"\0"))[0][1]))
    assert len(ear.heard) == len(set(vector["frames"].values())), "a repeated frame is heard once"


def test_ear_hears_each_frame_of_both_ends(ear):
    hub, keypad = make_host(), Keypad()
    open_session(hub, keypad)
    exchange(hub, keypad, [b"anything"])
    hub.receive(keypad.session.hint(1, 2), 0)
    keypad.session.receive(
        reference.frame(reference.header(reference.REQ, 1, 1, from_device=False), b"x" * 9), 1000
    )
    rules = [rule for rule, _ in ear.heard]
    assert rules == [
        *("hello", "hello-r", "auth", "auth-r"),
        *("ping-request", "ping-reply", "hint", "alert"),
    ]


def test_ear_refuses_a_frame_that_does_not_follow_the_grammar(ear):
    hub, keypad = make_host(), Keypad()
    open_session(hub, keypad)
    hub.request(messages.OP_STATE, 5, 0)
    with pytest.raises(AssertionError, match="state-request"):
        hub.take_output()


def _write(slot: int, code: str, *, until_s: int | None = None) -> SlotWrite:
    from_s = None if until_s is None else until_s - 3600
    return SlotWrite(slot, 0, code, from_s, until_s, str(UUID(int=slot)), slot.to_bytes(8, "big"))


async def _use_an_update(connection: Connection, keypad: ControlServer) -> None:
    """The application that runs is sent into the place of the other, and put on trial."""

    async def ask(op: int, body: object, status: int = messages.OK) -> Any:
        answer = await connection.request(op, body)
        while answer[0] == messages.BUSY:  # keys were pressed just now
            answer = await connection.request(op, body)
        assert answer[0] == status, (op, answer)
        return answer[1]

    new = application.load(keypad.keypad.keypad.folder / "a")
    now = await update.running(connection)
    assert (now.identity, now.version) == (new.identity, new.version)
    begin = [len(new.manifest), new.identity, new.room_bytes]
    await ask(messages.OP_UPDATE_BEGIN, [len(new.manifest), new.identity, 2**30], messages.NO_SPACE)
    await ask(messages.OP_UPDATE_BEGIN, begin)
    await ask(messages.OP_UPDATE_CANCEL, None)
    while await ask(messages.OP_UPDATE_BEGIN, begin) != [True]:
        pass
    await ask(messages.OP_UPDATE_WRITE, [0, 9, b"too early"], messages.CONFLICT)
    for number, data in enumerate([new.manifest, *(module.data for module in new.modules)]):
        for offset in range(0, len(data) or 1, 400):
            await ask(messages.OP_UPDATE_WRITE, [number, offset, data[offset : offset + 400]])
        assert await ask(messages.OP_UPDATE_CHECK, [number]) == [len(data), True]
    await ask(messages.OP_UPDATE_SWITCH, None)


async def _use_everything(connection: Connection, keypad: ControlServer) -> None:
    """Each operation, with every kind of result that a hub can bring about."""
    await operations.state(connection)
    assert await operations.set_time(connection, 1_800_000_000_000)
    assert (await operations.clock(connection)).time_ms is not None
    assert await operations.adjust_clock(connection, 5, 20, -9_000, 6_000) is not None
    puts = [_write(1, "482913"), _write(2, "591024", until_s=2_000_000_000), _write(3, "482913")]
    statuses = [result.status for result in await operations.put(connection, puts)]
    assert statuses == [messages.OK, messages.OK, messages.DUPLICATE]
    again = [puts[0], SlotWrite(2, 77, "736450", None, None, str(UUID(int=9)), bytes(range(8)))]
    statuses = [result.status for result in await operations.put(connection, again)]
    assert statuses == [messages.ALREADY, messages.CONFLICT]
    connection.hinted.clear()
    await keypad.keypad.bench(press="482913#")
    await asyncio.wait_for(connection.hinted.wait(), WAIT_S)
    connection.hinted.clear()
    await keypad.keypad.bench(press=f"{keypad.keypad.keypad.master_pin}#1#8642#*")
    await asyncio.wait_for(connection.hinted.wait(), WAIT_S)
    assert len(await operations.page_digests(connection, 128)) == 128
    assert (await operations.statistics(connection)).heap_free_bytes > 0
    assert await operations.crashes(connection) == []
    crash_log = keypad.keypad.keypad.folder / "crash.log"
    crash_log.write_text('[2, false, 2, 2]\n1 0.1.0 "first"\n2 0.1.0 "second"\n')
    assert [it.text for it in await operations.crashes(connection)] == ["second", "first"]
    made = [it for it in (await operations.changed_since(connection, 0, 1)).slots if it.code == "8642"]
    assert [it.maker for it in made] == [messages.MAKER_KEYPAD]
    adopted = await operations.adopt(
        connection, made[0].slot, made[0].version, bytes(range(8)), str(UUID(int=99))
    )
    assert adopted.status == messages.OK
    missing = await operations.adopt(connection, 4000, 1, bytes(range(8)), str(UUID(int=98)))
    assert missing.status == messages.NOT_FOUND
    for if_version, outcome in ((0, messages.OK), (0, messages.CONFLICT)):
        body = [if_version, [["lockout_s", 60]]]
        assert (await connection.request(messages.OP_CONFIG, body))[0] == outcome
    assert (await connection.request(messages.OP_CONFIG, None))[0] == messages.OK
    cleared = await operations.delete(connection, [(1, 1, b"deleting"), (4000, 1, b"deleting")])
    assert [result.status for result in cleared] == [messages.OK, messages.NOT_FOUND]
    slots = (await operations.changed_since(connection, 0, 1)).slots
    assert [slot.code for slot in slots if slot.slot == 1] == [None]
    page = await operations.events(connection, 0)
    assert {messages.EV_GRANTED, messages.EV_SLOT_SET} <= {entry.kind for entry in page.entries}
    hosts = await operations.hosts(connection)
    assert [host.maker for host in hosts] == [1]
    by = {entry.kind: entry.maker for entry in page.entries}
    assert (by[messages.EV_SETTINGS_CHANGED], by[messages.EV_CLOCK_SET], by[messages.EV_GRANTED]) == (1, 1, 0)
    assert await connection.request(messages.OP_PING, [b"x", None, "ü"]) == (0, [b"x", None, "ü"])
    newest_s = max(entry.time_s or 0 for entry in page.entries)
    assert await connection.request(messages.OP_TIME, [1_000_000_000, 0]) == (messages.TIME_BEHIND, newest_s)
    now = await operations.state(connection)
    for attempt, until_ms, outcome in ((1, 5_000, (0, True)), (1, 5_000, (1, None)), (2, -1, (11, None))):
        until_ms = (now.uptime_ms + until_ms) % 2**32
        body = [1, now.boot, until_ms, UUID(int=attempt).bytes]
        assert await connection.request(messages.OP_STRIKE, body) == outcome
    public = x25519.public(bytes(range(32)))
    status, _ = await connection.request(messages.OP_NEXT_KEY, [b"nexthost", public])
    assert status == messages.OK
    assert await connection.request(messages.OP_SPEED, [115_200]) == (messages.OK, None)
    assert await connection.request(77, None) == (messages.UNSUPPORTED, None)
    await _use_an_update(connection, keypad)  # the last: the keypad restarts


async def test_real_session_with_the_firmware_follows_the_grammar(tmp_path, monkeypatch):
    """Method: listen on the cable between the bridge's own client and the firmware under MicroPython."""
    monkeypatch.undo()  # the ear at our own ends: here the wire itself is heard
    keys: list[reference.Keys] = []
    taped: list[tuple[bytes, bool]] = []
    real = handshake.SessionKeys.__init__

    def kept(self: handshake.SessionKeys, *secrets: bytes) -> None:
        keys.insert(0, reference.Keys(*secrets))
        real(self, *secrets)

    monkeypatch.setattr(handshake.SessionKeys, "__init__", kept)
    async with fleet.running(tmp_path, 1, slots=None, strike_ms=100) as [keypad]:
        cable = keypad.keypad.cable
        cable.tap = lambda data, from_device: taped.append((data, from_device))
        serial = keypad.keypad.keypad.serial
        key = keyring.load(tmp_path / "keys", serial)
        connection, opened = await Connection.open(str(cable.name), 115_200, key, serial)
        operations.capabilities(opened.capabilities)
        await asyncio.wait_for(_use_everything(connection, keypad), WAIT_S)
        await keypad.keypad.power(False)
        await keypad.keypad.power(True)
        with pytest.raises(LinkDown):  # nobody there knows the session: an ALERT
            await asyncio.wait_for(operations.state(connection), WAIT_S)
        connection.close()
    ear = Ear(lambda: keys)
    for data, from_device in taped:
        ear.hear(data, from_device=from_device)
    heard = {rule for rule, _ in ear.heard}
    sides = {f"{name}-{side}" for name in OPERATIONS.values() for side in ("request", "reply")}
    handshake_and_hints = {"hello", "hello-r", "auth", "auth-r", "hint", "alert"}
    assert heard == sides | handshake_and_hints | {"unknown-request", "refusal"}
