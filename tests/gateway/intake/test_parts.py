"""How bytes are cut into parts, whatever pieces they arrive in, and what they cost in memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gateway.access.actors import Actor
from gateway.access.grants import Grant
from gateway.access.policy import Role
from gateway.errors import TooLargeError, TooManyPartsError, UnavailableError
from gateway.intake import parts as cutting
from gateway.intake.parts import MOST_PARTS, PART_SIZE, part_context
from gateway.intake.uploads import Kind
from gateway.settings import Settings
from keys.stream import unseal_bytes
from storage import files
from storage.blobs import Area
from storage.files import File, Part
from tests.gateway.ground import SQLITE
from tests.house import House, open_house

pytestmark = SQLITE
CONTENT = os.urandom(2 * PART_SIZE + 12_345)
FEW = examples(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


async def begin(house: House, case_id: str, length: int) -> tuple[File, Grant]:
    """An upload, and the Grant of a request that continues it."""
    uploads = house.rooms.services.uploads
    actor = Actor(house.dentist.id, Role.DENTIST, house.practice.id)
    begun = await uploads.begin(actor, case_id, Kind.SCAN, length, "x.stl")
    return await uploads.find(actor, begun.capability)


async def in_pieces(content: bytes, cuts: Sequence[int]) -> AsyncIterator[bytes]:
    borders = sorted({0, len(content), *(cut % (len(content) + 1) for cut in cuts)})
    for start, stop in pairwise(borders):
        yield content[start:stop]


async def kept(house: House, file: File, grant: Grant) -> tuple[Sequence[Part], bytes]:
    """The parts of an upload, and what is in them."""
    async with house.rooms.main.reading() as connection:
        found = await files.parts_of(connection, file.id)
    key = await house.rooms.inspector._keys.upload_key(grant, file.id)
    content = b""
    for part in found:
        size = await house.rooms.blobs.size(Area.QUARANTINE, part.blob_id)
        sealed = await house.rooms.blobs.read(Area.QUARANTINE, part.blob_id, 0, size)
        opened = unseal_bytes(key, sealed, part_context(file, part))
        assert len(opened) == part.length
        content += opened
    return found, content


@FEW
@given(
    size=st.integers(1, len(CONTENT)) | st.sampled_from([1, PART_SIZE, PART_SIZE + 1]),
    cuts=st.lists(st.integers(0, len(CONTENT)) | st.just(PART_SIZE), max_size=40),
)
async def test_any_pieces_give_the_same_content_in_parts_of_8_mib(
    house: House, size: int, cuts: list[int]
) -> None:
    case_id = await house.dentist.new_case()
    # One byte short of whole: so nobody inspects it meanwhile.
    file, grant = await begin(house, case_id, size + 1)
    uploads = house.rooms.services.uploads
    after = await uploads.append(grant, file, 0, in_pieces(CONTENT[:size], cuts))

    found, content = await kept(house, file, grant)
    assert after.received == size
    assert content == CONTENT[:size]
    lengths = [part.length for part in found]
    assert lengths[:-1] == [PART_SIZE] * (len(lengths) - 1)
    assert 0 < lengths[-1] <= PART_SIZE
    assert [part.number for part in found] == list(range(len(found)))


@FEW
@given(cuts=st.lists(st.integers(1, 100_000), max_size=5))
async def test_every_request_goes_on_where_the_last_one_ended(
    house: House, cuts: list[int]
) -> None:
    case_id, content = await house.dentist.new_case(), CONTENT[:100_000]
    file, grant = await begin(house, case_id, len(content) + 1)
    uploads = house.rooms.services.uploads
    for start, stop in pairwise(sorted({0, len(content), *cuts})):
        assert file.received == start
        file = await uploads.append(grant, file, start, in_pieces(content[start:stop], []))

    found, opened = await kept(house, file, grant)
    assert opened == content
    assert len(found) == len({0, len(content), *cuts}) - 1


async def test_more_than_was_announced_is_refused_and_what_came_before_is_kept(
    house: House,
) -> None:
    file, grant = await begin(house, await house.dentist.new_case(), 1000)
    with pytest.raises(TooLargeError):
        await house.rooms.services.uploads.append(grant, file, 0, in_pieces(b"x" * 1001, [900]))

    async with house.rooms.main.reading() as connection:
        now = await files.get(connection, file.id)
    assert now is not None
    assert (now.state, now.received) == ("receiving", 900)


async def test_an_upload_has_a_bounded_number_of_parts(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert house.settings.scan_limit_bytes < MOST_PARTS * PART_SIZE
    monkeypatch.setattr(cutting, "MOST_PARTS", 3)
    file, grant = await begin(house, await house.dentist.new_case(), 1000)
    uploads = house.rooms.services.uploads
    for offset in range(3):
        file = await uploads.append(grant, file, offset, in_pieces(b"x", []))
    with pytest.raises(TooManyPartsError):
        await uploads.append(grant, file, 3, in_pieces(b"x", []))


async def test_a_disk_that_refuses_a_part_acknowledges_nothing_of_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, grant = await begin(house, await house.dentist.new_case(), 1000)
    uploads, fsync = house.rooms.services.uploads, os.fsync

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnavailableError):
        await uploads.append(grant, file, 0, in_pieces(b"x" * 500, []))
    monkeypatch.setattr(os, "fsync", fsync)

    found, _ = await kept(house, file, grant)
    assert found == []
    assert (await uploads.append(grant, file, 0, in_pieces(b"y" * 500, []))).received == 500
    assert (await kept(house, file, grant))[1] == b"y" * 500


async def test_many_slow_uploads_together_stay_within_their_memory(
    settings: Settings,
) -> None:
    limit, writers, piece = 512 * 1024, 24, 16 * 1024
    chosen = settings.model_copy(update={"upload_memory_bytes": limit})
    peak = 0
    async with open_house(chosen) as house:
        uploads = house.rooms.services.uploads
        case_id = await house.dentist.new_case()

        all_at_once = asyncio.Barrier(writers)

        async def slowly() -> AsyncIterator[bytes]:
            nonlocal peak
            await all_at_once.wait()
            for _ in range(8):
                await asyncio.sleep(0)
                peak = max(peak, sum(writer.pending for writer in uploads._budget._writers))
                yield os.urandom(piece)

        begun = [await begin(house, case_id, 9 * piece) for _ in range(writers)]
        ended = await asyncio.gather(
            *(uploads.append(grant, file, 0, slowly()) for file, grant in begun)
        )

    assert [file.received for file in ended] == [8 * piece] * writers
    # At the most what is allowed, and the piece that each of them has just brought.
    assert limit / 2 < peak <= limit + writers * piece
    assert uploads._budget._writers == set()
