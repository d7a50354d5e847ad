"""What attackers of HTTP servers try, each over a raw socket, and what it gets."""

from __future__ import annotations

import ast
import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import http_parser

import gateway
from gateway import serve
from gateway.api.connections import HEADER_LINES, LINE_BYTES, Crowd
from gateway.settings import Settings
from tests.gateway.ground import SQLITE
from tests.house import serving

MARK = b"Quoted-By-Nobody"
ATTACKER, NEIGHBOUR = "127.0.0.2", "127.0.0.3"
LOGIN = b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


class Server:
    """An address that answers, and raw connections to it."""

    def __init__(self, url: str, connections: AsyncExitStack) -> None:
        address = urlsplit(url)
        self._address = address.hostname, address.port
        self._connections = connections

    async def connect(self, source: str = ATTACKER) -> Connection:
        """A connection; the test's end closes it."""
        reader, writer = await asyncio.open_connection(*self._address, local_addr=(source, 0))
        self._connections.callback(hang_up, writer)
        return reader, writer

    async def tell(self, *pieces: bytes) -> bytes:
        """All that is answered until the server hangs up."""
        reader, writer = await self.connect()
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(30):
            return await reader.read()

    async def is_well(self) -> None:
        """Somebody well-behaved is served."""
        reader, writer = await self.connect("127.0.0.1")
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(30):
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()


@asynccontextmanager
async def open_server(settings: Settings, **changes: object) -> AsyncIterator[Server]:
    async with (
        serving(settings.model_copy(update=changes)) as (_, url, _),
        AsyncExitStack() as connections,
    ):
        yield Server(url, connections)


@SQLITE
async def test_every_slow_connection_is_closed_while_others_are_served(settings: Settings) -> None:
    stalled = [
        *[b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "] * 1000,
        *[LOGIN + b"Content-Length: 100\r\n\r\n{"] * 250,
        *[LOGIN + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"] * 250,
        *[b""] * 200,
    ]
    async with open_server(settings, request_seconds=2, connections_per_address=2000) as server:
        connections = []
        for piece in stalled:
            reader, writer = await server.connect()
            writer.write(piece)
            connections.append(reader)

        async def closed(reader: asyncio.StreamReader) -> None:
            try:
                answer = await reader.read()
            except ConnectionResetError:
                return
            assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")

        ends = asyncio.gather(*map(closed, connections))
        async with asyncio.timeout(120):
            while not ends.done():
                await server.is_well()
        await ends


@SQLITE
async def test_one_byte_at_a_time_does_not_keep_a_connection_open(settings: Settings) -> None:
    async with open_server(settings, request_seconds=0.5) as server:
        reader, writer = await server.connect()
        end = asyncio.create_task(reader.read())
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        async with asyncio.timeout(30):
            while not end.done():
                writer.write(b"x")
                await asyncio.wait([end], timeout=0.05)
        assert end.exception() or end.result() == b""


@SQLITE
async def test_an_address_holds_no_more_connections_than_it_may(settings: Settings) -> None:
    async with open_server(settings, connections_per_address=3) as server:
        held = [await server.connect() for _ in range(3)]
        refused, _ = await server.connect()
        assert await refused.read() == b""
        neighbour = await server.connect(NEIGHBOUR)
        for reader, writer in (*held, neighbour):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        await server.connect()  # there is room again
        await server.is_well()


@SQLITE
async def test_connections_of_a_trusted_proxy_are_not_counted(settings: Settings) -> None:
    changes = {"connections_per_address": 1, "trusted_proxies": (ATTACKER,)}
    async with open_server(settings, **changes) as server:
        for reader, writer in [await server.connect() for _ in range(5)]:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
    ],
)
def test_a_household_counts_as_one(first: str, second: str, *, same: bool) -> None:
    crowd = Crowd(1, ())
    source = crowd.let_in(first)
    assert source is not None
    assert (crowd.let_in(second) is None) is same
    crowd.let_go(source)
    assert crowd.let_in(first) is not None


def get(*headers: bytes, line: bytes = b"GET /healthz HTTP/1.1") -> bytes:
    return b"\r\n".join((line, b"Host: x", b"Connection: close", *headers)) + b"\r\n\r\n"


