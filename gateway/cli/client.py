"""One server, seen from the command line: JSON calls, and requests that carry bytes."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
from yarl import URL

from gateway.cli.errors import (
    InsecureServerError,
    RefusedError,
    UnfinishedError,
    UnreachableError,
    UsageError,
)
from gateway.cli.texts import Words, language

JsonObject = dict[str, Any]

# What a network does to a connection; the request may be tried again where that is safe.
BREAKS = (aiohttp.ClientError, ConnectionError, TimeoutError)

AS_JSON = {"Content-Type": "application/json"}
PREFERRED_WAIT = "wait=10"  # RFC 7240: an answer that changes is worth waiting for
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=90)
_UNREADABLE = Words(
    "The server answered {status} and no reason. Is this the address of Kluis?",
    "De server antwoordde {status} zonder reden. Is dit het adres van Kluis?",
)
_TOKEN_NEEDED = Words(
    "Set KLUIS_TOKEN in the environment; the operator makes one by `kluis token create EMAIL`.",
    "Zet KLUIS_TOKEN in de omgeving; de beheerder maakt er een met `kluis token create EMAIL`.",
)
_TOKEN_BROKEN = Words(
    "KLUIS_TOKEN is not a token: it has characters that no token has.",
    "KLUIS_TOKEN is geen token: er staan tekens in die niet in een token horen.",
)
_NOT_AN_ADDRESS = Words(
    "This is not the address of a server. Give one such as https://kluis.example.org.",
    "Dit is geen adres van een server. Geef er een zoals https://kluis.example.org.",
)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often to try or ask again, in seconds."""

    first: float = 0.5
    longest: float = 30.0
    total: float = 900.0

    def delays(self) -> Iterator[float]:
        """Growing delays until their sum is used up."""
        delay, spent = self.first, 0.0
        while spent < self.total:
            yield delay
            spent += delay
            delay = min(delay * 2, self.longest)


class Pauses:
    """Growing pauses between tries, from the start again whenever more bytes have arrived."""

    def __init__(self, patience: Patience, server: URL) -> None:
        self._patience = patience
        self._server = server
        self._delays = patience.delays()
        self._known = -1

    def note(self, arrived: int) -> None:
        """Note how many bytes are there."""
        if arrived > self._known:
            self._known, self._delays = arrived, self._patience.delays()

    async def next(self) -> None:
        """Wait before the next try. Raises UnreachableError when patience is used up."""
        delay = next(self._delays, None)
        if delay is None:
            raise UnreachableError(field="server", server=self._server)
        await asyncio.sleep(delay)


