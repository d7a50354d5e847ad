"""A virus scanner in front of inspection: clamd, asked by INSTREAM (clamd(8)), off by default.

It sees every file in the clear, so it is on this machine: a Unix socket, or a port on loopback.
While it is away no file gets a verdict.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from gateway.errors import InvalidInputError
from gateway.inspection.errors import InspectionUnavailableError, UnsafeFileError

_PIECE_BYTES = 1 << 20
_LENGTH_BYTES = 4
_ANSWER_BYTES = 1 << 10
_PING_SECONDS = 5.0
_PORTS = range(1, 1 << 16)


@dataclass(frozen=True, slots=True)
class Clamd:
    """Where clamd listens.

    Attributes:
        place: Path of its socket, or a loopback address.
        port: With an address: its port; None with a path.
        seconds: Time for one file.
    """

    place: str
    port: int | None
    seconds: float

    @classmethod
    def of(cls, address: str, seconds: float) -> Clamd:
        """Read the setting `clamd_address`: a path, or HOST:PORT.

        Raises:
            InvalidInputError: It is neither, or not on this machine.
        """
        if address.startswith("/"):
            return cls(address, None, seconds)
        host, _, port = address.rpartition(":")
        try:
            if ipaddress.ip_address(host.strip("[]")).is_loopback and int(port) in _PORTS:
                return cls(host.strip("[]"), int(port), seconds)
        except ValueError:
            pass
        reason = "give the path of clamd's socket, or its loopback address as HOST:PORT"
        raise InvalidInputError(field="clamd_address", reason=reason)

    async def is_there(self) -> bool:
        """Whether it answers."""
        try:
            async with asyncio.timeout(_PING_SECONDS):
                return await self._ask([b"zPING\0"]) == b"PONG\0"
        except OSError:
            return False

    async def scan(self, content: Sequence[bytes]) -> None:
        """Have one file scanned.

        Args:
            content: All of it, in pieces.

        Raises:
            UnsafeFileError: It recognised something; or it does not take so large a file.
            InspectionUnavailableError: It is away, or says something else: no verdict.
        """
        try:
            async with asyncio.timeout(self.seconds):
                answer = await self._ask(_stream(content))
        except OSError as error:
            raise InspectionUnavailableError from error
        if answer.endswith(b" FOUND\0"):
            raise UnsafeFileError("malware")
        if b"size limit exceeded" in answer:
            raise UnsafeFileError("unscanned")
        if answer != b"stream: OK\0":
            raise InspectionUnavailableError

    async def _ask(self, question: Iterable[bytes]) -> bytes:
        loop = asyncio.get_running_loop()
        # Bare sockets: what clamd says before it hangs up on too large a file can still be read.
        with self._socket() as connection:
            await loop.sock_connect(connection, self._address)
            with suppress(ConnectionError):
                for piece in question:
                    await loop.sock_sendall(connection, piece)
            answer = b""
            while not answer.endswith(b"\0") and len(answer) < _ANSWER_BYTES:
                received = await loop.sock_recv(connection, _ANSWER_BYTES)
                if not received:
                    break
                answer += received
        return answer

    def _socket(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.place else socket.AF_INET
        made = socket.socket(socket.AF_UNIX if self.port is None else family)
        made.setblocking(False)
        return made

    @property
    def _address(self) -> str | tuple[str, int]:
        return self.place if self.port is None else (self.place, self.port)


def _stream(content: Iterable[bytes]) -> Iterator[bytes]:
    """The question INSTREAM: pieces behind their length in four bytes, and one of length 0."""
    yield b"zINSTREAM\0"
    for whole in content:
        for start in range(0, len(whole), _PIECE_BYTES):
            piece = whole[start : start + _PIECE_BYTES]
            yield len(piece).to_bytes(_LENGTH_BYTES, "big") + piece
    yield bytes(_LENGTH_BYTES)
