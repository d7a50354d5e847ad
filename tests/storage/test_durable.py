"""Files that are replaced whole."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.durable import replace_file, sweep_unfinished


def test_a_file_is_replaced_whole_and_private(data_directory: Path) -> None:
    path = data_directory / "head"
    replace_file(path, b"old")
    replace_file(path, b"new")

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(data_directory.iterdir()) == [path]


def test_a_disk_that_fails_leaves_the_old_file(
    data_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "injected")

    path = data_directory / "head"
    replace_file(path, b"old")
    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(OSError, match="injected"):
        replace_file(path, b"new")

    assert path.read_bytes() == b"old"
    assert list(data_directory.iterdir()) == [path]


def test_what_a_killed_replacement_left_goes_when_it_is_old(data_directory: Path) -> None:
    left = data_directory / "head.0123456789abcdef.unfinished"
    left.touch()
    replace_file(data_directory / "head", b"whole")
    at = datetime.now(UTC)

    assert sweep_unfinished(data_directory, at - timedelta(hours=1)) == 0
    assert left.exists()
    assert sweep_unfinished(data_directory, at + timedelta(hours=1)) == 1
    assert [path.name for path in data_directory.iterdir()] == ["head"]
