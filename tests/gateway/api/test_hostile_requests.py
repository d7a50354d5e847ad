"""Requests that no decent client sends: the answer is a problem, and quotes nothing of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.api.connections import HEADERS
from tests.gateway.ground import SQLITE, UNKNOWN, refused
from tests.house import API, House

pytestmark = SQLITE
MARK = b"Quoted-By-Nobody"


@dataclass(frozen=True)
class Raw:
    """An answer as it came over the wire."""

    status: int
    head: bytes
    body: bytes


async def raw(house: House, request: bytes) -> Raw:
    """Send bytes as they are, and read what comes until the server hangs up."""
    address = urlsplit(house.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(request)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return Raw(int(head.split()[1]), head, body)


def request(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    """A request as bytes; the server closes behind it."""
    lines = (line + b" HTTP/1.1", b"Host: x", b"Connection: close", *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


NOT_OURS = [
    b"GET /" + MARK,
    b"GET /api/v1/cases/../cases",
    b"GET /api/v1/%2e%2e/healthz",
    b"GET /api/v1/cases/" + UNKNOWN.encode() + b"%2fevents",
    b"GET /api/v1/cases/" + UNKNOWN.encode() + b"%00",
    b"GET /api/v1/cases/" + UNKNOWN.upper().encode() + b"x",
    b"GET /api/v1/cases/" + UNKNOWN.encode() + b"/",
    b"GET //api/v1/cases",
    b"GET /api/v1/uploads/" + b"a" * 44,
    b"GET /api/v1/cases/%ff",
]


async def test_a_path_that_is_not_exactly_one_of_ours_is_not_found(house: House) -> None:
    for line in NOT_OURS:
        answer = await raw(house, request(line))

        assert answer.status in {404, 400}, line
        assert b"application/problem+json" in answer.head
        assert MARK not in answer.head + answer.body


METHODS = ["TRACE", "PUT", "PATCH", "DELETE", "PROPFIND"]


async def test_a_method_that_the_address_has_not_is_refused(house: House) -> None:
    for method in METHODS:
        answer = await raw(house, request(f"{method} /api/v1/cases".encode(), MARK + b": " + MARK))

        assert answer.status == 405, method
        assert b"application/problem+json" in answer.head
        assert MARK not in answer.body


async def test_a_refused_method_is_told_which_ones_there_are(house: House) -> None:
    answer = await house.dentist.ask("PUT", f"{API}/cases")

    refused(answer, 405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "POST"}


NOT_HTTP = [
    MARK + b"\r\n\r\n",
    b"GET /healthz HTTP/9.9\r\n" + MARK + b"\r\n\r\n",
    b"GET /" + MARK + b" HTTP/1.1\r\nHost: x\r\nBroken header " + MARK + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + MARK * 2000 + b"\r\n\r\n",
    b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: +" + MARK + b"\r\n\r\n",
    b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n" + MARK,
    b"GET /" + MARK * 1000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\xd9\xa1" + MARK + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"X-" + MARK + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
]


async def test_what_is_not_http_is_refused_without_a_word_of_it(house: House) -> None:
    for bytes_ in NOT_HTTP:
        answer = await raw(house, bytes_)

        assert answer.status == 400, bytes_
        assert MARK not in answer.head + answer.body
        assert b"aiohttp" not in answer.head + answer.body
        assert b"application/problem+json" in answer.head


CREDENTIALS = [
    b"Authorization: Bearer \xff\xfe",
    b"Authorization: Bearer " + "\u00e9".encode(),
    b"Authorization: Bearer " + b"x" * 7000,
    b"Authorization: Basic eDp4",
    b"Authorization:",
    b"Cookie: kluis=\xff\xfe",
    b'Cookie: kluis="\\377"',
    b"Cookie: kluis=" + b"x" * 7000,
    b"Cookie: ;;;=;kluis",
]


async def test_no_token_and_no_cookie_is_a_fault(house: House) -> None:
    for header in CREDENTIALS:
        answer = await raw(house, request(b"GET /api/v1/cases", header))

        assert answer.status == 401, (header, answer.body)
        assert b"application/problem+json" in answer.head


PAGE_HEADERS = [b"X-CSRF-Token: \xff\xfe", b"Origin: \xff", b"Sec-Fetch-Site: \xff", b"Host: \xff"]


async def test_no_header_of_a_page_is_a_fault(house: House) -> None:
    for header in PAGE_HEADERS:
        lines = (b"Cookie: kluis=" + b"x" * 43, header)
        answer = await raw(house, request(b"DELETE /api/v1/session", *lines))
        assert answer.status in {400, 403}, header


async def test_no_header_of_an_upload_or_a_download_is_a_fault(house: House) -> None:
    case_id, file = await house.submitted_case()
    draft = await house.dentist.new_case()
    token = f"Authorization: Bearer {house.dentist.token}".encode()
    content = f"GET {API}/cases/{case_id}/files/{file['id']}/content".encode()
    for name in (b"Range", b"If-Range", b"If-None-Match", b"Accept-Language"):
        for value in (b"\xff\xfe", b"bytes=\xd9\xa1-\xd9\xa2", b"", b"x" * 4000):
            answer = await raw(house, request(content, token, name + b": " + value))
            assert answer.status in {200, 416}, (name, value, answer.body)
    create = f"POST {API}/cases/{draft}/files".encode()
    tus = (token, b"Tus-Resumable: 1.0.0", b"Content-Length: 0")
    for value in (b"\xff", b"\xd9\xa1", b"1" * 400, b"-1", b"1.0", b"0x10", b"1e3", b" "):
        answer = await raw(house, request(create, *tus, b"Upload-Length: " + value))
        assert answer.status == 422, (value, answer.body)
        metadata = b"Upload-Metadata: kind c2Nhbg==,filename " + value
        answer = await raw(house, request(create, *tus, b"Upload-Length: 9", metadata))
        assert answer.status == 422, (value, answer.body)


NOT_OUR_JSON = [
    b"",
    b"{",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"1" * 5_000,
    b"[]",
    b"null",
    b'"text"',
    b'{"patient": {"name": 1e400, "birth_date": NaN, "number": Infinity}}',
    b'{"patient": {"name": "a", "birth_date": "2001-02-30", "number": "1"}}',
]


async def test_what_is_not_the_json_we_take_is_refused(house: House) -> None:
    for body in NOT_OUR_JSON:
        headers = {"Content-Type": "application/json"}
        answer = await house.dentist.ask("POST", f"{API}/cases", headers=headers, data=body)

        refused(answer, 422, "invalid_input")


async def test_another_media_type_is_refused(house: House) -> None:
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        headers = {"Content-Type": media_type}
        answer = await house.dentist.ask("POST", f"{API}/cases", headers=headers, data=b"{}")
        assert refused(answer, 422, "invalid_input")["field"] == "Content-Type"


async def test_a_body_without_end_is_cut_off(house: House) -> None:
    headers = {"Content-Type": "application/json"}
    whole = b'{"notes": "' + b"x" * (300 * 1024)

    async def pieces() -> object:
        for _ in range(20):
            yield b" " * 16 * 1024

    for content in (whole, pieces()):
        answer = await house.dentist.ask("POST", f"{API}/cases", headers=headers, data=content)
        refused(answer, 413, "too_large")


async def test_a_field_that_we_do_not_know_is_refused_and_not_quoted(house: House) -> None:
    patient = {"name": "a", "birth_date": "2001-02-03", "number": "1"}
    for body in (
        {"patient": patient, "pseudonym": "AAAA"},
        {"patient": {**patient, "controller_id": house.practice.id}},
        {"patient": patient, MARK.decode(): 1},
    ):
        answer = await house.dentist.ask("POST", f"{API}/cases", json=body)
        refused(answer, 422, "invalid_input")
    refused(await house.dentist.ask("GET", f"{API}/cases?state=draft&x=1"), 422, "invalid_input")


async def test_a_refused_value_is_never_quoted(house: House) -> None:
    secret = "Wilhelmina-4711"
    for body in (
        {"patient": {"name": secret * 30, "birth_date": secret, "number": [secret]}},
        {"patient": secret, "notes": {"x": secret}, "treatment": secret},
        {"patient": {"name": "a", "birth_date": "2001-02-03", "number": "1"}, "treatment": secret},
    ):
        answer = await house.dentist.ask("POST", f"{API}/cases", json=body)
        refused(answer, 422, "invalid_input")
        assert secret not in answer.text


ANSWERED = [
    ("GET", "/healthz"),
    ("GET", f"{API}/openapi.json"),
    ("GET", "/nowhere"),
    ("PUT", f"{API}/cases"),
    ("GET", f"{API}/cases"),
    ("OPTIONS", f"{API}/uploads/{'a' * 43}"),
    ("HEAD", f"{API}/uploads/{'a' * 43}"),
]


async def test_every_answer_carries_what_keeps_a_browser_from_harm(house: House) -> None:
    for method, path in ANSWERED:
        answer = await house.stranger.ask(method, path)

        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert "no-store" in HEADERS["Cache-Control"]
        assert HEADERS["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in answer.headers
        assert answer.headers["X-Request-Id"]
