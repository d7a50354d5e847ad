"""A small client of the HTTP API of OpenBao: logs in, stays logged in, fails closed.

What cannot be answered now (sealed, unreachable, silent, at fault) is a ProviderUnavailableError,
what is not allowed a ProviderRefusedError. No token, and no word of an answer, is in either.
"""

import asyncio
import ipaddress
import json
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import (
    ClientError,
    ClientOSError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    ServerDisconnectedError,
    TCPConnector,
)
from yarl import URL

from keys.errors import ProviderRefusedError, ProviderUnavailableError

TIMEOUT = ClientTimeout(total=10.0, sock_connect=5.0)
RETRY_SECONDS = 1.0  # between two tries to renew a token, and before the first at the earliest
OK, NO_CONTENT, BAD_REQUEST, FORBIDDEN, NOT_FOUND = 200, 204, 400, 403, 404
SEALED = 503  # also a node without an active one

_LOGIN_REMEDY = "check the credential that the settings name, and that it has not expired"
_RIGHTS_REMEDY = "grant the policy that docs/operations.md shows"
_MOUNT_REMEDY = "mount the engines as docs/operations.md shows, or check openbao_mount"
_WAIT = "it is tried again by itself once it answers"

POLICY = """\
path "{mount}/transit/keys/+" {{
  capabilities       = ["create", "read", "update", "delete"]
  allowed_parameters = {{ "type" = ["aes256-gcm96"] }}
}}
path "{mount}/transit/keys/+/config" {{
  capabilities       = ["create", "update"]
  allowed_parameters = {{ "deletion_allowed" = [true] }}
}}
path "{mount}/transit/config/keys" {{
  capabilities       = ["create", "update"]
  allowed_parameters = {{ "disable_upsert" = [true] }}
}}
path "{mount}/transit/encrypt/+" {{ capabilities = ["update"] }}
path "{mount}/transit/decrypt/+" {{ capabilities = ["update"] }}
path "{mount}/kv/data/controllers/+" {{ capabilities = ["create", "read", "update"] }}
path "{mount}/kv/data/signing" {{ capabilities = ["create", "read", "update"] }}
"""
"""All that Kluis needs on the server: no key can be exported, made exportable, or rotated."""


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A file whose first line is a token; read again when the token no longer works.

    Whoever writes it (an agent of OpenBao, an operator) may replace it at any time.
    """

    path: Path


@dataclass(frozen=True, slots=True)
class AppRole:
    """A role, and a file whose first line is the secret id to log in with."""

    role_id: str
    secret_id_file: Path


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: done (200, 204), not there (404) or not possible like this (400)."""

    status: int
    data: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Token:
    """Lease in seconds; 0: without an end."""

    secret: str = field(repr=False)
    lease: float
    renewable: bool


