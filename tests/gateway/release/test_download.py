"""Downloads: whole, in ranges, conditionally; and what the log says of them."""

from __future__ import annotations

import asyncio
import hashlib
from urllib.parse import urlsplit

import pytest

from keys.stream import SEGMENT_SIZE, TAG_SIZE
from tests.gateway.ground import SQLITE, logged, refused, until
from tests.house import API, Answer, House
from tests.scans import arch, binary_stl, jpeg

pytestmark = SQLITE
SCAN = binary_stl(arch(50_000, seed=11))  # 2.5 MB: three segments
FIRST = SEGMENT_SIZE - 40 - TAG_SIZE  # bytes of plaintext in the first segment
SIZE = len(SCAN)


class Shelf:
    """A case with one scan, and the scan as it is kept."""

    def __init__(self, house: House, case_id: str, file_id: str, content: bytes) -> None:
        self.house, self.case_id, self.file_id, self.content = house, case_id, file_id, content
        self.path = f"{API}/cases/{case_id}/files/{file_id}/content"
        self.etag = f'"{hashlib.sha256(content).hexdigest()}"'

    async def get(self, **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.house.dentist.ask("GET", self.path, headers=sent)


@pytest.fixture
async def shelf(house: House) -> Shelf:
    case_id = await house.dentist.new_case()
    file = await house.dentist.upload(case_id, SCAN, name="Proefpersoon.stl")
    content = await house.dentist.download(case_id, file["id"])
    assert hashlib.sha256(content).hexdigest() == file["sha256"]
    return Shelf(house, case_id, file["id"], content)


async def test_a_whole_file_comes_with_what_keeps_a_browser_from_showing_it(shelf: Shelf) -> None:
    answer = await shelf.get()

    assert answer.status == 200
    assert (len(answer.body), answer.headers["Content-Length"]) == (SIZE, str(SIZE))
    assert answer.body[84:] == shelf.content[84:]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="scan-1.stl"'
    assert answer.headers["Content-Type"] == "model/stl"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["ETag"] == shelf.etag
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert "Content-Encoding" not in answer.headers


async def test_a_range_gives_exactly_its_bytes_across_segments(shelf: Shelf) -> None:
    ranges = {
        "bytes=0-0": (0, 1),
        "bytes=0-": (0, SIZE),
        f"bytes={FIRST - 1}-{FIRST}": (FIRST - 1, FIRST + 1),
        f"bytes={FIRST}-{FIRST}": (FIRST, FIRST + 1),
        f"bytes=100-{2 * SEGMENT_SIZE}": (100, 2 * SEGMENT_SIZE + 1),
        f"bytes={SIZE - 1}-": (SIZE - 1, SIZE),
        f"bytes={SIZE - 5}-{SIZE + 5}": (SIZE - 5, SIZE),
        "bytes=-1": (SIZE - 1, SIZE),
        f"bytes=-{SIZE}": (0, SIZE),
        f"bytes=-{SIZE * 9}": (0, SIZE),
        "bytes=7-9223372036854775807": (7, SIZE),
    }
    for asked, (start, stop) in ranges.items():
        answer = await shelf.get(Range=asked)
        assert answer.status == 206, asked
        assert answer.body == shelf.content[start:stop], asked
        assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
        assert answer.headers["Content-Length"] == str(stop - start)


async def test_a_range_behind_the_end_is_not_satisfiable(shelf: Shelf) -> None:
    for asked in (f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 9}", "bytes=-0", "bytes=99999999999-"):
        answer = await shelf.get(Range=asked)
        refused(answer, 416, "range_not_satisfiable")
        assert answer.headers["Content-Range"] == f"bytes */{SIZE}"


NOT_ONE_RANGE = [
    "bytes=0-1,5-9",
    "bytes=9-1",
    "bytes=-",
    "bytes=",
    "bytes",
    "bytes=x-1",
    "bytes=0-1x",
    "bytes=--1",
    "bytes=1--2",
    "seconds=0-1",
    "bytes=0x0-0x9",
    "bytes=\u0661-\u0662",
    "bytes=" + "9" * 40 + "-",
]


async def test_what_is_not_one_range_of_bytes_gives_the_whole(shelf: Shelf) -> None:
    for asked in NOT_ONE_RANGE:
        answer = await shelf.get(Range=asked)

        assert (answer.status, len(answer.body)) == (200, SIZE)
        assert "Content-Range" not in answer.headers


async def test_a_range_of_another_version_gives_the_whole(shelf: Shelf) -> None:
    same = await shelf.get(Range="bytes=0-9", If_Range=shelf.etag)
    assert (same.status, same.body) == (206, shelf.content[:10])
    for other in ('"another"', f"W/{shelf.etag}", "Sun, 06 Nov 1994 08:49:37 GMT"):
        assert (await shelf.get(Range="bytes=0-9", If_Range=other)).status == 200


async def test_what_one_has_already_is_not_sent_again(shelf: Shelf) -> None:
    for known in (shelf.etag, f'"another", {shelf.etag}', f"W/{shelf.etag}", "*"):
        answer = await shelf.get(If_None_Match=known)
        assert (answer.status, answer.body) == (304, b""), known
        assert answer.headers["ETag"] == shelf.etag
    assert (await shelf.get(If_None_Match='"another"')).status == 200


async def test_a_download_is_authorised_before_and_accounted_for_after(shelf: Shelf) -> None:
    await shelf.get(Range="bytes=0-99")
    await shelf.get(If_None_Match=shelf.etag)

    events = (await logged(shelf.house, "file.download"))[-4:]
    assert [e["event"]["stage"] for e in events] == ["authorised", "outcome"] * 2
    assert [e["event"]["detail"] for e in events[1::2]] == [
        {"bytes": 100, "ended": True},
        {"bytes": 0, "ended": True},
    ]
    assert events[0]["object"]["id"] == shelf.file_id
    assert events[1]["event"]["cause"] == events[0]["event"]["id"]


async def test_who_hangs_up_is_logged_with_less_than_everything(shelf: Shelf) -> None:
    known = {e["event"].get("cause") for e in await logged(shelf.house, "file.download")}
    address = urlsplit(shelf.house.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=1)
    request = (
        f"GET {shelf.path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {shelf.house.dentist.token}"
    )
    writer.write(f"{request}\r\n\r\n".encode())
    await reader.readexactly(1)
    writer.transport.abort()

    async def is_logged() -> bool:
        last = (await logged(shelf.house, "file.download"))[-1]["event"]
        if last["stage"] != "outcome" or last["cause"] in known:
            return False
        assert last["detail"]["ended"] is False
        return bool(last["detail"]["bytes"] < SIZE)

    await until(is_logged)


async def test_a_photo_leaves_by_its_own_type_and_a_neutral_name(shelf: Shelf) -> None:
    house = shelf.house
    photo = await house.dentist.upload(shelf.case_id, jpeg(), "photo", "Proefpersoon.jpg")
    path = f"{API}/cases/{shelf.case_id}/files/{photo['id']}/content"
    answer = await house.dentist.ask("GET", path)

    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="photo-1.jpg"'
