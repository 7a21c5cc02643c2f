"""What both ends of a session count: noise, forgeries, repetitions, sessions."""

import pytest
from doorpad.link.statistics import LinkStatistics
from doorpad_link.host import HostSession
from link_world import OP_ADD, Keypad, handshake, make_host


def spoilt(frame: bytes, place: int) -> bytes:
    """The frame with another byte at a place, and no zero more or less."""
    return frame[:place] + bytes([frame[place] % 255 + 1]) + frame[place + 1 :]


def opened() -> tuple[HostSession, Keypad]:
    hub, keypad = make_host(), Keypad()
    handshake(hub, keypad)
    return hub, keypad


def counted(hub: HostSession, keypad: Keypad) -> dict[str, int]:
    session = keypad.session
    return {
        "hub noise": hub.noise,
        "hub forged": hub.forged,
        "retransmits": hub.retransmits,
        "answered": hub.answered,
        "repeats": hub.repeats,
        "keypad noise": session.noise,
        "keypad forged": session.forged,
        "repeated": session.repeated,
        "sessions": session.sessions,
    }


# HELLO and AUTH are answered as requests are.
CALM = dict.fromkeys(counted(*opened()), 0) | {"sessions": 1, "answered": 2}


def test_calm_session_counts_itself_alone():
    hub, keypad = opened()
    hub.request(OP_ADD, 1, 0)
    hub.receive(keypad.session.receive(hub.take_output(), 10), 5)
    assert counted(hub, keypad) == CALM | {"answered": 3}


def test_disturbed_frame_is_noise_at_the_end_that_heard_it():
    hub, keypad = opened()
    hub.request(OP_ADD, 1, 0)
    request = hub.take_output()
    keypad.session.receive(spoilt(request, 12), 10)
    hub.receive(spoilt(keypad.session.receive(request, 10), 12), 5)
    assert counted(hub, keypad) == CALM | {"hub noise": 1, "keypad noise": 1}


def test_frame_of_another_session_under_this_ones_number_is_a_forgery_at_both_ends():
    hub, keypad = opened()
    other, stranger = make_host(seed=1), Keypad(seed=1)
    handshake(other, stranger)
    for end in (other, stranger.session):  # the number is two bytes long: it can be met
        end._keys.session = hub._keys.session  # type: ignore[union-attr]
    hub.request(OP_ADD, 1, 0)
    hub.take_output()
    other.request(OP_ADD, 1, 0)
    request = other.take_output()
    assert keypad.session.receive(request, 10) == b""
    assert hub.receive(stranger.session.receive(request, 10), 5) == []
    assert counted(hub, keypad) == CALM | {"hub forged": 1, "keypad forged": 1}


def test_request_that_comes_again_is_counted_where_it_was_sent_and_where_it_was_answered():
    hub, keypad = opened()
    hub.request(OP_ADD, 1, 0)
    keypad.session.receive(hub.take_output(), 10)  # its answer is lost
    wake_ms = hub.wake_at_ms()
    assert wake_ms is not None
    hub.on_time(wake_ms)
    hub.receive(keypad.session.receive(hub.take_output(), 10), wake_ms)
    assert counted(hub, keypad) == CALM | {"answered": 3, "retransmits": 1, "repeats": 1, "repeated": 1}


def test_request_that_is_never_answered_is_no_repeat_of_an_answered_one():
    hub, keypad = opened()
    hub.request(OP_ADD, 1, 0)
    hub.take_output()
    wake_ms = hub.wake_at_ms()
    assert wake_ms is not None
    hub.on_time(wake_ms)
    assert counted(hub, keypad) == CALM | {"retransmits": 1}


def test_each_session_that_opens_is_counted_by_the_keypad():
    _, keypad = opened()
    handshake(make_host(seed=2), keypad, 1000)
    assert keypad.session.sessions == 2


@pytest.mark.parametrize("before", [None, LinkStatistics(2, 1000, 100, 10, 1, 20, 200, 19, 30, 115_200, 0.5)])
def test_counts_of_all_sessions_add_up_and_what_is_of_now_stays(before):
    now = LinkStatistics(1, 5, 6, 7, 8, 9, 50, 4, 40, 921_600, 0.25)
    summed = (3, 1005, 106, 17, 9, 29, 250, 23) if before else (1, 5, 6, 7, 8, 9, 50, 4)
    assert now.after(before) == LinkStatistics(*summed, 40, 921_600, 0.25)