class BaoClient:
    """Speaks to one server as one identity. Belongs to the event loop of its first request."""

    def __init__(
        self, address: str, login: TokenFile | AppRole, ca_file: Path | None = None
    ) -> None:
        """Nothing is sent yet.

        Args:
            address: https://, or http:// on this machine; anything else is a ValueError.
            login: How to get a token.
            ca_file: Certificates (PEM) that vouch for the server; None: this machine's own.
        """
        self._address = _checked(address)
        self._login = login
        self._ca_file = ca_file
        self._http: ClientSession | None = None
        self._token: _Token | None = None
        self._logging_in = asyncio.Lock()
        self._renewing: asyncio.Task[None] | None = None

    async def request(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> Answer:
        """Ask for `path` under /v1.

        A request that broke with its connection is sent once more: what is sent here may be.

        Raises:
            ProviderUnavailableError: Sealed, unreachable, silent or at fault.
            ProviderRefusedError: No token to be had, or it does not allow this.
        """
        token = self._token or await self._log_in(None)
        status, document = await self._send(method, path, token, body)
        if status == FORBIDDEN and await self._is_over(token):
            token = await self._log_in(token)
            status, document = await self._send(method, path, token, body)
        if status == FORBIDDEN:
            raise ProviderRefusedError("permission denied", _RIGHTS_REMEDY)
        if status == NOT_FOUND and document.get("errors"):
            raise ProviderRefusedError("nothing is mounted there", _MOUNT_REMEDY)
        return Answer(status, document.get("data") or {})

    async def check(self) -> None:
        """Return if the server is unsealed and knows this token; raises as `request`."""
        await self.request("GET", "auth/token/lookup-self")

    async def close(self) -> None:
        """Hang up. A token from a log-in of our own is revoked, if the server still answers."""
        token, self._token = self._token, None
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        if token is not None and isinstance(self._login, AppRole):
            with suppress(ProviderUnavailableError):
                await self._send("POST", "auth/token/revoke-self", token)
        if self._http is not None:
            await self._http.close()

    async def _is_over(self, token: _Token) -> bool:
        """Whether it is the token that is refused, not what was asked with it."""
        status, _ = await self._send("GET", "auth/token/lookup-self", token)
        return status == FORBIDDEN

    async def _log_in(self, over: _Token | None) -> _Token:
        """Replace the token `over`, once for all who found it over."""
        async with self._logging_in:
            if self._token is None or self._token is over:
                token = await self._new_token()
                if self._renewing is not None:
                    self._renewing.cancel()
                self._renewing = asyncio.create_task(self._renew(token))
                self._token = token
            return self._token

    async def _new_token(self) -> _Token:
        if isinstance(self._login, TokenFile):
            token = _Token(await asyncio.to_thread(_first_line, self._login.path), 0, False)
            status, found = await self._send("GET", "auth/token/lookup-self", token)
            details = found.get("data") or {}
            secret: object = token.secret
            lease = details.get("ttl")
        else:
            secret_id = await asyncio.to_thread(_first_line, self._login.secret_id_file)
            credential = {"role_id": self._login.role_id, "secret_id": secret_id}
            status, found = await self._send("POST", "auth/approle/login", None, credential)
            details = found.get("auth") or {}
            secret, lease = details.get("client_token"), details.get("lease_duration")
        if status in {BAD_REQUEST, FORBIDDEN, NOT_FOUND}:
            raise ProviderRefusedError("log-in refused", _LOGIN_REMEDY)
        if not isinstance(secret, str) or not isinstance(lease, int):
            raise _not_openbao()
        return _Token(secret, lease, bool(details.get("renewable")))

    async def _renew(self, token: _Token) -> None:
        """Keep the token alive until it cannot be renewed; then the next request logs in."""
        lease = token.lease
        while lease and token.renewable:
            await asyncio.sleep(max(lease * 2 / 3, RETRY_SECONDS))
            try:
                status, found = await self._send("POST", "auth/token/renew-self", token)
            except ProviderUnavailableError:
                lease = RETRY_SECONDS
                continue
            if status != OK:
                return
            lease = float((found.get("auth") or {}).get("lease_duration") or 0)

    async def _send(
        self,
        method: str,
        path: str,
        token: _Token | None,
        body: Mapping[str, object] | None = None,
    ) -> tuple[int, Mapping[str, Any]]:
        try:
            status, content = await self._exchange(method, path, token, body)
        except TimeoutError:
            raise ProviderUnavailableError("no answer in time", _WAIT) from None
        except (ClientError, OSError):
            # Not as the cause: the exceptions of aiohttp hold the request with its headers.
            reason = "unreachable, or its certificate is not trusted"
            raise ProviderUnavailableError(reason, _WAIT) from None
        if status == SEALED:
            raise ProviderUnavailableError("sealed", "unseal it (bao operator unseal)")
        if status not in {OK, NO_CONTENT, BAD_REQUEST, FORBIDDEN, NOT_FOUND}:
            raise ProviderUnavailableError(f"answered {status}", _WAIT)
        try:
            document = json.loads(content or b"{}")
        except ValueError:
            raise _not_openbao() from None
        if not isinstance(document, dict):
            raise _not_openbao()
        return status, document

    async def _exchange(
        self, method: str, path: str, token: _Token | None, body: Mapping[str, object] | None
    ) -> tuple[int, bytes]:
        # The header keeps a request forged by way of some other server of the house out.
        headers = {"X-Vault-Request": "true"}
        if token is not None:
            headers["X-Vault-Token"] = token.secret
        address = f"{self._address}/v1/{path}"
        try:
            return await self._once(method, address, headers, body)
        except (ServerDisconnectedError, ClientOSError):
            # An idle connection may have been cut by a restart of the server.
            return await self._once(method, address, headers, body)

    async def _once(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str],
        body: Mapping[str, object] | None,
    ) -> tuple[int, bytes]:
        # No redirects: the token goes to the server that was named, and to no other.
        async with self._session().request(
            method, address, json=body, headers=headers, allow_redirects=False
        ) as response:
            return response.status, await response.read()

    def _session(self) -> ClientSession:
        if self._http is None:
            try:
                trust = ssl.create_default_context(cafile=self._ca_file)
            except OSError:
                remedy = "check the setting openbao_ca_file"
                raise ProviderRefusedError("no certificates to trust", remedy) from None
            self._http = ClientSession(
                timeout=TIMEOUT, cookie_jar=DummyCookieJar(), connector=TCPConnector(ssl=trust)
            )
        return self._http


def _checked(address: str) -> str:
    url = URL(address)
    host = url.host or ""
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(host)):
        raise ValueError("an address is https://, or http:// on this machine")
    if not host or url.user or url.path not in {"", "/"} or url.query_string or url.fragment:
        raise ValueError("an address is a scheme, a host and a port")
    return address.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _first_line(path: Path) -> str:
    """The credential in a file.

    Raises:
        ProviderRefusedError: It cannot be read, or holds what no header can carry.
    """
    try:
        with path.open(encoding="ascii") as file:
            line = file.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        line = ""
    if not line or not line.isprintable():
        raise ProviderRefusedError("no credential", f"put it on the first line of {path}")
    return line


def _not_openbao() -> ProviderUnavailableError:
    return ProviderUnavailableError("its answer is not OpenBao's", "check the address")
