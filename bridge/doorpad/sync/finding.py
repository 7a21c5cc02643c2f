"""Finding a keypad by the id that it proves, whatever the name of the port that it is plugged into.

A USB adapter that was pulled comes back under another name, and two of one kind cannot be told apart by theirs. So a
keypad for which the configuration names no port is looked for on all ports of the hub's list that none of its
sessions has. Whoever proves the id is the keypad; a name proves nothing.

Each keypad is greeted under a host id of its own. Another one does not know it, says so, and gives nothing away.
"""

import asyncio
import glob
import os
from collections.abc import Iterable, Sequence

from doorpad_link import host
from doorpad_link.host import Opened

from doorpad.link.connection import Connection
from doorpad.link.errors import LinkDown, NoSession, NotAuthenticated, PortGone, PortUnusable
from doorpad.link.rotation import open_session
from doorpad.sync.keypad_port import KeypadPort

# A port on which the keypad was not found is left alone for so long: what is behind it may be no keypad at all.
AGAIN_S = 5.0


class Ports:
    """The serial ports of a hub, and which of them its keypads have. One for all of them.

    Args:
        patterns: paths, or patterns as a shell has them.
        named: ports that are one keypad's by configuration: no other is looked for there.
    """

    def __init__(self, patterns: Sequence[str], named: Iterable[str] = ()) -> None:
        self._patterns = patterns
        self._named = tuple(named)
        self._tried: set[str] = set()  # a session is being opened there just now
        self._held: dict[str, Connection] = {}

    @property
    def words(self) -> str:
        """The list, for people."""
        return ", ".join(self._patterns)

    def there(self) -> list[str]:
        """The ports that stand there now, each device under one name."""
        named = {os.path.realpath(name) for name in self._named}
        found = {
            os.path.realpath(path): path for pattern in self._patterns for path in sorted(glob.glob(pattern))
        }
        return [path for device, path in found.items() if device not in named]

    def is_tried(self, path: str) -> bool:
        """Whether somebody is looked for there at this moment."""
        return path in self._tried

    def is_free(self, path: str) -> bool:
        """Whether no keypad of this hub has it, and none is looked for there."""
        held = self._held.get(path)
        return path not in self._tried and (held is None or held.down is not None)

    async def open_session(
        self, path: str, keypad: KeypadPort, timeout_s: float
    ) -> tuple[Connection, Opened]:
        """As rotation.open_session; the port is taken while this lasts, and as long as the session does."""
        self._tried.add(path)
        try:
            connection, opened = await open_session(
                path, keypad.baud, keypad.keys, keypad.serial, timeout_s, half_duplex=keypad.half_duplex
            )
            self._held[path] = connection
            return connection, opened
        finally:
            self._tried.discard(path)


class Search:
    """Opens sessions with one keypad. `timeout_s`: of an attempt at one port."""

    def __init__(self, ports: Ports, keypad: KeypadPort, timeout_s: float) -> None:
        self._ports = ports
        self._keypad = keypad
        self._timeout_s = timeout_s
        self._last: str | None = None  # where it was found the last time
        self._not_before_s: dict[
            str, float
        ] = {}  # by port; one that was pulled is a new one when it comes back
        self._said: dict[str, str] = {}
        self._console_text = b""  # the newest that was said at one of the ports

    async def open_session(self) -> tuple[Connection, Opened]:
        """Open a session with the keypad where it is.

        Raises:
            LinkDown: one of its kinds. PortGone: where it was found the last time is no port any more, or there is
                none at all. NotAuthenticated: it is found, and the keys do not fit.
        """
        if self._keypad.port is not None:
            return await self._ports.open_session(self._keypad.port, self._keypad, self._timeout_s)
        there = self._ports.there()
        for gone in self._not_before_s.keys() - there:
            del self._not_before_s[gone]
            self._said.pop(gone, None)
        unusable: PortUnusable | None = None
        for path in sorted(there, key=lambda path: (path != self._last, self._not_before_s.get(path, 0.0))):
            now_s = asyncio.get_running_loop().time()
            if now_s < self._not_before_s.get(path, 0.0) or not self._ports.is_free(path):
                continue
            self._not_before_s[path] = now_s + AGAIN_S
            try:
                connection, opened = await self._ports.open_session(path, self._keypad, self._timeout_s)
            except NotAuthenticated as reason:
                if reason.reason != host.NOT_ENROLLED:
                    raise  # it is this keypad
                self._said[path] = f"port {path}: another keypad"
            except PortUnusable as reason:
                unusable = reason
                self._said[path] = str(reason)
            except LinkDown as reason:
                self._said[path] = str(reason)
                self._console_text = reason.console_text or self._console_text
            else:
                self._last = path
                self._console_text = b""
                del self._not_before_s[path]
                return connection, opened
        raise self._not_found(there, unusable)

    async def locate(self) -> str:
        """The port that the keypad is behind. Raises LinkDown, as `open_session`."""
        if self._keypad.port is not None:
            return self._keypad.port
        connection, _ = await self.open_session()
        connection.close()
        assert self._last is not None
        return self._last

    def _not_found(self, there: list[str], unusable: PortUnusable | None) -> LinkDown:
        if not there:
            return PortGone(f"no port is there: {self._ports.words}")
        if self._last is not None and self._last not in there:
            return PortGone(f"port {self._last} was pulled, and the keypad is at none of {self._ports.words}")
        if unusable is not None and len(self._said) == 1:
            return unusable
        if all(not self._ports.is_free(path) and not self._ports.is_tried(path) for path in there):
            return PortGone(f"all ports of {self._ports.words} are those of other keypads")
        said = "; ".join(self._said[path] for path in there if path in self._said)
        missing = NoSession(f"the keypad is at none of {self._ports.words}" + (f": {said}" if said else ""))
        missing.console_text = self._console_text
        return missing
