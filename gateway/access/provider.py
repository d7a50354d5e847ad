"""The sign-on provider over HTTP: discovery, its keys, and codes turned into who it is.

Authorization code with PKCE (RFC 7636, S256); `state`, `nonce` and the verifier are derived from
the secret that the browser keeps in a cookie, so a code is of use to that browser alone. Answers
are bounded in size and time, redirects are not followed, and plain HTTP is for this machine alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, encode_basic_auth
from joserfc.jwk import KeySet
from yarl import URL

from gateway.access.identity import (
    Identity,
    Logout,
    TokenError,
    UnknownKeyError,
    base64url,
    derived,
)
from gateway.access.idtokens import Expected, identity, key_set, logout
from gateway.errors import UnavailableError
from gateway.ids import now

TIMEOUT = ClientTimeout(total=10.0, sock_connect=5.0)
ANSWER_LIMIT = 256 * 1024
KEPT = timedelta(hours=1)
REFRESHED_EVERY = timedelta(minutes=1)  # at the most, whatever keys strangers name
OK, BAD_REQUEST = 200, 400


@dataclass(frozen=True, slots=True)
class Client:
    """This installation as the provider knows it.

    Attributes:
        redirect: Where browsers come back to.
        secret_file: Its first line is the client's secret; None: a public client.
        scopes: What is asked for.
        max_age: How long ago somebody may have signed in there; else they do so again.
        groups_claim: Where groups stand in an ID token.
    """

    client_id: str
    redirect: str
    secret_file: Path | None
    scopes: str
    groups_claim: str
    max_age: timedelta


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the provider says of itself (OpenID Connect Discovery 1.0, RFC 8414)."""

    authorization: str
    token: str
    posts_secret: bool
    names_issuer: bool
    keys: KeySet
    read_at: datetime


