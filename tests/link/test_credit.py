"""The hub's credit: whatever stands still or is lost, no more bytes lie unread at a keypad than it allowed."""

import random
from collections import deque

import pytest
from doorpad_link import frame, host, messages
from doorpad_link.frame import Header
from doorpad_link.host import Lost, Opened, Replied
from link_world import OP_ADD, Keypad, handshake, make_host

STALL_MS_MAX = 400  # protocol/README.md, section 3
UART = (1024, 4, 3584)
CONSOLE = (193, 4, 200)


def keypad_with(mtu: int, window: int, credit: int, seed: int = 0) -> Keypad:
    keypad = Keypad(seed=seed)
    keypad.session._capabilities = [mtu, window, credit, 4096, 4, 12, "0.1.0"]
    return keypad


@pytest.mark.parametrize("limits", [UART, CONSOLE], ids=["uart", "console"])
@pytest.mark.parametrize("seed", range(6))
def test_buffer_of_a_keypad_that_stands_still_never_holds_more_than_its_credit(limits, seed):
    """Method: a keypad reads its buffer at random moments, at most 400 ms apart, and a fifth of its answers is lost;
    the hub sends what it has on a virtual clock. The line takes no time, which is the worst for the buffer."""
    mtu, _, credit = limits
    chance = random.Random(seed)
    hub, keypad = make_host(seed=seed), keypad_with(*limits, seed=seed)
    handshake(hub, keypad)
    sizes = deque(chance.randrange(1, mtu - 26) for _ in range(120))
    buffer, fullest, lost, answered = b"", 0, 0, 0
    now_ms, reads_at_ms = 0, chance.randrange(STALL_MS_MAX)
    while answered < 120:
        while sizes and hub.unanswered < 8:
            hub.request(OP_ADD, bytes(sizes.popleft()), now_ms)
        buffer += hub.take_output()
        fullest = max(fullest, len(buffer))
        wake_ms = hub.wake_at_ms()
        assert wake_ms is not None, "the hub waits for nothing, and has more to send"
        if wake_ms < reads_at_ms:
            now_ms = max(now_ms, wake_ms)
            events = hub.on_time(now_ms)
        else:
            now_ms, reads_at_ms = reads_at_ms, reads_at_ms + 1 + chance.randrange(STALL_MS_MAX - 1)
            events = []
            # Each frame's answer by itself: one may be lost and another not.
            for piece in filter(None, buffer.split(b"\0")):
                answer = bytes(keypad.session.receive(b"\0" + piece + b"\0", 10))
                if chance.random() < 0.2:
                    lost += 1
                else:
                    events += hub.receive(answer, now_ms)
            buffer = b""
        assert not any(isinstance(event, Lost) for event in events), "the session was given up"
        answered += sum(isinstance(event, Replied) for event in events)
    assert lost > 10 and hub.retransmits > 10
    assert credit // 2 < fullest <= credit


def test_repetition_that_would_not_fit_beside_the_first_copy_waits_until_the_longest_stall_is_over():
    hub, keypad = make_host(), keypad_with(*CONSOLE)
    handshake(hub, keypad)
    hub.request(OP_ADD, bytes(150), 1000)  # 150 bytes and what stands around them: twice is more than 200
    first = hub.take_output()
    sent_ms = []
    while len(sent_ms) < 1:
        wake_ms = hub.wake_at_ms()
        assert wake_ms is not None
        hub.on_time(wake_ms)
        if out := hub.take_output():
            assert out == first
            sent_ms.append(wake_ms)
    assert sent_ms == [1000 + STALL_MS_MAX]


def test_small_request_is_repeated_after_its_own_time_for_both_copies_fit():
    hub, keypad = make_host(), keypad_with(*CONSOLE)
    handshake(hub, keypad)
    hub.request(OP_ADD, 1, 1000)
    hub.take_output()
    wake_ms = hub.wake_at_ms()
    assert wake_ms is not None and wake_ms < 1000 + STALL_MS_MAX
    hub.on_time(wake_ms)
    assert hub.take_output()


def test_second_answer_tells_that_the_repetition_was_read_and_makes_room():
    hub, keypad = make_host(), keypad_with(*CONSOLE)
    handshake(hub, keypad)
    hub.request(OP_ADD, bytes(150), 1000)
    first = hub.take_output()
    hub.on_time(1000 + STALL_MS_MAX)
    assert hub.take_output() == first
    now_ms = 1000 + STALL_MS_MAX + 50
    answer = keypad.session.receive(first, 10)
    assert [type(event) for event in hub.receive(answer, now_ms)] == [Replied]
    hub.request(OP_ADD, bytes(150), now_ms)
    assert hub.take_output() == b"", "the repetition may still lie there"
    hub.receive(answer, now_ms)
    assert hub.take_output()


def test_request_beyond_the_keypads_own_mtu_is_refused_before_it_is_sent():
    hub, keypad = make_host(), keypad_with(*CONSOLE)
    handshake(hub, keypad)
    # 193 less header 8, tag 8, CRC 4, and 4 of [op, bytes]: 1 + 1 + 2.
    with pytest.raises(ValueError, match="193"):
        hub.request(OP_ADD, bytes(193 - 20 - 4 + 1), 0)
    hub.request(OP_ADD, bytes(193 - 20 - 4), 0)
    sent = hub.take_output()
    assert len(sent) <= 200
    [reply] = hub.receive(keypad.session.receive(sent, 10), 1)
    assert reply.status == messages.OK


@pytest.mark.parametrize("limits", [(127, 4, 3584), (1024, 0, 3584), (1024, 4, 1024), (193, 4, 199)])
def test_limits_that_no_keypad_can_keep_to_end_the_attempt(limits, ear):
    ear.nonsense.add("auth-r")
    [event] = handshake(make_host(), keypad_with(*limits))
    assert isinstance(event, Lost) and event.reason == host.MALFORMED


def test_limits_at_their_least_open_a_session():
    [event] = handshake(make_host(), keypad_with(128, 1, 135))
    assert isinstance(event, Opened)


def test_longest_frame_of_each_size_fits_the_credit_that_goes_with_it():
    for mtu in (128, 193, 253, 254, 255, 1024):
        body = bytes(range(1, 256)) * 5  # no zero: COBS is at its longest
        wire = frame.pack(Header(frame.REQ, 257, 0x01010101, False), body[: mtu - 12])
        assert len(wire) - mtu <= 7  # 5 of COBS where a frame has 1,024, and 2 zeros
