"""Downloads: whole, checked and where they belong."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.client import Patience, connect
from gateway.cli.download import Fetcher, Target, targets
from gateway.cli.errors import CorruptDownloadError, LocalFileError
from gateway.cli.receipts import Receipts
from tests.gateway.cli.conftest import Kluis
from tests.gateway.cli.stand_in import CASE, TOKEN, StandIn

CONTENT = random.Random(2).randbytes(2 * 1024 * 1024 + 5)
SHORT = Patience(first=0.001, longest=0.01, total=0.5)


@pytest.fixture
async def fetcher(stand_in: StandIn) -> AsyncIterator[Fetcher]:
    async with (
        TestServer(stand_in.application()) as server,
        connect(str(server.make_url("")), TOKEN) as client,
    ):
        yield Fetcher(client, CASE, SHORT, Receipts())


@pytest.fixture
def target(stand_in: StandIn, tmp_path: Path) -> Target:
    (found,) = targets([stand_in.hold(CONTENT).view()], tmp_path)
    return found


def ignore(_: int) -> None:
    """Nobody watches."""


def ranges(stand_in: StandIn) -> list[str | None]:
    return [headers.get("Range") for headers in stand_in.headers]


async def test_a_file_comes_whole_and_private(fetcher: Fetcher, target: Target) -> None:
    await fetcher.fetch(target, ignore)

    assert target.path.read_bytes() == CONTENT
    assert target.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in target.path.parent.iterdir()] == ["upper.stl"]


async def test_a_broken_download_goes_on_where_it_was(
    fetcher: Fetcher, target: Target, stand_in: StandIn
) -> None:
    stand_in.cuts.extend([700_000, 300_000])

    await fetcher.fetch(target, ignore)

    assert target.path.read_bytes() == CONTENT
    assert ranges(stand_in) == [None, "bytes=700000-", "bytes=1000000-"]


async def test_what_an_earlier_run_left_is_continued(
    fetcher: Fetcher, target: Target, stand_in: StandIn
) -> None:
    target.partial.write_bytes(CONTENT[:123_456])

    await fetcher.fetch(target, ignore)

    assert target.path.read_bytes() == CONTENT
    assert ranges(stand_in) == ["bytes=123456-"]


async def test_a_server_without_ranges_is_asked_for_everything(
    fetcher: Fetcher, target: Target, stand_in: StandIn
) -> None:
    stand_in.ignores_ranges = True
    stand_in.cuts.append(700_000)

    await fetcher.fetch(target, ignore)

    assert target.path.read_bytes() == CONTENT


async def test_what_is_not_what_the_server_keeps_does_not_stay(
    fetcher: Fetcher, target: Target, stand_in: StandIn
) -> None:
    stand_in.alters_content = True

    with pytest.raises(CorruptDownloadError):
        await fetcher.fetch(target, ignore)

    assert list(target.path.parent.iterdir()) == []


async def test_a_damaged_part_does_not_end_up_in_the_file(fetcher: Fetcher, target: Target) -> None:
    target.partial.write_bytes(b"x" * 100)
    with pytest.raises(CorruptDownloadError):
        await fetcher.fetch(target, ignore)

    await fetcher.fetch(target, ignore)

    assert target.path.read_bytes() == CONTENT


async def test_a_file_that_is_there_already_is_not_fetched_again(
    fetcher: Fetcher, target: Target, stand_in: StandIn
) -> None:
    target.path.write_bytes(CONTENT)

    await fetcher.fetch(target, ignore)

    assert stand_in.seen == []


async def test_another_file_of_the_same_name_is_never_replaced(
    fetcher: Fetcher, target: Target, stand_in: StandIn
) -> None:
    target.path.write_bytes(b"mine")

    with pytest.raises(LocalFileError):
        await fetcher.fetch(target, ignore)

    assert target.path.read_bytes() == b"mine"
    assert stand_in.seen == []


async def test_an_empty_file_is_a_file(fetcher: Fetcher, stand_in: StandIn, tmp_path: Path) -> None:
    (target,) = targets([stand_in.hold(b"").view()], tmp_path)

    await fetcher.fetch(target, ignore)

    assert target.path.read_bytes() == b""


def view(name: str | None, number: int = 1, media_type: str = "model/stl") -> dict[str, Any]:
    return {
        "id": f"f-{number}",
        "kind": "scan",
        "number": number,
        "name": name,
        "state": "accepted",
        "size": 1,
        "sha256": "0" * 64,
        "media_type": media_type,
    }


@given(st.text())
def test_no_name_leads_out_of_the_directory(name: str) -> None:
    (target,) = targets([view(name)], Path("/to"))

    assert target.path.parent == Path("/to")
    assert target.path.name.endswith(".stl")
    assert not target.path.name.startswith(".")
    assert target.path.name.isprintable()


@pytest.mark.parametrize(
    ("name", "media_type", "safe"),
    [
        ("upper.stl", "model/stl", "upper.stl"),
        ("Upper.STL", "model/stl", "Upper.stl"),
        ("../../etc/passwd", "model/stl", "_.._etc_passwd.stl"),
        ("a\x00b\\c.jpg", "image/jpeg", "a_b_c.jpg"),
        ("photo.exe", "image/png", "photo.exe.png"),
        ("...", "application/pdf", "scan-1.pdf"),
        (None, "application/pdf", "scan-1.pdf"),
        ("boven kaak (2).stl", "model/stl", "boven kaak (2).stl"),
    ],
)
def test_a_name_is_made_harmless_and_says_what_the_file_is(
    name: str | None, media_type: str, safe: str
) -> None:
    (target,) = targets([view(name, media_type=media_type)], Path())

    assert target.path.name == safe


def test_no_two_files_go_to_one_place() -> None:
    found = targets([view("a.stl", 1), view("A.stl", 2), view("b.stl", 3)], Path())

    assert [str(target.path) for target in found] == ["scan-1-a.stl", "scan-2-A.stl", "b.stl"]


def test_only_what_was_accepted_is_fetched() -> None:
    assert targets([view("a.stl") | {"state": "refused"}], Path()) == []


@pytest.mark.usefixtures("server")
def test_the_command_fetches_the_whole_case(
    kluis: Kluis, stand_in: StandIn, tmp_path: Path
) -> None:
    stand_in.hold(b"one", "a.stl")
    stand_in.hold(b"two", "b.stl")
    stand_in.hold(b"three", "c.stl", state="refused")

    ran = kluis("download", CASE, "--to", tmp_path / "new" / "case", "--json")

    assert ran.code == 0
    assert [row["sha256"] for row in ran.answer] == [
        hashlib.sha256(content).hexdigest() for content in (b"one", b"two")
    ]
    assert [Path(row["path"]).read_bytes() for row in ran.answer] == [b"one", b"two"]
    assert [row["id"] for row in ran.answer] == ["file-1", "file-2"]


@pytest.mark.usefixtures("server")
def test_the_command_fetches_one_file(kluis: Kluis, stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.hold(b"one", "a.stl")
    stand_in.hold(b"two", "b.stl")

    ran = kluis("download", CASE, "file-2", "--to", tmp_path, "--json")

    assert [row["id"] for row in ran.answer] == ["file-2"]
    assert not (tmp_path / "a.stl").exists()


@pytest.mark.usefixtures("server")
def test_a_file_that_the_case_does_not_have_is_named(kluis: Kluis, tmp_path: Path) -> None:
    ran = kluis("download", CASE, "file-9", "--to", tmp_path, "--json")

    assert ran.code == 2
    assert ran.failure["field"] == "file"
