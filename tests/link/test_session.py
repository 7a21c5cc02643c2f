"""Both ends of a session: over a bad cable, with lost answers, at their limits, and with the wrong keys."""

from collections import Counter
from itertools import pairwise

import cbor2
import pytest
from doorpad_link import frame, host, messages
from doorpad_link.host import LOST_REASONS, Hinted, HostSession, Lost, Opened, Replied
from link_world import (
    BAD,
    BOOT_ID,
    CAPABILITIES,
    DEVICE_ID,
    HOST_ID,
    OP_ADD,
    PSK,
    TO_DEVICE,
    Faults,
    Keypad,
    World,
    exchange,
    handshake,
    make_host,
)


def _open() -> tuple[HostSession, Keypad]:
    hub, keypad = make_host(), Keypad()
    [opened] = handshake(hub, keypad)
    assert isinstance(opened, Opened)
    return hub, keypad


@pytest.mark.parametrize("together", [1, 4, 9])
@pytest.mark.parametrize("seed", range(12))
def test_requests_over_a_bad_cable_take_effect_once(seed, together):
    """Goal: a repeated request is one request. Method: add numbers over a spoilt cable, heal it, look at effects."""
    world = World(seed, BAD, together)
    assert world.run_until(lambda: len(world.answered) >= 50 * together, limit_ms=3_600_000), world.losses
    world.faults = Faults()
    target = set(range(1, max(world.answered) + 5))
    assert world.run_until(lambda: target <= set(world.answered), limit_ms=30_000), "did not recover"
    assert len(set(world.answered)) == len(world.answered)
    effects = Counter(world.keypad.effects)
    for number in world.answered:
        # Whoever asks anew in a new session may do it again, and knows that: within one session it is once.
        assert 1 <= effects[number] <= world.attempts[number], (number, effects[number])
    if together == 1:
        first_seen = list(dict.fromkeys(world.keypad.effects))
        assert first_seen == sorted(first_seen), "an older request took effect after a newer one"
    assert set(world.harm) == {"lose", "flip", "duplicate", "reorder", "truncate"}, world.harm
    # After a loss a late AUTH of an earlier attempt may look forged; no serial line delivers one.
    if not world.losses:
        assert world.keypad.session.forged == 0, "noise was taken for an attack"


def test_bad_cable_repeats_and_drops_while_a_good_one_does_neither():
    good, bad = World(1), World(1, BAD)
    for world in (good, bad):
        assert world.run_until(lambda w=world: len(w.answered) >= 40, limit_ms=3_600_000)
    assert (good.keypad.session.noise, sum(good.harm.values()), good.losses) == (0, 0, Counter())
    assert len([1 for direction, _ in good.wires if direction == TO_DEVICE]) == 2 + len(good.answered) + 1
    assert bad.keypad.session.noise > 0


def test_dead_cable_is_given_up_after_six_sends_and_told_as_silence():
    hub, keypad = _open()
    hub.request(OP_ADD, 1, 0)
    sent = [hub.take_output()]
    gaps, now_ms = [], 0
    events = []
    while not events:
        wake_ms = hub.wake_at_ms()
        assert wake_ms is not None
        assert hub.on_time(wake_ms - 1) == []
        assert hub.take_output() == b""
        gaps.append(wake_ms - now_ms)
        now_ms = wake_ms
        events = hub.on_time(now_ms)
        if out := hub.take_output():
            sent.append(out)
    assert [event.reason for event in events] == [host.SILENT]
    assert len(sent) == 6
    assert len(set(sent)) == 1, "a repetition is the same, bit for bit"
    assert all(later in (2 * earlier, 3200) for earlier, later in pairwise(gaps)), gaps
    assert keypad.effects == []
    assert hub.wake_at_ms() is None


