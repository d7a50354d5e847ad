"""The reserve of disk space: held while there is plenty, given up when there is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.reserve import DiskReserve

SIZE = 64 * 1024


class Disk:
    """Says how much is free; the real figure is that of the machine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = 100 * SIZE
        monkeypatch.setattr("storage.reserve.free_bytes", lambda _directory: self.free)
        monkeypatch.setattr("storage.reserve._LOOK_SECONDS", 0.0)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def blocks(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_the_reserve_takes_real_blocks_of_the_disk_while_there_is_plenty(
    tmp_path: Path, disk: Disk
) -> None:
    reserve = DiskReserve(tmp_path / "reserve", SIZE)

    assert disk.free == 100 * SIZE
    assert not reserve.is_short()
    assert blocks(tmp_path / "reserve") >= SIZE
    assert (tmp_path / "reserve").stat().st_mode & 0o077 == 0


def test_when_less_than_the_reserve_is_left_beside_it_the_file_goes(
    tmp_path: Path, disk: Disk
) -> None:
    reserve = DiskReserve(tmp_path / "reserve", SIZE)
    assert not reserve.is_short()
    disk.free = SIZE

    assert not reserve.is_short()
    disk.free = SIZE - 1
    assert reserve.is_short()
    assert not (tmp_path / "reserve").exists()


def test_what_the_file_gave_back_does_not_count_as_plenty(tmp_path: Path, disk: Disk) -> None:
    one, other = (DiskReserve(tmp_path / "reserve", SIZE) for _ in range(2))
    assert not one.is_short()
    disk.free = SIZE - 1
    assert one.is_short()
    disk.free = 4 * SIZE - 1

    assert one.is_short()
    assert other.is_short()  # another process on the same directory
    disk.free = 4 * SIZE
    assert not other.is_short()
    assert not one.is_short()
    assert (tmp_path / "reserve").exists()


def test_a_disk_on_which_the_reserve_cannot_be_taken_is_short(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("storage.reserve.os.posix_fallocate", full)

    assert disk.free == 100 * SIZE
    assert DiskReserve(tmp_path / "reserve", SIZE).is_short()
    assert not (tmp_path / "reserve").exists()


def test_the_disk_is_looked_at_once_a_second_at_the_most(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.reserve._LOOK_SECONDS", 3600.0)
    reserve = DiskReserve(tmp_path / "reserve", SIZE)
    assert not reserve.is_short()
    disk.free = 0

    assert not reserve.is_short()
