"""A mail server that fails in any way took nothing, and nobody waits for it without end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from yarl import URL

from gateway.mail import post
from gateway.mail.post import Mail, MailError, Post
from gateway.mail.texts import Text
from gateway.settings import Settings
from tests.gateway.delivery.receiver import misbehaving
from tests.mail import Mailbox, by_mail

PLAIN = Settings(data=Path("unused"))
MAIL = Mail("01900000-0000-7000-8000-000000000001", "who@people.invalid", Text("About", "A line."))
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def talking(*answers: bytes) -> Talk:
    """A server that greets, gives one answer after each command, and then ends."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            writer.write(answer)
            await writer.drain()
            if not await reader.readline():
                break
        writer.close()

    return talk


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say nothing at all."""
    await reader.read(-1)
    writer.close()


async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greet without end."""
    try:
        while True:
            writer.write(b"220-" + b"x" * 400 + b"\r\n")
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


OK = b"250 fine\r\n"
WAYS = {
    "closes at once": talking(),
    "greets with a refusal": talking(b"554 go away\r\n"),
    "greets in another protocol": talking(b"HTTP/1.1 200 OK\r\n\r\n"),
    "greets without end": babble,
    "says nothing": hang,
    "refuses to be greeted": talking(b"220 here\r\n", b"502 no\r\n", b"502 no\r\n"),
    "refuses the sender": talking(b"220 here\r\n", OK, b"550 not you\r\n"),
    "takes no such recipient": talking(b"220 here\r\n", OK, OK, b"550 unknown\r\n"),
    "is full": talking(b"220 here\r\n", OK, OK, b"452 full\r\n"),
    "refuses the text": talking(b"220 here\r\n", OK, OK, OK, b"554 no text\r\n"),
    "closes amid the text": talking(b"220 here\r\n", OK, OK, OK, b"354 go on\r\n"),
    "closes after a greeting": talking(b"220 here\r\n"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_server_that_fails_took_nothing(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way in {"says nothing", "greets without end"}:
        monkeypatch.setattr(post, "SECONDS", 0.5)
    async with misbehaving(WAYS[way]) as address, asyncio.timeout(120):
        box = Mailbox(port=URL(address).port or 0)
        with pytest.raises(MailError):
            await Post(by_mail(PLAIN, box)).send(MAIL)


async def test_nobody_listening_is_a_failure() -> None:
    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    box = Mailbox(port=server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()

    with pytest.raises(MailError):
        await Post(by_mail(PLAIN, box)).send(MAIL)
