"""The times that the sync keeps to, in one place. All in seconds."""

from typing import Annotated

import msgspec

Seconds = Annotated[float, msgspec.Meta(gt=0)]


class Timing(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """
    poll_s: between looks at a keypad that has not hinted at anything.
    offline_s: a keypad whose port is there and that has not answered for so long is offline.
    handshake_s: one attempt at a session.
    port_s: between looks for a port that is gone.
    clock_s: between looks at the keypad's clock, at most.
    clock_error_s: before the clock may be off by more, it is set again.
    statistics_s: between looks at what both ends of the link have counted.
    set_ahead_s: so long before its start a code should be on the keypad.
    set_slow_s, set_failed_s: a code that is due and not on the keypad is late, has failed.
    remove_slow_s, remove_failed_s: a code that should be gone is late, has failed to go.
    convert_failed_s: an unmanaged code that could not be taken over until then is left as it is.
    restores_max: so often an hour a code that another hand changed is set right again.
    quiet_s: after so long without another change by another hand its mark is taken off.
    flaky_s: sessions that are lost three times within this make a flaky connection, and none in it ends that.
    ended_kept_s: a code stays readable for so long after its end.
    backup_lease_s: for so long a keypad that nobody reaches keeps a spare code open; renewed after half of it.
    backup_short_s: a keypad that lacks spare codes for so long is warned of.
    """

    poll_s: Seconds = 2.0
    offline_s: Seconds = 8.0
    handshake_s: Seconds = 3.0
    port_s: Seconds = 0.25
    clock_s: Seconds = 3600.0
    clock_error_s: Seconds = 0.25
    statistics_s: Seconds = 600.0
    set_ahead_s: Seconds = 3600.0
    set_slow_s: Seconds = 300.0
    set_failed_s: Seconds = 900.0
    remove_slow_s: Seconds = 300.0
    remove_failed_s: Seconds = 3600.0
    convert_failed_s: Seconds = 600.0
    restores_max: Annotated[int, msgspec.Meta(ge=0)] = 1
    quiet_s: Seconds = 86_400.0
    flaky_s: Seconds = 600.0
    ended_kept_s: Seconds = 604_800.0
    backup_lease_s: Annotated[float, msgspec.Meta(ge=60)] = 604_800.0
    backup_short_s: Seconds = 600.0


REFUSED_BASE = 1.8  # a code that the keypad refused is tried again after this to the n-th power ...
REFUSED_S_MAX = 60.0  # ... and at most this
SETTLE_S = 1.0  # between looks at what time alone changed, while a keypad is away
