"""One session with one keypad over an open port: the asyncio shell around the sans-I/O session."""

import asyncio
import os
import termios
import time
from typing import Any

import serial
from doorpad_link.host import Hinted, HostSession, Lost, Opened, Replied

from doorpad.keyring import LinkKey
from doorpad.link.errors import LinkDown, NoSession, PortGone, ProtocolViolation, session_lost
from doorpad.link.port import open_port
from doorpad.link.prompt import KNOCK, what_speaks
from doorpad.link.statistics import LinkStatistics

_READ_BYTES = 4096
BITS_PER_BYTE = 10  # start bit, eight data bits, stop bit
_KNOCK_S = 0.1  # a prompt answers within some ms
_UNSENT_BYTES_MAX = 1 << 16  # of a port that takes nothing; more than all repetitions of one frame


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _byte_us(baud: int) -> int:
    return BITS_PER_BYTE * 1_000_000 // baud


class Connection:
    """An open session. Make one with `Connection.open`; it ends by itself when the session is lost."""

    def __init__(self, port: serial.Serial, key: LinkKey, serial_number: str, half_duplex: bool) -> None:
        self._port = port
        self.serial = serial_number
        self._loop = asyncio.get_running_loop()
        device_id = bytes.fromhex(serial_number)
        self._session = HostSession(
            key.host_id,
            lambda offered: key.psk if offered == device_id else None,
            os.urandom,
            _byte_us(port.baudrate),
            half_duplex,
        )
        self._unsent = bytearray()
        self._began_ms = _now_ms()
        self._bytes_in = 0
        self._bytes_out = 0
        self._us_in = 0  # that the line took for them
        self._us_out = 0
        self._timer: asyncio.TimerHandle | None = None
        self._opened: asyncio.Future[Opened] = self._loop.create_future()
        self._replies: dict[int, asyncio.Future[Replied]] = {}  # by number of the request
        self._down: LinkDown | None = None
        self.hinted = asyncio.Event()  # the keypad said that something changed, or the session is over

    @classmethod
    async def open(
        cls,
        path: str,
        baud: int,
        key: LinkKey,
        serial_number: str,
        timeout_s: float = 10.0,
        *,
        half_duplex: bool = False,
    ) -> "tuple[Connection, Opened]":
        """Open the port and a session with the keypad of this serial number (16 hex digits).

        `half_duplex`: the line is one pair of wires for both directions.

        Raises:
            LinkDown: one of its kinds; the port is closed again.
        """
        connection = cls(open_port(path, baud), key, serial_number, half_duplex)
        connection._loop.add_reader(connection._port.fd, connection._readable)
        try:
            connection._session.start(_now_ms())
            connection._after_session()
            async with asyncio.timeout(timeout_s):
                return connection, await connection._opened
        except TimeoutError:
            await connection._knock()
            silence = connection._silence()
            connection._end(silence)
            raise silence from None
        except BaseException:
            connection.close()
            raise

    async def _knock(self) -> None:
        """Let a prompt show itself that has said nothing since the port was opened."""
        if what_speaks(self._session.unframed()) is None:
            self._unsent += KNOCK
            self._write()
            await asyncio.sleep(_KNOCK_S)

    def _silence(self) -> NoSession:
        text = self._session.unframed()
        speaks = what_speaks(text)
        silence = NoSession(
            f"port {self._port.port}: the keypad does not answer" + (f"; {speaks}" if speaks else "")
        )
        silence.console_text = text if speaks else b""
        return silence

    @property
    def statistics(self) -> LinkStatistics:
        """Of this session."""
        elapsed_us = max((_now_ms() - self._began_ms) * 1000, 1)
        return LinkStatistics(
            sessions=1,
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            noise=self._session.noise,
            forged=self._session.forged,
            retransmits=self._session.retransmits,
            answered=self._session.answered,
            repeats=self._session.repeats,
            round_trip_ms=self._session.round_trip_ms,
            baud=self.baud,
            line_use=round(min(max(self._us_in, self._us_out) / elapsed_us, 1.0), 4),
        )

    @property
    def baud(self) -> int:
        """The speed of the port."""
        return int(self._port.baudrate)

    def set_baud(self, baud: int) -> None:
        """Change the speed of the port. What is under way then is lost.

        Raises:
            LinkDown: the session is over, or the port has gone with this.
        """
        if self._down is not None:
            raise self._down
        try:
            self._port.baudrate = baud
        except (serial.SerialException, OSError, ValueError, termios.error) as error:
            self._end(PortGone(f"port {self._port.port} takes no speed of {baud}: {error}"))
            raise self._down or NoSession("the session is over") from error
        self._session.set_pace(_byte_us(baud), _now_ms())
        self._after_session()

    @property
    def mtu_bytes(self) -> int:
        """The longest frame that the keypad takes, header, tag and CRC included."""
        return self._session.mtu_bytes

    @property
    def round_trip_ms(self) -> int:
        return self._session.round_trip_ms

    @property
    def down(self) -> LinkDown | None:
        """Why the session is over, or None while it stands."""
        return self._down

    async def request(self, op: int, body: object) -> tuple[int, object]:
        """Send a request; return (status, body) of its reply. Requests made together are in flight together.

        Raises:
            LinkDown: the session was lost; whether the keypad did what was asked is not known.
        """
        if self._down is not None:
            raise self._down
        waiting: asyncio.Future[Replied] = self._loop.create_future()
        number = self._session.request(op, body, _now_ms())
        self._replies[number] = waiting
        self._after_session()
        try:
            reply = await waiting
        finally:
            self._replies.pop(number, None)
        if reply.op != op:
            self._end(ProtocolViolation(f"reply to operation {reply.op}, {op} was asked"))
            raise self._down or NoSession("the session is over")
        return reply.status, reply.body

    def close(self) -> None:
        """Give the port back. Closing twice is fine."""
        self._end(NoSession("the hub closed the connection"))

    def _readable(self) -> None:
        try:
            data = os.read(self._port.fd, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(PortGone(f"port {self._port.port} was pulled ({error.strerror})"))
            return
        if not data:
            self._end(PortGone(f"port {self._port.port} was pulled"))
            return
        self._bytes_in += len(data)
        self._us_in += len(data) * _byte_us(self.baud)
        for event in self._session.receive(data, _now_ms()):
            self._on_event(event)
        self._after_session()

    def _on_event(self, event: Opened | Replied | Hinted | Lost) -> None:
        if isinstance(event, Opened):
            if not self._opened.done():
                self._opened.set_result(event)
        elif isinstance(event, Replied):
            waiting = self._replies.get(event.number)
            if waiting is not None and not waiting.done():
                waiting.set_result(event)
        elif isinstance(event, Hinted):
            self.hinted.set()
        else:
            self._end(session_lost(event.reason, str(self._port.port)))

    def _after_session(self) -> None:
        # Whatever the session was told, it may want to send, and to be called at another time.
        if self._down is not None:
            return
        self._unsent += self._session.take_output()
        self._write()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wake_at_ms = self._session.wake_at_ms()
        if wake_at_ms is not None:
            delay_s = max(wake_at_ms - _now_ms(), 0) / 1000
            self._timer = self._loop.call_later(delay_s, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        for event in self._session.on_time(_now_ms()):
            self._on_event(event)
        self._after_session()

    def _write(self) -> None:
        if self._down is not None:
            return
        try:
            while self._unsent:
                sent = os.write(self._port.fd, self._unsent)
                del self._unsent[:sent]
                self._bytes_out += sent
                self._us_out += sent * _byte_us(self.baud)
        except BlockingIOError:
            if len(self._unsent) > _UNSENT_BYTES_MAX:
                self._unsent.clear()
            self._loop.add_writer(self._port.fd, self._write)
        except OSError as error:
            self._end(PortGone(f"port {self._port.port} was pulled ({error.strerror})"))
        else:
            self._loop.remove_writer(self._port.fd)

    def _end(self, reason: LinkDown) -> None:
        if self._down is not None:
            return
        self._down = reason
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._port.fd)
        self._loop.remove_writer(self._port.fd)
        self._port.close()
        waits: list[asyncio.Future[Any]] = [self._opened, *self._replies.values()]
        for waiting in waits:
            if not waiting.done():
                waiting.set_exception(reason)
                waiting.exception()  # also where nobody waits: the reason stands in `down`
        self.hinted.set()
