"""What the local store promises beyond the contract: privacy, order on the disk, failing disks."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.blobs import Area, local
from storage.blobs.local import LocalBlobStore
from storage.errors import BlobMissingError

BLOB = "018f6a2e-7b1c-7cc3-98c4-dc0c0c07398f"
REAL_FSYNC, REAL_LINK = os.fsync, os.link


@pytest.fixture
def root(data_directory: Path) -> Path:
    return data_directory / "blobs"


async def put(store: LocalBlobStore, blob_id: str = BLOB) -> None:
    async with store.writer(Area.VAULT, blob_id) as writer:
        await writer.write(b"sealed")
        await writer.commit()


async def test_directories_are_ours_alone_and_so_are_files(root: Path) -> None:
    old = os.umask(0)
    try:
        await put(LocalBlobStore(root))
    finally:
        os.umask(old)

    modes = {path: path.stat().st_mode & 0o777 for path in (root, *root.rglob("*"))}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


async def test_blobs_lie_by_the_tail_of_their_id_in_a_single_link(root: Path) -> None:
    await put(LocalBlobStore(root))

    path = root / "vault" / "8f" / BLOB
    assert path.read_bytes() == b"sealed"
    assert path.stat().st_nlink == 1


async def test_the_bytes_are_durable_before_the_name_and_the_name_before_the_answer(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, steps = LocalBlobStore(root), list[str]()

    def fsync(descriptor: int) -> None:
        target = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append(f"fsync {target.name if target.is_dir() else 'file'}")
        REAL_FSYNC(descriptor)

    def link(*paths: Any) -> None:
        steps.append("link")
        REAL_LINK(*paths)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    await put(store)
    assert steps == ["fsync file", "fsync vault", "link", "fsync 8f"]

    steps.clear()
    await put(store, BLOB.replace("018f", "018e"))
    assert steps == ["fsync file", "link", "fsync 8f"]  # the directory's name is durable by now


@pytest.mark.parametrize("failing", [1, 2, 3])
async def test_an_fsync_that_fails_is_not_repeated_and_leaves_no_blob(
    root: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    store, calls = LocalBlobStore(root), list[int]()

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == failing:
            raise OSError(errno.EIO, "injected")
        REAL_FSYNC(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="injected"):
        await put(store)

    assert len(calls) == failing
    assert not [path for path in root.rglob("*") if path.is_file()]
    with pytest.raises(BlobMissingError):
        await store.size(Area.VAULT, BLOB)
    await put(store)  # anew, from the first byte
    assert await store.read(Area.VAULT, BLOB, 0, 6) == b"sealed"


@pytest.mark.parametrize("blocking", [1, 3])
async def test_a_caller_cancelled_in_its_commit_leaves_no_blob(
    root: Path, monkeypatch: pytest.MonkeyPatch, blocking: int
) -> None:
    store, calls = LocalBlobStore(root), list[int]()
    reached, go_on = threading.Event(), threading.Event()

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == blocking:
            reached.set()
            go_on.wait(20)
        REAL_FSYNC(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    writing = asyncio.create_task(put(store))
    await asyncio.to_thread(reached.wait, 20)
    writing.cancel()
    # The descriptor stays open until the thread that uses it has ended.
    done, _ = await asyncio.wait([writing], timeout=0.2)
    assert not done
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await writing

    assert not [path for path in root.rglob("*") if path.is_file()]


async def test_what_a_crash_left_unfinished_is_swept_when_it_is_old_enough(root: Path) -> None:
    store = LocalBlobStore(root)
    left = root / "unfinished" / "0123"
    left.write_bytes(b"half")
    now = datetime.now(UTC)

    assert await store.sweep_unfinished(now - timedelta(minutes=1)) == 0
    assert await store.sweep_unfinished(now + timedelta(minutes=1)) == 1
    assert not left.exists()


async def test_what_vanishes_while_it_is_listed_or_swept_is_passed_over(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalBlobStore(root)
    await put(store)
    (root / "unfinished" / "0123").write_bytes(b"half")

    def vanishing(directory: Path) -> list[os.DirEntry[str]]:
        found = entries(directory)
        for entry in found:
            if entry.is_file():
                Path(entry).unlink()
        return found

    entries = local._entries
    monkeypatch.setattr(local, "_entries", vanishing)

    assert [stat async for stat in store.list(Area.VAULT)] == []
    assert await store.sweep_unfinished(datetime.now(UTC) + timedelta(minutes=1)) == 0


async def test_opening_again_changes_nothing(root: Path) -> None:
    await put(LocalBlobStore(root))
    before = sorted(root.rglob("*"))

    LocalBlobStore(root)

    assert sorted(root.rglob("*")) == before