class Provider:
    """One provider. Belongs to the event loop of its first request."""

    def __init__(self, issuer: str, client: Client) -> None:
        """Nothing is sent yet.

        Args:
            issuer: https://, or http:// on this machine; anything else is a ValueError.
            client: Ourselves.
        """
        self.issuer = checked_address(issuer)
        self._client = client
        self._expected = Expected(issuer, client.client_id, client.max_age)
        self._http: ClientSession | None = None
        self._metadata: Metadata | None = None
        self._reading = asyncio.Lock()

    async def close(self) -> None:
        """Let go of connections."""
        if self._http is not None:
            await self._http.close()

    async def authorization(self, secret: str) -> str:
        """Where to send the browser that keeps `secret`.

        Raises:
            UnavailableError: The provider cannot be reached, or is not what it should be.
        """
        metadata = await self._known()
        verifier = derived(secret, "verifier")
        wanted = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect,
            "scope": self._client.scopes,
            "state": derived(secret, "state"),
            "nonce": derived(secret, "nonce"),
            "code_challenge": base64url(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
            "max_age": str(int(self._client.max_age.total_seconds())),
        }
        return str(URL(metadata.authorization).update_query(wanted))

    async def redeem(self, code: str, issuer: str | None, secret: str) -> Identity:
        """Turn the code that a browser brought back into who it is.

        Args:
            code: From the provider.
            issuer: The `iss` beside it (RFC 9207), if there was one.
            secret: The browser's.

        Raises:
            TokenError: The code or the token does not hold, or came from somebody else.
            UnavailableError: The provider cannot be reached, or does not know us.
        """
        metadata = await self._known()
        if issuer is None and metadata.names_issuer:
            raise TokenError("iss")
        if issuer is not None and issuer != self.issuer:
            raise TokenError("iss")  # the code of another provider (mix-up)
        token = await self._exchange(metadata, code, secret)

        def check(keys: KeySet) -> Identity:
            claim, nonce = self._client.groups_claim, derived(secret, "nonce")
            return identity(token, keys, self._expected, nonce, groups_claim=claim, now=now())

        try:
            return check(metadata.keys)
        except UnknownKeyError:
            return check((await self._refreshed(metadata)).keys)

    async def logout(self, token: str) -> Logout:
        """Check a logout token.

        Raises:
            TokenError: It does not hold.
            UnavailableError: The provider cannot be reached.
        """
        metadata = await self._known()
        try:
            return logout(token, metadata.keys, self._expected, now=now())
        except UnknownKeyError:
            keys = (await self._refreshed(metadata)).keys
            return logout(token, keys, self._expected, now=now())

    async def _exchange(self, metadata: Metadata, code: str, secret: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.redirect,
            "code_verifier": derived(secret, "verifier"),
        }
        own, headers = self._client, {}
        if own.secret_file is None or metadata.posts_secret:
            form["client_id"] = own.client_id
        if own.secret_file is not None:
            ours = _first_line(own.secret_file)
            if metadata.posts_secret:
                form["client_secret"] = ours
            else:  # RFC 6749 section 2.3.1: encoded, then joined by a colon
                name, ours = quote(own.client_id, safe=""), quote(ours, safe="")
                headers["Authorization"] = encode_basic_auth(name, ours)
        status, answer = await self._ask("POST", metadata.token, data=form, headers=headers)
        if status == BAD_REQUEST:
            raise TokenError("code")
        token = answer.get("id_token") if status == OK else None
        if not isinstance(token, str):
            raise UnavailableError
        return token

    async def _known(self) -> Metadata:
        if self._metadata is not None and now() - self._metadata.read_at < KEPT:
            return self._metadata
        return await self._refreshed(self._metadata)

    async def _refreshed(self, before: Metadata | None) -> Metadata:
        """Read all anew; of several who ask at once, one does."""
        async with self._reading:
            known = self._metadata
            if known is not None and known is not before:
                return known
            if known is not None and now() - known.read_at < REFRESHED_EVERY:
                return known
            try:
                self._metadata = await self._read()
            except (TokenError, ValueError, KeyError, TypeError) as error:
                raise UnavailableError from error
            return self._metadata

    async def _read(self) -> Metadata:
        address = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        status, said = await self._ask("GET", address)
        # Exactly ours, or one provider could speak for another (Discovery section 4.3).
        if status != OK or said.get("issuer") != self.issuer:
            raise TokenError("issuer")
        if "S256" not in said.get("code_challenge_methods_supported", ["S256"]):
            raise TokenError("pkce")
        methods = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        status, keys = await self._ask("GET", checked_address(said["jwks_uri"]))
        if status != OK:
            raise TokenError("jwks")
        return Metadata(
            authorization=checked_address(said["authorization_endpoint"]),
            token=checked_address(said["token_endpoint"]),
            posts_secret="client_secret_basic" not in methods,
            names_issuer=said.get("authorization_response_iss_parameter_supported") is True,
            keys=key_set(keys),
            read_at=now(),
        )

    async def _ask(self, method: str, address: str, **given: Any) -> tuple[int, Mapping[str, Any]]:
        """The status, and the answer if it is a JSON object; else an empty one."""
        if self._http is None:
            self._http = ClientSession(timeout=TIMEOUT, cookie_jar=DummyCookieJar())
        try:
            async with self._http.request(
                method, URL(address, encoded=True), allow_redirects=False, **given
            ) as response:
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > ANSWER_LIMIT:
                        raise UnavailableError
                answer = json.loads(body)
        except (ClientError, TimeoutError):
            # Not as the cause: the exceptions of aiohttp hold the request with its headers.
            raise UnavailableError from None
        except (ValueError, RecursionError):
            return response.status, {}
        return response.status, answer if isinstance(answer, dict) else {}


def checked_address(address: object) -> str:
    """The address, if tokens may be trusted to it. Raises ValueError."""
    if not isinstance(address, str):
        raise ValueError("it is no address")  # noqa: TRY004 - all that is wrong with it is one error
    parts = urlsplit(address)
    if parts.username is not None or parts.fragment or not parts.hostname:
        raise ValueError("it is no plain address")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
        raise ValueError("it is not https://")
    return address


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _first_line(path: Path) -> str:
    try:
        return path.read_text().partition("\n")[0].strip()
    except OSError as error:
        raise UnavailableError from error
