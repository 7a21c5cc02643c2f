"""Where a webhook's event is sent, and where never: addresses, names, certificates, and receivers that are ill."""

import asyncio
import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from doorpad.events import posting
from doorpad.events.posting import Poster, is_public

WELL = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)

Answer = Callable[[asyncio.StreamWriter], Coroutine[Any, Any, None]]


async def well(writer: asyncio.StreamWriter) -> None:
    writer.write(WELL)


class Receiver:
    """Notes the heads of the requests that reach it."""

    def __init__(self, answer: Answer) -> None:
        self.heads: list[bytes] = []
        self._answer = answer
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            await self._answer(writer)
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def receiving(
    answer: Answer = well, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    receiver = Receiver(answer)
    server = await asyncio.start_server(receiver.take, host, port, ssl=tls, backlog=1_000)
    receiver.port = server.sockets[0].getsockname()[1]
    yield receiver
    server.close()


@contextlib.asynccontextmanager
async def posting_by(
    *, private_allowed: bool
) -> AsyncIterator[Callable[[str], Coroutine[Any, Any, int | None]]]:
    poster = Poster(private_allowed=private_allowed)
    yield lambda url: poster(url, {"webhook-id": "1"}, b"{}")
    await poster.close()


PUBLIC = ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
PRIVATE = [
    *("0.0.0.0", "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00::1", "fec0::1", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0"),
    *("64:ff9b::127.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::1", "2001::1"),
]


@pytest.mark.parametrize("address", PUBLIC + PRIVATE)
def test_public_addresses_are_told_from_others(address: str) -> None:
    assert is_public(address) == (address in PUBLIC)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "0", "[::ffff:7f00:1]"],
)
async def test_receiver_of_this_machine_is_not_reached_by_any_of_its_names(host: str) -> None:
    async with receiving() as receiver:
        async with posting_by(private_allowed=False) as post:
            assert await post(f"http://{host}:{receiver.port}/") is None
        assert receiver.heads == []
        async with posting_by(private_allowed=True) as post:
            assert await post(f"http://{host}:{receiver.port}/") == 200


async def test_name_that_changes_its_address_after_it_was_checked_leads_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another address of this machine plays the public one; each further look at the name gives the private one."""
    lookups: list[str] = []

    def look_up(host: str, port: Any, *_: Any, **__: Any) -> list[Any]:
        lookups.append(host)
        address = "127.0.0.2" if len(lookups) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(posting, "is_public", lambda address: address == "127.0.0.2")
    async with receiving(host="127.0.0.2") as public, receiving(port=public.port) as private:
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        async with posting_by(private_allowed=False) as post:
            assert await post(f"http://rebound.example:{public.port}/") == 200
            assert (lookups, len(public.heads)) == (["rebound.example"], 1)
            assert await post(f"http://rebound.example:{public.port}/") is None
        assert private.heads == []


async def test_next_address_is_tried_where_the_first_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, port: Any, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (it, port)) for it in ("127.0.0.9", "127.0.0.1")]

    async with receiving() as receiver:
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        async with posting_by(private_allowed=True) as post:
            assert await post(f"http://two.example:{receiver.port}/") == 200
        assert f"host: two.example:{receiver.port}".encode() in receiver.heads[0].lower()


class Authority:
    """One that signs certificates."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        certificate = (
            self._certificate(self._name, self._key.public_key(), NOW + DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "authority.pem"
        self.file.write_bytes(certificate.public_bytes(Encoding.PEM))

    def server(self, host: str, *, until: datetime.datetime = NOW + DAY) -> ssl.SSLContext:
        """What a receiver of this name needs."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Receiver")])
        try:
            names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(host))]
        except ValueError:
            names = [x509.DNSName(host)]
        certificate = (
            self._certificate(name, key.public_key(), until)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        both = self._folder / "server.pem"
        both.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + certificate.public_bytes(Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(both)
        return context

    def _certificate(self, name: x509.Name, key: Any, until: datetime.datetime) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 3 * DAY)
            .not_valid_after(until)
        )


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """One that the owner of this machine trusts."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


async def test_receiver_with_a_good_certificate_is_told(authority: Authority) -> None:
    for host in ("localhost", "127.0.0.1"):
        async with (
            receiving(tls=authority.server(host)) as receiver,
            posting_by(private_allowed=True) as post,
        ):
            assert await post(f"https://{host}:{receiver.port}/") == 200
            assert len(receiver.heads) == 1


@pytest.mark.parametrize("fault", ["authority", "name", "expired", "address"])
async def test_receiver_with_a_bad_certificate_is_told_nothing(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    if fault == "authority":
        monkeypatch.delenv("SSL_CERT_FILE")
    names = {"name": "other.example", "address": "127.0.0.2"}
    until = NOW - DAY if fault == "expired" else NOW + DAY
    async with (
        receiving(tls=authority.server(names.get(fault, "localhost"), until=until)) as receiver,
        posting_by(private_allowed=True) as post,
    ):
        assert await post(f"https://localhost:{receiver.port}/") is None
        assert receiver.heads == []


async def test_certificate_of_one_name_does_not_serve_another_name_at_the_same_address(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who answers look-ups with lies could else take over what is for others, with a certificate of his own."""

    def look_up(host: str, port: Any, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async with receiving(tls=authority.server("his.example")) as receiver:
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        async with posting_by(private_allowed=True) as post:
            assert await post(f"https://his.example:{receiver.port}/") == 200
            assert await post(f"https://yours.example:{receiver.port}/") is None
        assert len(receiver.heads) == 1


async def test_any_number_of_receivers_that_do_not_answer_hold_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(posting, "_ANSWER_S", 3_600.0)
    closing = asyncio.Event()

    async def never(_writer: asyncio.StreamWriter) -> None:
        await closing.wait()

    async with (
        receiving(never) as dead,
        receiving() as receiver,
        posting_by(private_allowed=True) as post,
    ):
        waiting = [asyncio.create_task(post(f"http://127.0.0.1:{dead.port}/")) for _ in range(200)]
        async with asyncio.timeout(60):
            while len(dead.heads) < len(waiting):
                await asyncio.sleep(0)
            assert await post(f"http://127.0.0.1:{receiver.port}/") == 200
        closing.set()
        await asyncio.gather(*waiting)


async def test_name_servers_that_do_not_answer_hold_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    found = socket.getaddrinfo
    silent = threading.Event()

    def look_up(host: str, *rest: Any, **named: Any) -> Any:
        if host == "silent.example":
            silent.wait()
            raise socket.gaierror("nobody knows")
        return found(host, *rest, **named)

    monkeypatch.setattr(posting, "_ANSWER_S", 60.0)
    async with receiving() as receiver, posting_by(private_allowed=True) as post:
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        waiting = [asyncio.create_task(post("http://silent.example/")) for _ in range(100)]
        await asyncio.sleep(0)
        try:
            assert await post(f"http://localhost:{receiver.port}/") == 200
        finally:
            silent.set()
        assert await asyncio.gather(*waiting) == [None] * 100


async def test_answer_without_an_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "_ANSWER_S", 60.0)

    async def endless(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            await writer.drain()

    async def body(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        await endless(writer)

    async def head(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\na: ")
        await endless(writer)

    for answer, status in ((body, 200), (head, None)):
        async with receiving(answer) as receiver, posting_by(private_allowed=True) as post:
            assert await post(f"http://127.0.0.1:{receiver.port}/") == status