def test_lost_reply_is_answered_again_with_the_same_bytes_and_no_second_effect():
    hub, keypad = _open()
    hub.request(OP_ADD, 1, 0)
    request = hub.take_output()
    first = keypad.session.receive(request, 10)
    again = keypad.session.receive(request, 10)
    assert (first, keypad.effects) == (again, [1])
    [reply] = hub.receive(first, 5)
    assert isinstance(reply, Replied)
    assert (reply.op, reply.status, reply.body) == (OP_ADD, 0, 1)
    assert hub.receive(again, 6) == [], "the second copy of a reply"


def test_lost_auth_reply_is_answered_again():
    hub, keypad = make_host(), Keypad()
    hub.start(0)
    hub.receive(keypad.session.receive(hub.take_output(), 10), 0)
    keypad.session.receive(hub.take_output(), 10)  # its answer is lost
    wake_ms = hub.wake_at_ms()
    assert wake_ms is not None
    assert hub.on_time(wake_ms) == []
    [opened] = hub.receive(keypad.session.receive(hub.take_output(), 10), wake_ms)
    assert isinstance(opened, Opened)
    [reply] = exchange(hub, keypad, 1, wake_ms)
    assert isinstance(reply, Replied)


def test_slow_answer_to_hello_still_opens_a_session_with_its_repetition_under_way():
    hub, keypad = make_host(), Keypad()
    hub.start(0)
    first = keypad.session.receive(hub.take_output(), 10)
    wake_ms = hub.wake_at_ms()
    assert wake_ms is not None
    assert hub.on_time(wake_ms) == []
    again = keypad.session.receive(hub.take_output(), 500)
    assert again == first
    assert hub.receive(first, wake_ms) == []
    [opened] = hub.receive(keypad.session.receive(hub.take_output(), 10), wake_ms)
    assert isinstance(opened, Opened)
    assert keypad.session.forged == 0


def test_session_opens_with_ids_and_capabilities_and_the_hubs_place_among_the_keys():
    keypad = Keypad([(b"hub----0", bytes(32)), (HOST_ID, PSK)])
    [opened] = handshake(make_host(), keypad)
    assert isinstance(opened, Opened)
    assert (opened.device_id, opened.boot_id, opened.capabilities) == (
        DEVICE_ID,
        BOOT_ID,
        [*CAPABILITIES, 2],
    )


def test_each_of_four_hubs_opens_with_its_own_key_under_its_own_number():
    hosts = [(b"hub----%d" % n, bytes([n]) * 32) for n in range(4)]
    keypad = Keypad(hosts)
    for place, (host_id, key) in enumerate(hosts):
        [opened] = handshake(make_host(host_id, key), keypad)
        assert isinstance(opened, Opened)
        assert opened.capabilities[-1] == place + 1
        [lost] = handshake(make_host(host_id, hosts[place - 1][1]), keypad)
        assert isinstance(lost, Lost) and lost.reason == host.WRONG_KEY, (
            "a key counts under its own host id alone"
        )


def test_wrong_key_is_told_as_such_and_opens_nothing():
    hub, keypad = make_host(psk=bytes(range(1, 33))), Keypad()
    [lost] = handshake(hub, keypad)
    assert isinstance(lost, Lost)
    assert lost.reason == host.WRONG_KEY
    assert not keypad.session.is_open


