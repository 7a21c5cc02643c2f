"""Raising the speed of a line during a session, and going back where one side cannot follow.

    1  the hub asks; the keypad answers at the old speed and changes to the new one
    2  the hub changes, too, and sends a PING as long as the longest frames
    3  its answer proves the new speed. Without one in half a second each side goes back by itself

Whatever is lost, both are at one speed in the end: a keypad falls back as well when bytes come and no frame is among
them. Only one request is under way meanwhile, and hints are lost: the caller asks for news afterwards.
"""

import asyncio
import math

from doorpad_link import messages

from doorpad.link.connection import BITS_PER_BYTE, Connection

_TRIAL_S = 0.5  # protocol/README.md, section 3
_TRIES = 3  # an answer that was lost costs one
# Of the PING on the line, there or back: an adapter that is a little off its speed loses long frames only.
_PROOF_S_MAX = 0.05
_PROOF_AROUND_BYTES = 40  # header, tag, CRC, COBS, and what stands around the bytes
STEADY_S = 60.0  # a session that stood so long at the higher speed was not ended by it ...
SLOW_S = 600.0  # ... and after one that did not, none asks for it for so long


async def raise_speed(connection: Connection, baud: int) -> bool:
    """Have both sides run at `baud`; return whether they do. If not, they run at the speed that they had.

    Raises:
        LinkDown: the session was lost meanwhile.
    """
    before = connection.baud
    if baud == before:
        return True
    size = min(connection.mtu_bytes, int(baud / BITS_PER_BYTE * _PROOF_S_MAX)) - _PROOF_AROUND_BYTES
    for _ in range(_TRIES):
        status, _ = await connection.request(messages.OP_SPEED, [baud])
        if status != messages.OK:
            return False
        connection.set_baud(baud)
        proof = asyncio.ensure_future(connection.request(messages.OP_PING, bytes(max(size, 0))))
        try:
            done, _ = await asyncio.wait({proof}, timeout=_TRIAL_S)
            if not done:
                connection.set_baud(before)
            await proof  # at the old speed it is repeated until the keypad has fallen back, too
        finally:
            proof.cancel()
        if done:
            return True
    return False


class HigherSpeed:
    """Asks for the higher speed of one keypad, session after session, but not where the line does not bear it.

    A cable that spoils one frame in three lets a session begin and does not let it live: without a memory of that,
    each new session would be raised to the speed that ended the one before.

    Args:
        baud: the speed; None: the line stays at the one that it has.
    """

    def __init__(self, baud: int | None) -> None:
        self.baud = baud
        self._not_before_s = -math.inf
        self._raised_s: float | None = None  # when the present session was raised

    async def ask(self, connection: Connection, now_s: float) -> bool:
        """Raise the speed of a session that has just opened. False: it was tried, and one side does not follow.

        Raises:
            LinkDown: the session was lost meanwhile.
        """
        self._raised_s = None
        if self.baud is None or now_s < self._not_before_s:
            return True
        self._not_before_s = now_s + SLOW_S  # unless it goes well, a loss in the middle of it included
        if not await raise_speed(connection, self.baud):
            return False
        self._not_before_s = -math.inf
        self._raised_s = now_s
        return True

    def lost(self, now_s: float) -> None:
        """The session is over, and not because its port went."""
        if self._raised_s is not None and now_s - self._raised_s < STEADY_S:
            self._not_before_s = now_s + SLOW_S
