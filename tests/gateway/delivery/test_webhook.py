"""A webhook's message is signed, arrives or is said to have failed, and leads nowhere else."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.delivery import webhook
from gateway.delivery.webhook import Message, WebhookError, Webhooks, signature
from gateway.settings import Settings
from tests.gateway.delivery.receiver import (
    SECRET,
    Behaviour,
    hooked,
    hooked_to,
    misbehaving,
    receiver,
)
from tests.mail import self_signed

MESSAGE = Message(
    "01900000-0000-7000-8000-000000000001",
    "alert.high",
    datetime(2026, 11, 23, tzinfo=UTC),
    {"id": "01900000-0000-7000-8000-000000000002"},
)
PLAIN = Settings(data=Path("unused"))


async def failure(settings: Settings) -> str:
    """In what word sending fails."""
    with pytest.raises(WebhookError) as caught:
        await Webhooks(settings).send("siem", MESSAGE)
    return caught.value.failure


def test_the_signature_is_that_of_the_specification() -> None:
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_message_arrives_signed_and_names_kinds_and_ids_alone(tmp_path: Path) -> None:
    async with receiver(tmp_path) as taken:
        chosen = hooked_to(PLAIN, tmp_path, taken.authority, siem=taken.url)
        await Webhooks(chosen).send("siem", MESSAGE)

    [(headers, body)] = taken.arrived
    assert json.loads(body) == {
        "type": "alert.high",
        "timestamp": "2026-11-23T00:00:00+00:00",
        "data": {"id": "01900000-0000-7000-8000-000000000002"},
    }
    assert headers["webhook-id"] == MESSAGE.id
    signed = f"{MESSAGE.id}.{headers['webhook-timestamp']}.".encode() + body
    secret = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize("status", [301, 302, 307, 400, 410, 429, 500, 503])
async def test_what_is_not_taken_is_a_failure_and_no_redirect_is_followed(
    tmp_path: Path, status: int
) -> None:
    async with receiver(tmp_path) as taken:
        taken.status, taken.location = status, taken.url.replace("/hook", "/elsewhere")
        chosen = hooked_to(PLAIN, tmp_path, taken.authority, siem=taken.url)

        assert await failure(chosen) == f"status {status}"
    assert len(taken.arrived) == 1


async def test_a_name_that_leads_to_this_machine_is_not_connected_to(tmp_path: Path) -> None:
    async with receiver(tmp_path) as taken:
        chosen = hooked_to(PLAIN, tmp_path, taken.authority, siem=taken.url)

        assert await failure(hooked(chosen, webhook_networks=())) == "address"
        assert await failure(hooked(chosen, webhook_networks=("10.0.0.0/8",))) == "address"
    assert taken.arrived == []


@pytest.mark.parametrize("name", ["localhost", "receiver.example"])
async def test_a_name_that_leads_elsewhere_a_moment_later_is_of_no_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    connected: list[str] = []
    real = socket.socket.connect

    def connecting(self: socket.socket, address: Any) -> None:
        connected.append(address[0])
        real(self, address)

    async with receiver(tmp_path) as taken:
        port = int(taken.url.rpartition(":")[2].partition("/")[0])
        answers = iter([["9.9.9.9"], *[["127.0.0.1", "::1", "169.254.169.254"]] * 20])

        def look_up(host: str, *_: object, **__: object) -> list[Any]:
            assert host == name
            return [_answer(each, port) for each in next(answers)]

        look_up(name)  # whoever checked the name before, saw a public address
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        monkeypatch.setattr(socket.socket, "connect", connecting)
        url = taken.url.replace("localhost", name)
        chosen = hooked_to(PLAIN, tmp_path, taken.authority, siem=url)

        assert await failure(hooked(chosen, webhook_networks=())) == "address"
    assert taken.arrived == []
    assert connected == []


def _answer(address: str, port: int) -> Any:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    place = (address, port, 0, 0) if ":" in address else (address, port)
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place


async def test_proxies_of_the_environment_are_not_heeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def proxy(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        writer.close()

    async with receiver(tmp_path) as taken, misbehaving(proxy) as elsewhere:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"):
            monkeypatch.setenv(name, elsewhere.replace("https", "http"))
        chosen = hooked_to(PLAIN, tmp_path, taken.authority, siem=taken.url)
        await Webhooks(chosen).send("siem", MESSAGE)

    assert len(taken.arrived) == 1
    assert not asked.is_set()


async def test_a_certificate_that_nobody_vouches_for_or_of_another_name_is_no_receiver(
    tmp_path: Path,
) -> None:
    async with receiver(tmp_path) as taken:
        chosen = hooked_to(PLAIN, tmp_path, taken.authority, siem=taken.url)
        assert await failure(hooked(chosen, webhook_ca_file=None)) == "certificate"

        other = taken.url.replace("localhost", "127.0.0.1")
        assert (
            await failure(hooked_to(PLAIN, tmp_path, taken.authority, siem=other)) == "certificate"
        )
    assert taken.arrived == []


async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """End at once."""
    writer.close()


async def close_amid(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """End in the middle of an answer's head."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    await writer.drain()
    writer.close()


