"""Events as syslog messages (RFC 5424), and their way to a receiver over TLS (RFC 5425).

Syslog has no acknowledgement. What it has is the end of TLS: a receiver that gets our
close_notify must answer with its own (RFC 5425, 4.4), and it can only get there by reading
everything before it. So each batch is a connection of its own, and counts as delivered once the
receiver has answered its end.

Some do not answer and just hang up (rsyslog with its GnuTLS driver). TCP tells then: a process
that closes, or dies, with bytes unread resets the connection. One that ends in order, with every
byte of ours acknowledged, had read them all.
"""

from __future__ import annotations

import fcntl
import socket
import ssl
import struct
import termios
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from gateway.errors import InvalidInputError
from gateway.exports.entry import Entry

PORT = 6514  # syslog-tls (RFC 5425, 4.1)
TIMEOUT = 10.0  # seconds, of each wait for the receiver
FACILITY = 10  # security/authorization, as in the audit trail of DICOM and IHE (ATNA)
ALERT, WARNING, NOTICE = 1, 4, 5
LARGEST_SEQUENCE = 2**31 - 1  # RFC 5424, 7.3.1


def message(entry: Entry, host: str) -> bytes:
    """Write one event as a syslog message whose text is its JSON.

    The JSON is ASCII, so there is no byte order mark, and no line or frame to break out of.

    Args:
        entry: The event, with its place.
        host: Name of this machine.
    """
    event = entry.event
    severity = WARNING if event.stage == "refused" else NOTICE
    if event.code == "integrity.alarm":
        severity = ALERT
    at = event.to_record()["event"]["at"]
    names = f"{_name(host, 255)} kluis {_name(event.source, 128)} {_name(event.code, 32)}"
    sequence = (entry.index or 0) % LARGEST_SEQUENCE + 1
    header = f"<{FACILITY * 8 + severity}>1 {at} {names}"
    return f'{header} [meta sequenceId="{sequence}"] {entry.to_json()}'.encode("ascii")


def framed(text: bytes) -> bytes:
    """Put the length in octets before a message (RFC 5425, 4.3)."""
    return b"%d %b" % (len(text), text)


@dataclass(frozen=True, slots=True)
class Receiver:
    """A syslog receiver whose certificate is checked against its name."""

    host: str
    port: int
    context: ssl.SSLContext = field(repr=False)

    @classmethod
    def of(cls, address: str, ca_file: Path | None) -> Receiver:
        """Read the settings.

        Args:
            address: `HOST` or `HOST:PORT`.
            ca_file: Who may vouch for the receiver; None: whom this machine trusts.

        Raises:
            InvalidInputError: Either is not right; the setting is named.
        """
        try:
            parts = urlsplit(f"//{address}")
            host, port = parts.hostname, parts.port or PORT
        except ValueError:
            host, port = None, PORT
        if not host or parts.path or parts.username:
            reason = "give HOST or HOST:PORT"
            raise InvalidInputError(field="syslog_tls_address", reason=reason)
        try:
            context = ssl.create_default_context(cafile=ca_file)
        except OSError:
            reason = "it is not there, or holds no certificate in PEM"
            raise InvalidInputError(field="syslog_ca_file", reason=reason) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return cls(host, port, context)

    def deliver(self, messages: Iterable[bytes]) -> None:
        """Send messages over one connection and wait for the receiver to answer its end; blocks.

        Raises:
            OSError: It is not known that all of them arrived; some or all may have.
        """
        with (
            socket.create_connection((self.host, self.port), TIMEOUT) as plain,
            self.context.wrap_socket(plain, server_hostname=self.host) as tls,
        ):
            tls.sendall(b"".join(map(framed, messages)))
            try:
                tls.unwrap()
            except ssl.SSLEOFError:
                if _unacknowledged(tls):
                    raise


def _unacknowledged(connection: socket.socket) -> int:
    """How many bytes of ours the other machine has not acknowledged (tcp(7), SIOCOUTQ)."""
    count: int
    (count,) = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))
    return count


def _name(text: str, limit: int) -> str:
    """A header field: printable ASCII without spaces (RFC 5424, 6)."""
    shown = "".join(sign if "!" <= sign <= "~" else "?" for sign in text[:limit])
    return shown or "-"
