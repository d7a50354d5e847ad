"""A way to a server that breaks: every byte goes through here, until it is cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

PIECE = 64 * 1024


@dataclass
class Line:
    """A line to a server at `port` of loopback.

    Attributes:
        port: Where the server is.
        carried: Bytes that went to the server, of all connections.
        cut_after: The line breaks, and stays broken, once it has carried so many; None: never.
        silent: Whether it breaks without a word: nothing comes through, and nobody is told.
    """

    port: int
    carried: int = 0
    cut_after: int | None = None
    silent: bool = False
    mended: asyncio.Event = field(default_factory=asyncio.Event)
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def is_cut(self) -> bool:
        """Whether nothing goes through."""
        return self.cut_after is not None and self.carried >= self.cut_after

    def cut_in(self, count: int, *, silent: bool = False) -> None:
        """Break after so many bytes more."""
        self.mended.clear()
        self.cut_after, self.silent = self.carried + count, silent

    def mend(self) -> None:
        """Let everything through again."""
        self.cut_after = None
        self.mended.set()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a browser."""
        if self.is_cut:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.port)
        self.open |= {writer, back}
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, back, counts=True))
                both.create_task(self._carry(there, writer, counts=False))
        finally:
            self.open -= {writer, back}

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool
    ) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(PIECE):
                if counts:
                    self.carried += len(piece)
                if self.is_cut:
                    break
                writer.write(piece)
                await writer.drain()
        if self.is_cut:
            if self.silent:
                await self.mended.wait()
            for each in self.open:
                each.transport.abort()
        writer.close()


@asynccontextmanager
async def line_to(port: int) -> AsyncIterator[tuple[Line, str]]:
    """A line to the server, and the address at its near end."""
    line = Line(port)
    server = await asyncio.start_server(line.connect, "127.0.0.1", 0)
    try:
        near = server.sockets[0].getsockname()[1]
        yield line, f"http://127.0.0.1:{near}"
    finally:
        server.close()
        for each in line.open:
            each.transport.abort()