async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer what is no HTTP."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"220 mail.example ESMTP\r\n")
    await writer.drain()
    writer.close()


async def head_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send header after header."""
    await reader.readuntil(b"\r\n\r\n")
    try:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(1_000_000):
            writer.write(b"x-%d: %s\r\n" % (number, b"y" * 4096))
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@pytest.mark.parametrize("behaviour", [close, close_amid, babble, head_without_end])
async def test_a_receiver_that_breaks_off_or_speaks_no_http_took_nothing(
    tmp_path: Path, behaviour: Behaviour
) -> None:
    authority, context = self_signed(tmp_path)
    async with misbehaving(behaviour, context) as url:
        assert await failure(hooked_to(PLAIN, tmp_path, authority, siem=url)) == "unreachable"


async def test_a_receiver_without_tls_gets_nothing(tmp_path: Path) -> None:
    heard = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read(64))
        writer.close()

    authority, _ = self_signed(tmp_path)
    async with misbehaving(listen) as url:
        assert await failure(hooked_to(PLAIN, tmp_path, authority, siem=url)) == "unreachable"
    assert heard[:1] == b"\x16"  # a TLS handshake
    assert MESSAGE.id.encode() not in heard


async def test_nobody_listening_is_a_failure(tmp_path: Path) -> None:
    authority, _ = self_signed(tmp_path)
    async with misbehaving(close) as url:
        gone = url
    assert await failure(hooked_to(PLAIN, tmp_path, authority, siem=gone)) == "unreachable"


async def test_a_receiver_that_hangs_is_left_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        left.set()
        writer.close()

    authority, context = self_signed(tmp_path)
    monkeypatch.setattr(webhook, "SECONDS", 0.5)
    async with misbehaving(hang, context) as url:
        assert await failure(hooked_to(PLAIN, tmp_path, authority, siem=url)) == "timeout"
        async with asyncio.timeout(30):
            await left.wait()


async def test_of_an_answer_without_end_nothing_is_read(tmp_path: Path) -> None:
    sent, ended = 0, asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        chunk = b"x" * 65536
        try:
            while sent < 10_000_000_000:
                writer.write(chunk)
                await writer.drain()
                sent += len(chunk)
        except OSError:
            ended.set()
        finally:
            writer.close()

    authority, context = self_signed(tmp_path)
    async with misbehaving(pour, context) as url:
        await Webhooks(hooked_to(PLAIN, tmp_path, authority, siem=url)).send("siem", MESSAGE)
        async with asyncio.timeout(30):
            await ended.wait()
    assert sent < 50_000_000


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "not base64!", "é"])
async def test_without_a_secret_that_can_sign_nothing_leaves(tmp_path: Path, secret: str) -> None:
    async with receiver(tmp_path) as taken:
        chosen = hooked_to(PLAIN, tmp_path, taken.authority, siem=taken.url)
        (tmp_path / "webhook-secret").write_text(secret)
        assert await failure(chosen) == "secret"
        (tmp_path / "webhook-secret").unlink()
        assert await failure(chosen) == "secret"
    assert taken.arrived == []


def test_tls_is_never_older_than_1_2() -> None:
    assert ssl.create_default_context().minimum_version >= ssl.TLSVersion.TLSv1_2
