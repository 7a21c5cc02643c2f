"""Whether the keys of hub and keypad fit each other, judged over several attempts at a session.

One attempt that ends so proves nothing: whoever sits on the cable can answer first. Noise never ends one so, for a
disturbed frame is none. A session that stands is not touched by any of it.
"""

from doorpad_link import host

from doorpad.link.errors import NotAuthenticated
from doorpad.store.catalogue import ERRORS
from doorpad.store.device_conditions import lift, stand
from doorpad.store.schema import Device

MISMATCH = "missing_device_credentials"
INVALID = "invalid_credentials"  # besides: something names our very key, and cannot prove that it has it
ATTEMPTS_MAX = 3  # so many attempts with no session between them that end so are for a person


class Credentials:
    """Counts for one keypad, from one session to the next."""

    def __init__(self, serial: str) -> None:
        self._serial = serial
        self._attempts = 0

    def failed(self) -> bool:
        """Count an attempt that ended so; return whether it is to be told now."""
        self._attempts += 1
        return self._attempts >= ATTEMPTS_MAX

    def tell(self, device: Device, reason: NotAuthenticated, now_ms: int) -> bool:
        """Let the errors of it stand on the device; return whether they are new."""
        words = f"Keypad {self._serial}: {reason}. {reason.what_to_do}"
        told = (MISMATCH, INVALID) if reason.reason == host.WRONG_PROOF else (MISMATCH,)
        new = [stand(device, code, f"{ERRORS[code].message} {words}", now_ms) for code in told]
        return any(new)

    def proven(self, device: Device) -> bool:
        """A session stands. Return whether an error stood until now."""
        self._attempts = 0
        stood = [lift(device, code) for code in (MISMATCH, INVALID)]
        return any(stood)