def test_noise_is_never_taken_for_a_wrong_key():
    """Goal: only an intact answer tells of keys. Method: flip every single bit of the answer to a HELLO."""
    hub, keypad = make_host(), Keypad()
    hub.start(0)
    answer = keypad.session.receive(hub.take_output(), 1000)
    for bit in range(8, 8 * (len(answer) - 1)):  # between the delimiters
        flipped = bytearray(answer)
        flipped[bit // 8] ^= 1 << bit % 8
        assert hub.receive(bytes(flipped), 0) == []
        assert (hub.state, hub.take_output()) == (host.HELLO_SENT, b"")
    assert hub.receive(answer, 0) == []
    assert hub.state == host.AUTH_SENT


def test_hub_that_the_keypad_does_not_know_is_told_so():
    hub, keypad = make_host(host_id=b"stranger"), Keypad()
    assert handshake(hub, keypad) == []
    events: list[Opened | Replied | Hinted | Lost] = []
    while not events:  # told at once, believed when a repetition stays without another answer
        wake_ms = hub.wake_at_ms()
        assert wake_ms is not None
        events = hub.on_time(wake_ms)
        hub.receive(keypad.session.receive(hub.take_output(), 1000), wake_ms)
    assert [event.reason for event in events] == [host.NOT_ENROLLED]
    assert not keypad.session.is_open


def test_keypad_that_the_hub_does_not_know_is_told_as_such():
    [lost] = handshake(make_host(psk=None), Keypad())
    assert isinstance(lost, Lost)
    assert lost.reason == host.UNKNOWN_DEVICE


def test_every_reason_for_a_loss_has_words():
    names = ("SILENT", "RESTARTED", "WRONG_KEY", "WRONG_PROOF", "UNKNOWN_DEVICE", "NOT_ENROLLED", "MALFORMED")
    names += ("NEVER_SILENT",)
    assert set(LOST_REASONS) == {getattr(host, name) for name in names}
    assert all(LOST_REASONS.values())


def test_restarted_keypad_is_believed_once_a_repetition_stays_unanswered_too():
    hub, _ = _open()
    hub.request(OP_ADD, 1, 0)
    restarted = Keypad(seed=2)
    assert hub.receive(restarted.session.receive(hub.take_output(), 1000), 0) == []
    events, sends = [], 1
    while not events:
        wake_ms = hub.wake_at_ms()
        assert wake_ms is not None
        events = hub.on_time(wake_ms)
        if out := hub.take_output():
            sends += 1
            assert hub.receive(restarted.session.receive(out, 1000), wake_ms) == []
    assert ([event.reason for event in events], sends) == ([host.RESTARTED], 2)
    assert restarted.effects == []


def test_forged_alert_does_not_end_a_session_whose_keypad_still_answers():
    hub, keypad = _open()
    hub.request(OP_ADD, 1, 0)
    request = hub.take_output()
    forged = frame.pack(frame.Header(frame.ALERT, 0, 0, True), cbor2.dumps([1, BOOT_ID]))
    assert hub.receive(forged, 0) == []
    [reply] = hub.receive(keypad.session.receive(request, 10), 1)
    assert isinstance(reply, Replied)
    [reply] = exchange(hub, keypad, 2, 2)
    assert (reply.body, keypad.effects) == (2, [1, 2])


def test_window_of_the_keypad_bounds_what_is_in_flight():
    hub, keypad = _open()
    for number in range(10):
        hub.request(OP_ADD, number, 0)
    burst = hub.take_output()
    assert (burst.count(b"\x00") // 2, hub.unanswered) == (4, 10)  # CAPABILITIES: 4 in flight
    replies = hub.receive(keypad.session.receive(burst, 10), 5)
    assert [reply.body for reply in replies] == [0, 1, 2, 3]
    assert hub.take_output().count(b"\x00") // 2 == 4


def test_receive_buffer_of_the_keypad_bounds_the_bytes_in_flight():
    hub, _ = _open()
    for _ in range(4):
        hub.request(OP_ADD, bytes(998), 0)
    assert len(hub.take_output()) <= 3584 < 4 * 1024  # CAPABILITIES: credit of 3,584 bytes
    assert hub.unanswered == 4


def test_request_whose_successor_is_answered_is_repeated_at_once():
    hub, keypad = _open()
    hub.request(OP_ADD, "lost", 0)
    hub.take_output()
    hub.request(OP_ADD, "second", 0)
    [reply] = hub.receive(keypad.session.receive(hub.take_output(), 10), 7)
    assert reply.body == "second"
    again = hub.take_output()
    assert again, "it waits for no timer"
    [reply] = hub.receive(keypad.session.receive(again, 10), 9)
    assert (reply.body, keypad.effects) == ("lost", ["second", "lost"])


def test_request_far_behind_the_window_is_not_done():
    """A host never has one so far back under way: whoever sends it has recorded it."""
    hub, keypad = _open()
    hub.request(OP_ADD, "old", 0)
    old = hub.take_output()
    wake_ms = hub.wake_at_ms()
    assert wake_ms is not None
    for number in range(40):
        # The reply to each later one is withheld but for the last, so that the window stays open.
        hub._window = 100
        hub.request(OP_ADD, number, 0)
    keypad.session.receive(hub.take_output(), 10)
    assert keypad.session.receive(old, 10) == b""
    assert keypad.effects == list(range(40))


def test_request_beyond_the_mtu_is_refused_and_the_session_lives():
    hub, keypad = _open()
    with pytest.raises(ValueError, match="MTU"):
        hub.request(OP_ADD, bytes(2000), 0)
    assert (hub.take_output(), hub.unanswered) == (b"", 0)
    [reply] = exchange(hub, keypad, 7)
    assert (reply.status, reply.body) == (0, 7)


def test_largest_request_and_reply_fit_a_frame():
    hub, keypad = _open()
    # 1,024 less header 8, tag 8, CRC 4; [op, status, bytes] takes 1 + 1 + 1 + 3 around the bytes.
    largest = bytes(1024 - 20 - 6)
    [reply] = exchange(hub, keypad, largest)
    assert (reply.status, reply.body) == (0, largest)
    [reply] = exchange(hub, keypad, largest + b"x")
    assert (reply.status, reply.body) == (messages.TOO_BIG, None)
    [reply] = exchange(hub, keypad, 8)
    assert (reply.status, reply.body) == (0, 8)


def test_request_before_the_session_is_misuse():
    with pytest.raises(RuntimeError):
        make_host().request(OP_ADD, 1, 0)


def test_hint_comes_once_in_order_and_never_from_the_past():
    hub, keypad = _open()
    first, second = keypad.session.hint(1, 10), keypad.session.hint(2, 20)
    told = [
        (event.generation, event.journal_head)
        for event in hub.receive(second + first + second, 0)
        if isinstance(event, Hinted)
    ]
    assert told == [(2, 20)]
    assert Keypad().session.hint(1, 1) == b"", "without a session there is nobody to tell"


def test_hint_during_a_request_disturbs_neither():
    hub, keypad = _open()
    hub.request(OP_ADD, 1, 0)
    request = hub.take_output()
    events = hub.receive(keypad.session.hint(1, 10) + keypad.session.receive(request, 10), 0)
    assert [type(event) for event in events] == [Hinted, Replied]


def test_round_trip_is_measured_and_repetitions_measure_nothing():
    hub, keypad = _open()
    now_ms = 0
    for _ in range(60):
        hub.request(OP_ADD, 1, now_ms)
        now_ms += 40
        hub.receive(keypad.session.receive(hub.take_output(), 10), now_ms)
    assert 33 <= hub.round_trip_ms <= 40  # whole milliseconds and eighths: up to 7 ms below
    measured = hub.round_trip_ms
    hub.request(OP_ADD, 1, now_ms)
    wake_ms = hub.wake_at_ms()
    assert wake_ms is not None
    assert 100 <= wake_ms - now_ms <= 300
    hub.on_time(wake_ms)
    hub.receive(keypad.session.receive(hub.take_output(), 10), wake_ms + 5000)
    assert hub.round_trip_ms == measured


def test_request_that_is_no_list_of_operation_and_body_is_invalid():
    """The hub's own session cannot send one; a hub of another make can."""
    hub, keypad = _open()
    for body in ([21], 21, None, ["x", 1]):
        keys = hub._keys
        assert keys is not None
        hub.request(OP_ADD, 1, 0)
        hub.take_output()
        header = frame.Header(frame.REQ, keys.session, hub._counter, False)
        wire = frame.pack(header, keys.seal(header, cbor2.dumps(body)))
        [reply] = hub.receive(keypad.session.receive(wire, 10), 0)
        assert (reply.op, reply.status, reply.body) == (0, messages.INVALID, None), body
    assert keypad.effects == []