CHUNKED = b"Transfer-Encoding: chunked"
PROBES: dict[str, tuple[int, bytes]] = {
    "HTTP/1.0 with chunks": (400, get(CHUNKED, line=b"POST /api/v1/session HTTP/1.0")),
    "version 0.9": (400, get(line=b"GET /healthz HTTP/0.9")),
    "version 2.0": (400, get(line=b"GET /healthz HTTP/2.0")),
    "preface of HTTP/2": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "absolute address": (400, get(line=b"GET http://x/healthz HTTP/1.1")),
    "absolute address of another host": (400, get(line=b"GET https://" + MARK + b"/ HTTP/1.1")),
    "asterisk": (400, get(line=b"OPTIONS * HTTP/1.1")),
    "tunnel": (400, get(line=b"CONNECT x:443 HTTP/1.1")),
    "TRACE": (405, get(line=b"TRACE /healthz HTTP/1.1")),
    "method in lower case": (400, get(line=b"get /healthz HTTP/1.1")),
    "length and chunks": (400, get(b"Content-Length: 5", CHUNKED)),
    "two lengths": (400, get(b"Content-Length: 5", b"Content-Length: 6")),
    "length with a sign": (400, get(b"Content-Length: +5")),
    "length below zero": (400, get(b"Content-Length: -5")),
    "length in another script": (400, get("Content-Length: \u0665".encode())),
    "unknown coding": (400, get(b"Transfer-Encoding: xchunked")),
    "chunked twice": (400, get(b"Transfer-Encoding: chunked, chunked")),
    "line that ends in LF alone": (400, b"GET /healthz HTTP/1.1\nHost: x\n\n"),
    "folded header": (400, get(b"X: a\r\n b")),
    "two hosts": (400, get(b"Host: y")),
    "no host": (400, b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n"),
    "NUL in a header": (400, get(b"X: a\0b")),
    "CR in a header": (400, get(b"X: a\rb")),
    "space before the colon": (400, get(b"X : a")),
    "too many headers": (400, get(*[b"X: a"] * (HEADER_LINES + 1))),
    "long header": (400, get(b"X: " + MARK * LINE_BYTES)),
    "long line": (400, get(line=b"GET /" + MARK * LINE_BYTES + b" HTTP/1.1")),
    "upwards": (404, get(line=b"GET /api/../healthz HTTP/1.1")),
    "upwards in code": (404, get(line=b"GET /api/%2e%2e/healthz HTTP/1.1")),
    "slash in code": (404, get(line=b"GET /api%2fv1%2fopenapi.json HTTP/1.1")),
    "forged line of a log": (404, get(line=b"GET /a%0AINFO:" + MARK + b" HTTP/1.1")),
    "web socket": (200, get(b"Upgrade: websocket", b"Sec-WebSocket-Version: 13")),
    "other method in a header": (200, get(b"X-HTTP-Method-Override: DELETE")),
    "parts of a form": (422, LOGIN.replace(b"application/json", b"multipart/form-data; boundary=a")
                        + b"Connection: close\r\nContent-Length: 5\r\n\r\n--a--"),
    "form": (422, LOGIN.replace(b"application/json", b"application/x-www-form-urlencoded")
             + b"Connection: close\r\nContent-Length: 3\r\n\r\na=b"),
}  # fmt: skip


@SQLITE
async def test_every_probe_is_answered_as_decided_and_never_quoted(settings: Settings) -> None:
    got = {}
    async with open_server(settings, request_seconds=1) as server:
        for name, (_, request) in PROBES.items():
            answer = await server.tell(request)
            assert MARK not in answer, name
            assert b"aiohttp" not in answer, name
            assert b"\r\nX-Content-Type-Options: nosniff\r\n" in answer, name
            got[name] = int(answer.split()[1])
        await server.is_well()
    assert got == {name: status for name, (status, _) in PROBES.items()}


@SQLITE
async def test_a_long_line_in_small_pieces_is_cut_off(settings: Settings) -> None:
    async with open_server(settings) as server:
        _, writer = await server.connect()
        writer.write(b"GET /healthz HTTP/1.1\r\nX: ")
        with suppress(ConnectionError):  # that is the server hanging up
            async with asyncio.timeout(30):
                while True:
                    writer.write(b"x" * 64)
                    await writer.drain()


@SQLITE
async def test_many_requests_at_once_are_answered_one_after_the_other(settings: Settings) -> None:
    async with open_server(settings) as server:
        one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        answers = await server.tell(one * 999 + get())
        assert answers.count(b"HTTP/1.1 200 ") == 1000


@SQLITE
async def test_chunks_of_one_byte_are_a_body_like_any_other(settings: Settings) -> None:
    body = b"1\r\n \r\n" * (300 * 1024) + b"0\r\n\r\n"
    async with open_server(settings) as server:
        answer = await server.tell(LOGIN + b"Connection: close\r\n" + CHUNKED + b"\r\n\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 413 ")


@SQLITE
async def test_a_compressed_body_stays_as_small_as_it_came(settings: Settings) -> None:
    body = gzip.compress(b" " * (64 << 20))
    head = LOGIN + b"Connection: close\r\nContent-Encoding: gzip\r\n"
    async with open_server(settings) as server:
        answer = await server.tell(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert answer.startswith(b"HTTP/1.1 422 ")


def test_no_handler_lets_a_form_be_parsed() -> None:
    parsed = [
        (path.name, node.lineno)
        for path in Path(gateway.__path__[0]).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in {"post", "multipart"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "request"
    ]
    assert parsed == []


def test_without_the_parser_in_c_nothing_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)
    with pytest.raises(SystemExit, match="C parser"):
        serve._check_parser()
