"""Ground of the exports' tests: entries, a certificate authority, and a real syslog receiver."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socketserver
import ssl
import threading
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from gateway.exports.entry import Entry
from gateway.exports.syslog import Receiver
from storage.accesslog.event import AccessEvent

CASE = "01a203ae-919b-70c9-a651-9d43dc82776f"
AT = datetime(2026, 3, 1, 8, 0, 0, 250_000, tzinfo=UTC)


def entry(number: int = 1, email: str | None = None, **changes: object) -> Entry:
    """An entry: a planner took out a file of a case."""
    values: dict[str, object] = {
        "id": str(uuid.UUID(int=number)),
        "at": AT + timedelta(seconds=number),
        "code": "file.download",
        "action": "R",
        "stage": "authorised",
        "actor_id": "account-1",
        "actor_role": "planner",
        "ground": "assignment:assignment-7",
        "request_id": "request-1",
        "access_point": "api",
        "source": "node-1",
        "address": "192.0.2.7",
        "controller_id": "practice-1",
        "case_id": CASE,
        "object_type": "file",
        "object_id": "file-3",
    }
    event = AccessEvent(**(values | changes))  # type: ignore[arg-type]
    return Entry(event, number + 10, number, email)


@dataclass(frozen=True)
class Authority:
    """Vouches for receivers; its certificate is in `path`."""

    directory: Path
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def path(self) -> Path:
        """Its own certificate, for those who trust it."""
        path = self.directory / "authority.pem"
        if not path.exists():
            made = self._certificate("authority", self.key, None)
            path.write_bytes(made.public_bytes(Encoding.PEM))
        return path

    def server_context(self, name: str = "127.0.0.1") -> ssl.SSLContext:
        """What a receiver of this name shows."""
        key = ec.generate_private_key(ec.SECP256R1())
        chain = self.directory / f"{name}.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        certificate = self._certificate(name, key, name)
        chain.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(chain)
        return context

    def _certificate(
        self, name: str, key: ec.EllipticCurvePrivateKey, address: str | None
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        builder = (
            x509.CertificateBuilder()
            .subject_name(named)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=address is None, path_length=None), True)
        )
        if address is not None:
            alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
            builder = builder.add_extension(alternative, False)
        return builder.sign(self.key, SHA256())


@dataclass
class SyslogServer:
    """Takes frames over TLS (RFC 5425) as receivers do: it answers the end when it has read all.

    In threads of its own: asyncio would answer the end before anybody has read what came before.
    """

    port: int = 0
    messages: list[bytes] = field(default_factory=list)
    takes: int | None = None  # messages of one connection, before it hangs up
    answers: bool = True  # the end of TLS, as RFC 5425 wants it
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def listening(self, context: ssl.SSLContext) -> AsyncIterator[SyslogServer]:
        """Listen on a free port of this machine."""
        loop, taken = asyncio.get_running_loop(), self._take

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                # A sender that does not trust us ends the handshake.
                with (
                    contextlib.suppress(OSError),
                    context.wrap_socket(self.request, server_side=True) as tls,
                ):
                    taken(tls, loop)

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
            self.port = server.server_address[1]
            serving = threading.Thread(target=server.serve_forever, args=(0.02,))
            serving.start()
            try:
                yield self
            finally:
                await asyncio.to_thread(server.shutdown)
                serving.join()

    def receiver(self, ca_file: Path) -> Receiver:
        """How to reach it."""
        return Receiver.of(f"127.0.0.1:{self.port}", ca_file)

    def _take(self, tls: ssl.SSLSocket, loop: asyncio.AbstractEventLoop) -> None:
        takes = self.takes
        with tls.makefile("rb") as stream:
            for _ in itertools.count() if takes is None else range(takes):
                length = b"".join(iter(lambda: stream.read(1).strip(), b""))
                if not length:
                    if self.answers:
                        tls.unwrap()
                    break
                self.messages.append(stream.read(int(length)))
                loop.call_soon_threadsafe(self.arrived.set)
