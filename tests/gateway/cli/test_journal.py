"""Where unfinished uploads are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.cli.journal import LIFETIME, Journal, Place, key_of


def place(age: timedelta = timedelta(0)) -> Place:
    return Place("file-1", "https://k.example/u/secret", (datetime.now(UTC) - age).isoformat())


def test_a_place_is_found_again_until_it_is_forgotten(tmp_path: Path) -> None:
    Journal(tmp_path).remember("a", place())
    Journal(tmp_path).remember("b", place())

    Journal(tmp_path).forget("a")
    Journal(tmp_path).forget("never there")

    assert Journal(tmp_path).find("a") is None
    found = Journal(tmp_path).find("b")
    assert found is not None
    assert found.address == "https://k.example/u/secret"


def test_nobody_else_may_read_the_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    Journal().remember("a", place())

    directory = tmp_path / "state" / "kluis"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}


def test_the_name_of_a_file_is_not_in_it(tmp_path: Path) -> None:
    key = key_of("https://k.example", "case", "/home/x/Sam Voorbeeld.stl\0" + "1")

    Journal(tmp_path).remember(key, place())

    assert b"Sam" not in (tmp_path / "uploads.json").read_bytes()


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b'{"a": 1}', b'{"a": {}}', b"\xff"])
def test_a_damaged_file_is_an_empty_one(damaged: bytes, tmp_path: Path) -> None:
    (tmp_path / "uploads.json").write_bytes(damaged)

    assert Journal(tmp_path).find("a") is None
    Journal(tmp_path).remember("a", place())
    assert Journal(tmp_path).find("a") is not None


def test_a_place_that_no_server_keeps_any_more_is_dropped(tmp_path: Path) -> None:
    Journal(tmp_path).remember("old", place(LIFETIME + timedelta(hours=1)))
    Journal(tmp_path).remember("new", place())

    assert Journal(tmp_path).find("old") is None
    assert b"old" not in (tmp_path / "uploads.json").read_bytes()


@pytest.mark.parametrize(
    "other",
    [("s2", "c", "v"), ("s", "c2", "v"), ("s", "c", "v2")],
)
def test_another_server_case_or_version_is_another_upload(other: tuple[str, str, str]) -> None:
    assert key_of(*other) != key_of("s", "c", "v")
