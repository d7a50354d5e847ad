"""What every blob store promises. An implementation joins with a class of five lines below."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.blobs import Area, BlobStore
from storage.errors import BlobExistsError, BlobMissingError
from tests.contracts.blob_child import content, open_store

BLOB = "018f6a2e-7b1c-7cc3-98c4-dc0c0c07398f"
OTHER = "018f6a2e-7b1c-7cc3-98c4-dc0c0c0739aa"
WHOLE = content(BLOB)
PROJECT = Path(__file__).parents[2]


async def put(store: BlobStore, area: Area, blob_id: str, whole: bytes) -> None:
    async with store.writer(area, blob_id) as writer:
        await writer.write(whole)
        await writer.commit()


async def listed(store: BlobStore, area: Area) -> dict[str, int]:
    return {stat.blob_id: stat.size async for stat in store.list(area)}


class BlobStoreContract:
    """The suite. `opening` is what `blob_child.open_store` takes."""

    @pytest.fixture
    def opening(self, data_directory: Path) -> tuple[str, str]:
        raise NotImplementedError

    @pytest.fixture
    def store(self, opening: tuple[str, str]) -> BlobStore:
        return open_store(*opening)

    async def test_what_was_committed_is_read_back_by_whoever_opens_the_store(
        self, store: BlobStore, opening: tuple[str, str]
    ) -> None:
        async with store.writer(Area.VAULT, BLOB) as writer:
            for piece in (WHOLE[:1000], bytearray(WHOLE[1000:1001]), memoryview(WHOLE)[1001:]):
                await writer.write(piece)
            await writer.commit()

        again = open_store(*opening)
        assert await again.size(Area.VAULT, BLOB) == len(WHOLE)
        assert await again.read(Area.VAULT, BLOB, 0, len(WHOLE)) == WHOLE

    @given(ends=st.tuples(st.integers(0, 5000), st.integers(0, 5000)).map(sorted))
    @settings(
        max_examples=50,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    async def test_any_range_gives_exactly_its_bytes(
        self, store: BlobStore, ends: list[int]
    ) -> None:
        if not await listed(store, Area.VAULT):
            await put(store, Area.VAULT, BLOB, WHOLE[:5000])
        start, stop = ends

        assert await store.read(Area.VAULT, BLOB, start, stop) == WHOLE[:5000][start:stop]

    @pytest.mark.parametrize(("start", "stop"), [(0, 101), (100, 101), (5000, 5001)])
    async def test_a_range_beyond_the_end_gives_nothing_rather_than_less(
        self, store: BlobStore, start: int, stop: int
    ) -> None:
        await put(store, Area.VAULT, BLOB, WHOLE[:100])

        with pytest.raises(BlobMissingError):
            await store.read(Area.VAULT, BLOB, start, stop)

    @pytest.mark.parametrize(("start", "stop"), [(-1, 5), (6, 5), (-5, -1)])
    async def test_what_is_no_range_is_refused(
        self, store: BlobStore, start: int, stop: int
    ) -> None:
        await put(store, Area.VAULT, BLOB, WHOLE[:100])

        with pytest.raises(ValueError, match="not a range"):
            await store.read(Area.VAULT, BLOB, start, stop)

    async def test_an_empty_blob_is_a_blob(self, store: BlobStore) -> None:
        async with store.writer(Area.VAULT, BLOB) as writer:
            await writer.commit()

        assert await store.size(Area.VAULT, BLOB) == 0
        assert await store.read(Area.VAULT, BLOB, 0, 0) == b""

    async def test_leaving_without_commit_leaves_nothing(self, store: BlobStore) -> None:
        async with store.writer(Area.VAULT, BLOB) as writer:
            await writer.write(WHOLE)

        await self.nothing_is_left(store)

    async def test_an_error_on_the_way_leaves_nothing(self, store: BlobStore) -> None:
        async def fail() -> None:
            async with store.writer(Area.VAULT, BLOB) as writer:
                await writer.write(WHOLE)
                raise KeyError

        with pytest.raises(KeyError):
            await fail()

        await self.nothing_is_left(store)

    async def test_a_writer_is_of_no_use_outside_its_block(self, store: BlobStore) -> None:
        async with store.writer(Area.VAULT, BLOB) as writer:
            pass
        with pytest.raises(ValueError, match="given up"):
            await writer.write(WHOLE)
        with pytest.raises(ValueError, match="given up"):
            await writer.commit()

        await self.nothing_is_left(store)

    async def test_nobody_sees_a_blob_before_its_commit(self, store: BlobStore) -> None:
        async with store.writer(Area.VAULT, BLOB) as writer:
            await writer.write(WHOLE)
            assert await listed(store, Area.VAULT) == {}
            with pytest.raises(BlobMissingError):
                await store.size(Area.VAULT, BLOB)

    async def test_a_blob_is_never_replaced(self, store: BlobStore) -> None:
        await put(store, Area.VAULT, BLOB, WHOLE)

        with pytest.raises(BlobExistsError):
            await put(store, Area.VAULT, BLOB, b"other")

        assert await store.read(Area.VAULT, BLOB, 0, len(WHOLE)) == WHOLE

    async def test_of_many_who_write_one_id_exactly_one_succeeds(self, store: BlobStore) -> None:
        outcomes = await asyncio.gather(
            *(put(store, Area.VAULT, BLOB, bytes([number]) * 9) for number in range(8)),
            return_exceptions=True,
        )

        (winner,) = [number for number, outcome in enumerate(outcomes) if outcome is None]
        assert await store.read(Area.VAULT, BLOB, 0, 9) == bytes([winner]) * 9
        assert sum(isinstance(outcome, BlobExistsError) for outcome in outcomes) == 7

    async def test_the_areas_are_apart(self, store: BlobStore) -> None:
        await put(store, Area.QUARANTINE, BLOB, b"part")
        await put(store, Area.VAULT, BLOB, b"file")
        await store.delete(Area.QUARANTINE, BLOB)

        assert await listed(store, Area.QUARANTINE) == {}
        assert await store.read(Area.VAULT, BLOB, 0, 4) == b"file"

    async def test_a_deleted_blob_is_gone_and_deleting_again_is_no_error(
        self, store: BlobStore
    ) -> None:
        await put(store, Area.VAULT, BLOB, WHOLE)
        await store.delete(Area.VAULT, BLOB)
        await store.delete(Area.VAULT, BLOB)

        with pytest.raises(BlobMissingError):
            await store.read(Area.VAULT, BLOB, 0, 1)
        with pytest.raises(BlobMissingError):
            await store.size(Area.VAULT, BLOB)

    async def test_a_listing_tells_id_size_and_age_of_every_blob(self, store: BlobStore) -> None:
        before = datetime.now(UTC) - timedelta(seconds=5)
        await put(store, Area.VAULT, BLOB, b"123")
        await put(store, Area.VAULT, OTHER, b"")

        stats = [stat async for stat in store.list(Area.VAULT)]

        assert {stat.blob_id: stat.size for stat in stats} == {BLOB: 3, OTHER: 0}
        for stat in stats:
            assert before < stat.modified < datetime.now(UTC) + timedelta(seconds=5)

    @pytest.mark.parametrize(
        "blob_id",
        [
            "",
            "abc",
            "..",
            "../../x",
            "a/b/c",
            "UPPER",
            "a" * 65,
            "abcd\n",
            "-abc",
            "abc-",
            "ab\0cd",
        ],
    )
    async def test_what_is_no_id_reaches_no_place(self, store: BlobStore, blob_id: str) -> None:
        with pytest.raises(ValueError, match="blob id"):
            await put(store, Area.VAULT, blob_id, b"x")
        for attempt in (
            store.read(Area.VAULT, blob_id, 0, 0),
            store.size(Area.VAULT, blob_id),
            store.delete(Area.VAULT, blob_id),
        ):
            with pytest.raises(ValueError, match="blob id"):
                await attempt

    async def test_sweeping_spares_what_is_still_being_written(self, store: BlobStore) -> None:
        async with store.writer(Area.VAULT, BLOB) as writer:
            await writer.write(WHOLE[:10])
            assert await store.sweep_unfinished(datetime.now(UTC) - timedelta(hours=1)) == 0
            await writer.write(WHOLE[10:])
            await writer.commit()

        assert await store.read(Area.VAULT, BLOB, 0, len(WHOLE)) == WHOLE

    async def test_a_kill_leaves_whole_blobs_or_none_and_keeps_what_was_acknowledged(
        self, store: BlobStore, opening: tuple[str, str]
    ) -> None:
        chance, acknowledged = random.Random(), set[str]()
        for _ in range(6):
            acknowledged |= await asyncio.to_thread(
                write_until_killed, opening, chance.randint(1, 12)
            )

        found = await listed(store, Area.VAULT)
        assert len(acknowledged) >= 6
        assert acknowledged <= found.keys()
        for blob_id in found:
            assert await store.read(Area.VAULT, blob_id, 0, found[blob_id]) == content(blob_id)
        await store.sweep_unfinished(datetime.now(UTC) + timedelta(hours=1))
        assert await store.sweep_unfinished(datetime.now(UTC) + timedelta(hours=1)) == 0
        assert await listed(store, Area.VAULT) == found

    async def nothing_is_left(self, store: BlobStore) -> None:
        assert await listed(store, Area.VAULT) == {}
        assert await store.sweep_unfinished(datetime.now(UTC) + timedelta(hours=1)) == 0


def write_until_killed(opening: tuple[str, str], blobs: int) -> set[str]:
    """Let a process write, and kill it somewhere after it told of this many blobs."""
    command = [sys.executable, "-m", "tests.contracts.blob_child", *opening]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as child:
        lines = child.stdout
        if lines is None:
            raise AssertionError
        told = {lines.readline() for _ in range(blobs)}
        child.kill()
        told |= set(lines)
    # The last line may be cut where the kill hit; the others are whole.
    return {line.strip() for line in told if line.endswith("\n")}


class TestLocalBlobStore(BlobStoreContract):
    @pytest.fixture
    def opening(self, data_directory: Path) -> tuple[str, str]:
        return "local", str(data_directory / "blobs")
