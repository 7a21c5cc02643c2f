"""One POST to a webhook's receiver: bounded in time, to a checked address, without following redirects."""

import asyncio
import ipaddress
import logging
import socket
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import certifi
import httpx

_ANSWER_S = 15.0  # as upstream: later is too late
# Looking up a name takes a thread for as long as its name server is silent, long after nobody waits for it. With so
# many, silent ones do not keep others from being looked up. They start when they are needed.
_LOOKUPS_MAX = 256

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")  # RFC 4291, 2.5.5.1

log = logging.getLogger(__name__)


class Post(Protocol):
    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> int | None:
        """Send; return the status of the answer, None if there was none. Does not raise."""


class Poster:
    """Posts to any number of receivers at a time.

    Args:
        private_allowed: also to addresses that are not public. An API client may name any URL; without this it
            could reach what only the hub can.
    """

    def __init__(self, *, private_allowed: bool) -> None:
        self._private_allowed = private_allowed
        self._lookups = ThreadPoolExecutor(_LOOKUPS_MAX, thread_name_prefix="doorpad-lookup")
        self._client = httpx.AsyncClient(
            timeout=_ANSWER_S,
            follow_redirects=False,
            trust_env=False,
            verify=_trust(),
            # No receiver waits for another one's connection, and none is used again: the client knows connections by
            # address, and one whose certificate is for a name would serve another name at the same address.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> int | None:
        try:
            async with asyncio.timeout(_ANSWER_S):
                target = httpx.URL(url)
                return await self._send(target, await self._addresses(target), headers, body)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError, UnicodeError) as error:
            log.debug("a webhook was not reached: %s", type(error).__name__)
            return None

    async def close(self) -> None:
        await self._client.aclose()
        self._lookups.shutdown(wait=False, cancel_futures=True)

    async def _send(
        self, target: httpx.URL, addresses: list[str], headers: Mapping[str, str], body: bytes
    ) -> int:
        """The status of the first address that can be connected to. Raises httpx.HTTPError."""
        for tried, address in enumerate(addresses, 1):
            request = self._client.build_request(
                "POST",
                target.copy_with(host=address),  # one that was checked: a name could change meanwhile
                headers={**headers, "host": target.netloc.decode(), "content-type": "application/json"},
                content=body,
                extensions={"sni_hostname": target.raw_host.decode()},  # whose certificate it has to be
            )
            try:
                answer = await self._client.send(request, stream=True)  # its body is of no interest
            except httpx.ConnectError:
                if tried == len(addresses):
                    raise
                continue
            await answer.aclose()
            return answer.status_code
        raise AssertionError("there is an address")

    async def _addresses(self, target: httpx.URL) -> list[str]:
        """The addresses of the host that may be used. Raises OSError if there are none."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._lookups,
            lambda: socket.getaddrinfo(
                target.raw_host.decode(), target.port or target.scheme, type=socket.SOCK_STREAM
            ),
        )
        addresses = [str(address[0]) for _, _, _, _, address in found]
        usable = [it for it in addresses if self._private_allowed or is_public(it)]
        if not usable:
            raise OSError("only private addresses")
        return usable


def is_public(host: str) -> bool:
    """Whether an IP address is one of the internet. Of a name it is not known before it is looked up."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = _ipv4_inside(address)
        if inner is not None:
            return is_public(str(inner))
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast


def _ipv4_inside(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that some router or kernel may send to in the place of this one."""
    if address in _NAT64 or address in _IPV4_COMPATIBLE:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _trust() -> ssl.SSLContext:
    """The authorities that the web trusts, and those that the owner of this machine does."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    return context
