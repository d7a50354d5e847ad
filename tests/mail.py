"""A real mail server on loopback, and what arrived there."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.settings import Settings
from tests.house import House, open_house
from tests.leaks import planted

PAGES = "https://kluis.invalid"
FRAGMENT = re.compile(rf"{PAGES}/(\w+)#([\w-]{{43}})")
LOGIN = LoginPassword(b"kluis", b"the password at the mail server")


@dataclass(frozen=True)
class Arrived:
    """One message as the server got it."""

    sender: str | None
    recipients: tuple[str, ...]
    raw: bytes
    by_tls: bool

    @property
    def message(self) -> EmailMessage:
        """The message, read."""
        found = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def text(self) -> str:
        """What stands in it."""
        return str(self.message.get_content())

    @property
    def secret(self) -> str:
        """The secret in its link."""
        found = FRAGMENT.search(self.text)
        assert found, self.text
        return planted("a link's secret", found[2])


@dataclass
class Mailbox:
    """A mail server; what it says to each message, and when, can be chosen."""

    port: int = 0
    answer: str = "250 taken"
    arrived: list[Arrived] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    held: asyncio.Event | None = None

    async def handle_DATA(  # noqa: N802 - the server calls it so
        self, _server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take a message, or answer what was chosen."""
        if self.answer.startswith("2"):
            assert isinstance(envelope.content, bytes)
            self.arrived.append(
                Arrived(
                    envelope.mail_from,
                    tuple(envelope.rcpt_tos),
                    envelope.content,
                    by_tls=session.ssl is not None,
                )
            )
            self.came.set()
        if self.held is not None:
            await self.held.wait()
        return self.answer

    def to(self, address: str) -> list[Arrived]:
        """What arrived for an address."""
        return [mail for mail in self.arrived if mail.recipients == (address,)]

    async def about(self, words: str, address: str) -> Arrived:
        """The first message for an address with these words in its subject, once it is there."""
        async with asyncio.timeout(30):
            while True:
                for mail in self.to(address):
                    if words in mail.message["Subject"]:
                        return mail
                self.came.clear()
                await self.came.wait()

    async def next_to(self, address: str, number: int = 1) -> Arrived:
        """The message of this number for an address, once it is there."""
        async with asyncio.timeout(30):
            while len(self.to(address)) < number:
                self.came.clear()
                await self.came.wait()
        return self.to(address)[number - 1]


@asynccontextmanager
async def mail_server(
    tls: ssl.SSLContext | None = None, *, login: bool = False
) -> AsyncIterator[Mailbox]:
    """A server on loopback, in this loop; with a context it requires STARTTLS."""
    box = Mailbox()

    def check(*given: object) -> AuthResult:
        return AuthResult(success=given[-1] == LOGIN)

    def answering() -> SMTP:
        return SMTP(
            box,
            tls_context=tls,
            require_starttls=tls is not None,
            auth_required=login,
            authenticator=check if login else None,
            enable_SMTPUTF8=True,
        )

    server = await asyncio.get_running_loop().create_server(answering, "127.0.0.1", 0)
    async with server:
        box.port = server.sockets[0].getsockname()[1]
        yield box


def by_mail(settings: Settings, box: Mailbox) -> Settings:
    """The settings with this server, plainly on loopback."""
    return settings.model_copy(
        update={
            "smtp_host": "127.0.0.1",
            "smtp_port": box.port,
            "smtp_tls": "none",
            "mail_from": "kluis@house.invalid",
            "public_url": PAGES,
        }
    )


@asynccontextmanager
async def house_with_mail(settings: Settings) -> AsyncIterator[tuple[House, Mailbox]]:
    """A running Kluis that sends mail."""
    async with mail_server() as box, open_house(by_mail(settings, box)) as house:
        yield house, box


def self_signed(directory: Path, name: str = "localhost") -> tuple[Path, ssl.SSLContext]:
    """A certificate of its own authority, and the server's side of TLS with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    at = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(hours=1))
        .not_valid_after(at + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path, key_path = directory / f"{name}.pem", directory / f"{name}.key"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key_path)
    return path, context
