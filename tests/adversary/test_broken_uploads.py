"""Uploads that break at any byte go on where they were; whoever writes wrongly is refused."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.house import API, BYTES, TUS, House, Person
from tests.scans import arch, binary_stl

SCAN = binary_stl(arch(106_000, seed=41))  # more than 5 MiB
BREAKS = 24
MOST = 400_000  # bytes between two breaks


@pytest.fixture
def backend() -> str:
    """How bytes arrive is the same on both."""
    return "sqlite"


async def test_an_upload_broken_at_random_bytes_is_resumed_and_whole(house: House) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    chance = random.Random(seed)
    assert len(SCAN) > 5 << 20
    whole = await house.dentist.upload(await house.dentist.new_case(), SCAN)
    case_id = await house.dentist.new_case()
    address, file_id = await house.dentist.begin_upload(case_id, len(SCAN))

    offset = reached = 0
    for _ in range(BREAKS):
        sent = chance.choice((1, chance.randrange(1, MOST), chance.randrange(1, MOST)))
        async with _sent(house.dentist, address, offset, sent) as writer:
            # Somewhere between the first byte and the last that arrives.
            await asyncio.sleep(chance.uniform(0, 0.2))
            if chance.random() < 0.5:
                writer.transport.abort()
        durable = await house.dentist.offset(address)
        # An earlier request may have gone on after its offset was asked for.
        reached = max(reached, offset + sent)
        assert offset <= durable <= reached
        offset = durable
    assert 0 < offset < len(SCAN)
    # What was still on its way when the offset was told makes that one stale: ask again.
    while (answer := await house.dentist.append(address, offset, SCAN[offset:])).status == 409:
        offset = await house.dentist.offset(address)
    file = await house.dentist.verdict(case_id, file_id)

    assert answer.status == 204
    assert (file["state"], file["sha256"]) == ("accepted", whole["sha256"])
    content = await house.dentist.download(case_id, file_id)
    assert hashlib.sha256(content).hexdigest() == whole["sha256"]


async def test_asking_for_the_offset_makes_durable_all_that_has_arrived(house: House) -> None:
    address, _ = await house.dentist.begin_upload(await house.dentist.new_case(), len(SCAN))

    for offset, sent in ((0, 1), (1, 65_535), (65_536, 1_048_577), (1_114_113, 2_000_000)):
        async with _sent(house.dentist, address, offset, sent), asyncio.timeout(10):
            await _reached(house.dentist, address, offset + sent)
        assert await house.dentist.offset(address) == offset + sent


async def test_a_second_request_takes_over_from_one_that_hangs(house: House) -> None:
    case_id = await house.dentist.new_case()
    address, file_id = await house.dentist.begin_upload(case_id, len(SCAN))
    half = len(SCAN) // 2
    began, go_on = asyncio.Event(), asyncio.Event()

    async def hanging() -> AsyncIterator[bytes]:
        yield SCAN[:half]
        began.set()
        await go_on.wait()
        yield SCAN[half:]

    headers = {**TUS, **BYTES, "Upload-Offset": "0"}
    first = asyncio.create_task(
        house.dentist.ask("PATCH", address, headers=headers, data=hanging())
    )
    await began.wait()
    async with asyncio.timeout(10):
        await _reached(house.dentist, address, half)
    second = await house.dentist.append(address, half, SCAN[half:])
    go_on.set()
    late = await first

    assert second.status == 204
    assert late.status in {409, 410}, late.text
    assert (await house.dentist.verdict(case_id, file_id))["state"] == "accepted"


async def test_a_wrong_offset_is_refused_and_changes_nothing(house: House) -> None:
    address, _ = await house.dentist.begin_upload(await house.dentist.new_case(), len(SCAN))
    assert (await house.dentist.append(address, 0, SCAN[:1_000])).status == 204

    for offset in (0, 1, 999, 1_001, len(SCAN), len(SCAN) + 1, 10**14):
        answer = await house.dentist.append(address, offset, SCAN[1_000:2_000])
        assert answer.status == 409, answer.text
        assert answer.json()["code"] == "offset_mismatch"

    assert await house.dentist.offset(address) == 1_000


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_longer_than_the_upload_is_refused(house: House, declared: bool) -> None:
    small = SCAN[:10_000]
    address, _ = await house.dentist.begin_upload(await house.dentist.new_case(), len(small))
    assert (await house.dentist.append(address, 0, small[:4_000])).status == 204
    too_much = small[4_000:] + b"x"

    async def chunks() -> AsyncIterator[bytes]:
        yield too_much

    headers = {**TUS, **BYTES, "Upload-Offset": "4000"}
    body: Any = too_much if declared else chunks()
    answer = await house.dentist.ask("PATCH", address, headers=headers, data=body)

    assert answer.status == 413
    assert await house.dentist.offset(address) < len(small)


async def test_two_requests_at_once_at_the_same_offset_count_once(house: House) -> None:
    case_id = await house.dentist.new_case()
    address, file_id = await house.dentist.begin_upload(case_id, len(SCAN))
    answers = await asyncio.gather(*(house.dentist.append(address, 0, SCAN) for _ in range(4)))

    offset = await house.dentist.offset(address)
    if offset < len(SCAN):
        assert (await house.dentist.append(address, offset, SCAN[offset:])).status == 204

    assert {answer.status for answer in answers} <= {204, 409}
    assert (await house.dentist.verdict(case_id, file_id))["state"] == "accepted"
    parts = house.settings.data / "blobs" / "quarantine"
    async with asyncio.timeout(10):
        while True:
            if not [path for path in parts.rglob("*") if path.is_file()]:
                return
            await asyncio.sleep(0.05)


async def test_a_planner_of_another_case_gets_404_and_the_practice_sees_the_refusal(
    house: House,
) -> None:
    own, own_file = await house.planned_case()
    other, other_file = await house.submitted_case()
    assert (await house.planner.download(own, own_file["id"])) != b""

    for path in ("", "/archive", f"/files/{other_file['id']}/content", "/events"):
        answer = await house.planner.ask("GET", f"{API}/cases/{other}{path}")
        assert answer.status == 404
        unknown = await house.planner.ask("GET", f"{API}/cases/{own[:-4]}0000{path}")
        assert unknown.status == 404
        assert answer.json() == unknown.json()

    seen = await house.dentist.get(f"{API}/cases/{other}/events")
    refused = [event for event in seen["events"] if event["stage"] == "refused"]
    assert {event["actor"]["email"] for event in refused} == {house.planner.email}
    assert [event["event"] for event in refused] == [
        "case.view",
        "file.download",
        "file.download",
        "log.view",
    ]


async def _reached(dentist: Person, address: str, offset: int) -> None:
    while True:
        if await dentist.offset(address) == offset:
            return
        await asyncio.sleep(0.02)


@asynccontextmanager
async def _sent(
    dentist: Person, address: str, offset: int, size: int
) -> AsyncIterator[asyncio.StreamWriter]:
    """A PATCH of the rest whose body stops after so many bytes; then its connection is closed."""
    server = urlsplit(dentist.url)
    _, writer = await asyncio.open_connection(server.hostname, server.port)
    head = (
        f"PATCH {address} HTTP/1.1\r\nHost: {server.netloc}\r\nTus-Resumable: 1.0.0\r\n"
        f"Content-Type: application/offset+octet-stream\r\nUpload-Offset: {offset}\r\n"
        f"Content-Length: {len(SCAN) - offset}\r\n\r\n"
    )
    writer.write(head.encode() + SCAN[offset : offset + size])
    try:
        yield writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
