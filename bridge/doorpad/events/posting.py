"""One POST to a webhook's receiver: bounded in time, to a checked address, without following redirects."""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Mapping
from typing import Protocol

import httpx

_ANSWER_S = 15.0  # as upstream: later is too late

log = logging.getLogger(__name__)


class Post(Protocol):
    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> int | None:
        """Send; return the status of the answer, None if there was none. Does not raise."""


class Poster:
    """Posts with one pool of connections.

    Args:
        private_allowed: also to addresses that are not public. An API client may name any URL; without this it
            could reach what only the hub can.
    """

    def __init__(self, *, private_allowed: bool) -> None:
        self._private_allowed = private_allowed
        self._client = httpx.AsyncClient(timeout=_ANSWER_S, follow_redirects=False, trust_env=False)

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> int | None:
        try:
            async with asyncio.timeout(_ANSWER_S):
                target = httpx.URL(url)
                address = await self._address(target)
                request = self._client.build_request(
                    "POST",
                    target.copy_with(host=address),  # the one that was checked: a name could change meanwhile
                    headers={**headers, "host": target.netloc.decode(), "content-type": "application/json"},
                    content=body,
                    extensions={"sni_hostname": target.host},
                )
                answer = await self._client.send(request, stream=True)  # its body is of no interest
                await answer.aclose()
                return answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError, UnicodeError) as error:
            log.debug("a webhook was not reached: %s", type(error).__name__)
            return None

    async def close(self) -> None:
        await self._client.aclose()

    async def _address(self, target: httpx.URL) -> str:
        """An address of the host. Raises OSError if it has none that may be used."""
        found = await asyncio.get_running_loop().getaddrinfo(
            target.host, target.port or target.scheme, type=socket.SOCK_STREAM
        )
        for _, _, _, _, address in found:
            if self._private_allowed or is_public(str(address[0])):
                return str(address[0])
        raise OSError("only private addresses")


def is_public(host: str) -> bool:
    """Whether an IP address is one of the internet. Of a name it is not known before it is looked up."""
    return ipaddress.ip_address(host.partition("%")[0]).is_global
