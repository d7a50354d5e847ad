"""Telling another program, by HTTPS, that something happened: its kind and its id, nothing more.

Signed as Standard Webhooks has it (standardwebhooks.com, 1.0): HMAC-SHA256 over id, time and body.
Where a hook leads stands in the settings alone. Every connection goes to an address that was
checked (gateway/delivery/addresses.py); proxies of the environment, redirects and cookies are not
heeded, and of the answer nothing is read but its status.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import ipaddress
import json
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from aiohttp import (
    ClientConnectorCertificateError,
    ClientError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from yarl import URL

from gateway.delivery.addresses import Addresses
from gateway.errors import InvalidInputError
from gateway.ids import now
from gateway.settings import Settings

SECONDS = 15.0  # for one message, from looking up the name to the answer's status
LAST_PORT = 65_535
SECRET_BYTES = range(24, 65)  # as the specification has it

_ENTRY = re.compile(r"([a-z0-9][a-z0-9-]{0,39}) (\S+) (\S.*)")
# A last label that begins with a letter: no spelling of a number that a resolver would take.
_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = rf"(?:{_LABEL}\.)*[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?"
_ADDRESS = re.compile(
    rf"https://(?P<host>{_NAME}|[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{3}}|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)

log = structlog.get_logger()


class WebhookError(Exception):
    """The message was not taken, or nobody said that it was. `failure` says in a word why."""

    def __init__(self, failure: str) -> None:
        """Keep the word."""
        super().__init__(failure)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Hook:
    """One receiver.

    Attributes:
        name: What we call it: in the settings, the log and lists.
        url: Where it is; its path may be a secret of the receiver's.
        secret_file: Holds what we and it sign with, `whsec_` and base64.
    """

    name: str
    url: str
    secret_file: Path

    @classmethod
    def parse(cls, entry: str) -> Hook:
        """Read an entry of the setting `webhooks`: name, address, file of the secret.

        Raises:
            InvalidInputError: It is not that, or the address is written in a way that programs
                read differently.
        """
        parts = _ENTRY.fullmatch(entry)
        if parts is None:
            reason = "each is NAME https://ADDRESS FILE, the file holding the receiver's secret"
            raise InvalidInputError(field="webhooks", reason=reason)
        name, url, path = parts.groups()
        found = _ADDRESS.fullmatch(url)
        if found is None or int(found["port"] or 1) > LAST_PORT or not _is_plain(found["host"]):
            reason = (
                f"the address of {name} is to be https://host, lower case, no user, no fragment"
            )
            raise InvalidInputError(field="webhooks", reason=reason)
        return cls(name, url, Path(path))

    def secret(self) -> bytes:
        """What is signed with.

        Raises:
            WebhookError: The file holds none, or one that is too short or too long.
        """
        try:
            text = self.secret_file.read_text("ascii").strip()
            secret = base64.b64decode(text.removeprefix("whsec_"), validate=True)
        except (OSError, ValueError, binascii.Error):
            raise WebhookError("secret") from None
        if len(secret) not in SECRET_BYTES:
            raise WebhookError("secret")
        return secret


@dataclass(frozen=True, slots=True)
class Message:
    """What a receiver is told. `id` is the same whenever it is sent again."""

    id: str
    kind: str
    at: datetime
    about: Mapping[str, str]

    def body(self) -> bytes:
        """The message as it leaves."""
        said = {"type": self.kind, "timestamp": self.at.isoformat(), "data": dict(self.about)}
        return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of the header `webhook-signature`."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


class Webhooks:
    """Hands messages to the hooks of the settings, and to nobody else."""

    def __init__(self, settings: Settings) -> None:
        """Read where messages may go.

        Raises:
            InvalidInputError: Names the setting.
        """
        hooks = [Hook.parse(entry) for entry in settings.webhooks]
        self._hooks = {hook.name: hook for hook in hooks}
        self._addresses = Addresses(settings.webhook_networks)
        self._authorities = settings.webhook_ca_file
        for hook in hooks:
            host = URL(hook.url, encoded=True).host or ""
            if _is_figures(host) and not self._addresses.allows(host):
                reason = f"{hook.name} is not on the public internet, nor in webhook_networks"
                raise InvalidInputError(field="webhooks", reason=reason)
        if len(self._hooks) < len(hooks):
            raise InvalidInputError(field="webhooks", reason="two of them have the same name")

    @property
    def names(self) -> Sequence[str]:
        """The names of the hooks."""
        return tuple(self._hooks)

    async def send(self, name: str, message: Message) -> None:
        """Send one message to one hook.

        Raises:
            WebhookError: It was not taken. Of what the receiver answered nothing but the status is
                kept: what it says may be anything.
        """
        failure = "timeout"
        try:
            async with asyncio.timeout(SECONDS):
                await self._post(self._hooks[name], message)
        except WebhookError as error:
            failure = error.failure
        except ClientConnectorCertificateError:
            failure = "certificate"
        except (ClientError, OSError, ValueError) as error:
            failure = "timeout" if isinstance(error, TimeoutError) else "unreachable"
        else:
            return
        log.warning("webhook_failed", id=message.id, hook=name, failure=failure)
        raise WebhookError(failure)

    async def _post(self, hook: Hook, message: Message) -> None:
        body, at = message.body(), int(now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Kluis",
            "webhook-id": message.id,
            "webhook-timestamp": str(at),
            "webhook-signature": signature(
                await asyncio.to_thread(hook.secret), message.id, at, body
            ),
        }
        gate = _Gate(self._addresses)
        connector = TCPConnector(
            ssl=await asyncio.to_thread(ssl.create_default_context, cafile=self._authorities),
            socket_factory=gate.socket,
            use_dns_cache=False,
            force_close=True,
        )
        async with ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=SECONDS),
            trust_env=False,
            auto_decompress=False,
        ) as session:
            try:
                answer = await session.post(
                    URL(hook.url, encoded=True), data=body, headers=headers, allow_redirects=False
                )
            except OSError:
                if gate.refused:
                    raise WebhookError("address") from None
                raise
            # Of its body nothing is read, however long: the connection ends here.
            answer.close()
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - what HTTP calls success
            raise WebhookError(f"status {answer.status}")


class _Gate:
    """Makes the sockets of one message: to addresses that are allowed, and to no other."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self.refused = False

    def socket(self, to: tuple[Any, ...]) -> socket.socket:
        """A socket for exactly the address that is connected to next. Raises OSError."""
        family, kind, protocol, _, place = to
        if not self._addresses.allows(place[0]):
            self.refused = True
            raise OSError("this address is not allowed")
        return socket.socket(family, kind, protocol)


def _is_plain(host: str) -> bool:
    """Whether an address in figures is written in the one way that everybody reads alike."""
    bare = host.strip("[]")
    if not _is_figures(bare):
        return True
    try:
        return str(ipaddress.ip_address(bare)) == bare
    except ValueError:
        return False


def _is_figures(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()
