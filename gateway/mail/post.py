"""The way out: one message to one address, by SMTP over TLS.

A message is plain text that we wrote; the only part of it that came from outside is the address,
and one that is not exactly one address is refused before anything is sent. TLS is required unless
the server is this machine's own, and the server's certificate is checked.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from urllib.parse import urlsplit

import aiosmtplib
import structlog

from gateway.errors import InvalidInputError
from gateway.ids import now
from gateway.mail.texts import Text
from gateway.settings import Settings

SECONDS = 30.0  # for one message, from connecting to its last answer
AT_A_TIME = 4

log = structlog.get_logger()


class MailError(Exception):
    """The message did not leave, or nobody said that it did."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One message to one address. It may hold a secret: it is never stored, nor shown."""

    id: str
    to: str
    text: Text = field(repr=False)


class Post:
    """Hands messages to the mail server of the settings."""

    def __init__(self, settings: Settings) -> None:
        """Read what is needed to send.

        Raises:
            InvalidInputError: Names the setting: mail without TLS or without pages to link to.
        """
        self._settings = settings
        self._turns = asyncio.Semaphore(AT_A_TIME)
        if self.is_open:
            _check(settings)

    @property
    def is_open(self) -> bool:
        """Whether there is a mail server to send by."""
        return bool(self._settings.smtp_host)

    def page(self, path: str, secret: str = "") -> str:
        """The address of a page; a secret stands in the fragment, which browsers never send."""
        base = self._settings.public_url.rstrip("/")
        return f"{base}/{path}#{secret}" if secret else f"{base}/{path}"

    async def send(self, mail: Mail) -> None:
        """Send one message.

        Raises:
            MailError: It may not have left. Of the cause, only its kind is logged: what a server
                answers may quote the message.
        """
        if not self.is_open:
            raise MailError
        settings = self._settings
        try:
            message = self.message(mail)
            async with asyncio.timeout(SECONDS), self._turns:
                await aiosmtplib.send(
                    message,
                    hostname=settings.smtp_host,
                    port=settings.smtp_port,
                    username=settings.smtp_user or None,
                    password=await asyncio.to_thread(self._password),
                    use_tls=settings.smtp_tls == "tls",
                    start_tls=settings.smtp_tls == "starttls",
                    tls_context=await asyncio.to_thread(self._context),
                    timeout=SECONDS,
                )
        except (aiosmtplib.SMTPException, MailError, OSError, UnicodeError) as error:
            log.warning("mail_failed", id=mail.id, error=type(error).__name__)
            raise MailError from None
        finally:
            _heed_cancellation()

    def message(self, mail: Mail) -> EmailMessage:
        """The message as it leaves.

        Raises:
            MailError: Where it goes is not exactly one address.
        """
        message = EmailMessage(SMTP)
        sender = _address(self._settings.mail_from)
        message["From"] = sender
        message["To"] = _address(mail.to)
        message["Subject"] = mail.text.subject
        message["Date"] = format_datetime(now())
        # The same for a message that is sent again: a reader's program can tell.
        message["Message-ID"] = f"<{mail.id}@{sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday answers it
        message.set_content(mail.text.body + "\n", cte="quoted-printable")
        return message

    def _password(self) -> str | None:
        path = self._settings.smtp_password_file
        return None if path is None else path.read_text().strip()

    def _context(self) -> ssl.SSLContext | None:
        if self._settings.smtp_tls == "none":
            return None
        return ssl.create_default_context(cafile=self._settings.smtp_ca_file)


def _heed_cancellation() -> None:
    """Raise the cancellation of this task if one came.

    `asyncio.wait_for` of Python 3.11, of which the client is made, drops one that comes together
    with what it waits for; a task that is not cancelled would keep the server from ending.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _check(settings: Settings) -> None:
    if settings.smtp_tls == "none" and not _is_loopback(settings.smtp_host):
        reason = "mail leaves this machine over TLS alone: choose starttls or tls"
        raise InvalidInputError(field="smtp_tls", reason=reason)
    page = urlsplit(settings.public_url)
    plain = page.scheme == "http" and _is_loopback(page.hostname or "")
    if not page.hostname or not (plain or page.scheme == "https") or page.query or page.fragment:
        reason = "mail links to our pages: give their address, such as https://kluis.example"
        raise InvalidInputError(field="public_url", reason=reason)
    try:
        _address(settings.mail_from)
    except MailError:
        raise InvalidInputError(field="mail_from", reason="give one e-mail address") from None


def _address(given: str) -> Address:
    """One address and nothing more. Raises MailError."""
    try:
        address = Address(addr_spec=given)
    except (MessageError, ValueError, IndexError):
        raise MailError from None
    # What its reader lets pass, a mail server might take for more.
    if not given.isprintable() or " " in given or not address.username or not address.domain:
        raise MailError
    return address


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
