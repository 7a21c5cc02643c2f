"""What a lost session is told as: whose turn it is to do something, and what."""

import pytest
from doorpad.errors import NextStep
from doorpad.link.errors import NotAuthenticated, session_lost
from doorpad_link import host

KEYS = {host.WRONG_KEY, host.NOT_ENROLLED, host.WRONG_PROOF}


@pytest.mark.parametrize("reason", host.LOST_REASONS)
def test_lost_session_names_port_and_reason_and_a_person_where_keys_do_not_fit(reason: int) -> None:
    error = session_lost(reason, "/dev/ttyUSB0")
    assert "/dev/ttyUSB0" in str(error)
    assert host.LOST_REASONS[reason] in str(error)
    assert isinstance(error, NotAuthenticated) == (reason in KEYS)
    assert error.next_step == (NextStep.PERSON if reason in KEYS else NextStep.WAIT)
    if isinstance(error, NotAuthenticated):
        assert error.what_to_do