@dataclass(frozen=True, slots=True)
class Client:
    """Speaks to one server with one token."""

    server: URL
    http: aiohttp.ClientSession

    async def get(self, path: str, **query: str) -> JsonObject:
        """The JSON behind a path under /api/v1. Raises RefusedError, UnreachableError."""
        return await self._call("GET", self.address(path).with_query(query), {})

    async def text(self, path: str) -> str:
        """The text behind a path under /api/v1. Raises RefusedError, UnreachableError."""
        try:
            async with self.request("GET", self.address(path), headers={}) as response:
                return await response.text()
        except BREAKS as error:
            raise UnreachableError(field="server", server=self.server) from error

    async def post(self, path: str, body: Mapping[str, object] | None = None) -> JsonObject:
        """Post JSON to a path under /api/v1. Raises RefusedError, UnreachableError."""
        return await self._call("POST", self.address(path), AS_JSON, body or {})

    async def put(self, path: str, body: Mapping[str, object]) -> JsonObject:
        """Put JSON to a path under /api/v1. Raises RefusedError, UnreachableError."""
        return await self._call("PUT", self.address(path), AS_JSON, body)

    async def patch(self, path: str, body: Mapping[str, object]) -> JsonObject:
        """Patch JSON at a path under /api/v1. Raises RefusedError, UnreachableError."""
        return await self._call("PATCH", self.address(path), AS_JSON, body)

    async def delete(self, path: str) -> None:
        """Delete what is at a path under /api/v1. Raises RefusedError, UnreachableError."""
        await self._call("DELETE", self.address(path), {})

    def address(self, path: str) -> URL:
        """The full address of a path under /api/v1; what a person typed is escaped in it."""
        return self.server.joinpath("api", "v1", *path.strip("/").split("/"))

    @asynccontextmanager
    async def request(
        self, method: str, address: URL, *, headers: Mapping[str, str], content: Any = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request whose answer is below 400, its body not yet read.

        Raises:
            RefusedError: The server refused.
            aiohttp.ClientError, ConnectionError, TimeoutError: The connection broke (BREAKS).
        """
        # A redirect could lead the token, or a patient's scan, to somebody else.
        sending = self.http.request(
            method, address, headers=headers, data=content, allow_redirects=False
        )
        async with sending as response:
            if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise await _refusal(response)
            yield response

    async def wait(
        self, path: str, *, done: Callable[[JsonObject], bool], patience: Patience, state: str
    ) -> AsyncIterator[JsonObject]:
        """Ask again and again, and yield each answer, until one is done.

        Breaks of the connection are waited out too.

        Args:
            path: Where to ask.
            done: Whether this answer is the last.
            patience: How often and how long.
            state: The field that names how far it is.

        Raises:
            UnfinishedError: Patience ran out.
            RefusedError: The server refused for good.
        """
        last = "?"
        for delay in patience.delays():
            try:
                answer = await self._call("GET", self.address(path), {"Prefer": PREFERRED_WAIT})
            except UnreachableError:
                last = "unreachable"
            except RefusedError as error:
                if not error.passes:
                    raise
                last = error.problem
            else:
                yield answer
                if done(answer):
                    return
                last = str(answer[state])
            await asyncio.sleep(delay)
        raise UnfinishedError(state=last)

    async def _call(
        self,
        method: str,
        address: URL,
        headers: Mapping[str, str],
        body: Mapping[str, object] | None = None,
    ) -> JsonObject:
        content = None if body is None else json.dumps(body).encode()
        try:
            async with self.request(method, address, headers=headers, content=content) as response:
                if response.status == HTTPStatus.NO_CONTENT:
                    return {}
                return _json_object(await response.read(), response.status)
        except BREAKS as error:
            raise UnreachableError(field="server", server=self.server) from error


@asynccontextmanager
async def connect(server: str, token: str | None = None) -> AsyncIterator[Client]:
    """A client of this server, with a token of its own or the one in KLUIS_TOKEN.

    Raises:
        UsageError: There is no token, or no such address can exist.
        InsecureServerError: Neither https nor this machine.
    """
    address = checked_address(server)
    bearer = token or _token_from_environment()
    headers = {"Authorization": f"Bearer {bearer}", "Accept-Language": language()}
    async with aiohttp.ClientSession(
        headers=headers, timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()
    ) as http:
        yield Client(address, http)


def _token_from_environment() -> str:
    token = os.environ.get("KLUIS_TOKEN", "").strip()
    if not token:
        raise UsageError("KLUIS_TOKEN", _TOKEN_NEEDED)
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise UsageError("KLUIS_TOKEN", _TOKEN_BROKEN)
    return token


def checked_address(server: str) -> URL:
    """The address of a server as it was typed.

    Raises:
        UsageError: No such address can exist.
        InsecureServerError: Neither https nor this machine.
    """
    try:
        address = URL(server.rstrip("/"))
        scheme, host = address.scheme, address.host
    except ValueError:
        scheme, host = "", None
    if scheme not in {"http", "https"} or not host:
        raise UsageError("server", _NOT_AN_ADDRESS)
    if scheme == "http" and not _is_this_machine(host):
        raise InsecureServerError(field="server")
    return address.with_query(None).with_fragment(None)


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _refusal(response: aiohttp.ClientResponse) -> RefusedError:
    status = response.status
    if response.content_type == "application/problem+json":
        problem = _json_object(await response.read(), status)
        detail = problem.get("detail") or problem.get("title") or _UNREADABLE.say(status=status)
        code = problem.get("code", f"http_{status}")
        return RefusedError(status, str(code), str(detail), problem.get("field"))
    return RefusedError(status, f"http_{status}", _UNREADABLE.say(status=status))


def _json_object(content: bytes, status: int) -> JsonObject:
    try:
        value = json.loads(content)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise RefusedError(status, f"http_{status}", _UNREADABLE.say(status=status))
    return value
