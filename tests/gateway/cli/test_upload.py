"""Uploads: over breaks, restarts and refusals."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from gateway.cli import client as client_module
from gateway.cli import sender as sender_module
from gateway.cli.client import Client, Patience, connect
from gateway.cli.errors import (
    ChangedFileError,
    ForeignAddressError,
    LocalFileError,
    RefusedError,
    UnreachableError,
    UsageError,
)
from gateway.cli.journal import Journal
from gateway.cli.sender import LocalFile, Sender
from tests.gateway.cli.conftest import Kluis
from tests.gateway.cli.stand_in import CASE, TOKEN, Held, StandIn

SHORT = Patience(first=0.001, longest=0.01, total=0.2)
CONTENT = random.Random(1).randbytes(3 * 1024 * 1024 + 17)


@pytest.fixture
async def client(stand_in: StandIn) -> AsyncIterator[Client]:
    async with (
        TestServer(stand_in.application()) as server,
        connect(str(server.make_url("")), TOKEN) as connected,
    ):
        yield connected


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "upper.stl"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def sender(client: Client, tmp_path: Path) -> Sender:
    return Sender(client, CASE, Journal(tmp_path / "journal"), SHORT)


def ignore(_: int) -> None:
    """Nobody watches."""


def only(stand_in: StandIn) -> Held:
    (held,) = stand_in.files.values()
    return held


async def test_a_file_arrives_whole_under_its_name(
    sender: Sender, stand_in: StandIn, path: Path
) -> None:
    told: list[int] = []

    file_id = await sender.send(LocalFile.look(path, None), told.append)

    held = stand_in.files[file_id]
    assert (bytes(held.content), held.name, held.kind) == (CONTENT, "upper.stl", "scan")
    assert told == sorted(told)


@pytest.mark.parametrize("seed", range(5))
async def test_broken_connections_cost_nothing_that_was_sent(
    sender: Sender, stand_in: StandIn, path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    cuts = [chance.randrange(1, len(CONTENT) // 5) for _ in range(4)]
    stand_in.cuts.extend(cuts)

    await sender.send(LocalFile.look(path, None), ignore)

    assert bytes(only(stand_in).content) == CONTENT
    assert stand_in.count("PATCH") == 5
    offsets = [int(h["Upload-Offset"]) for h in stand_in.headers if "Upload-Offset" in h]
    assert offsets == [0, *(sum(cuts[: n + 1]) for n in range(4))]


async def test_a_break_right_at_the_start_or_the_end_is_no_exception(
    sender: Sender, stand_in: StandIn, path: Path
) -> None:
    stand_in.cuts.extend([1, len(CONTENT) - 2])

    await sender.send(LocalFile.look(path, None), ignore)

    assert bytes(only(stand_in).content) == CONTENT


async def test_another_run_goes_on_where_the_last_one_ended(
    client: Client, stand_in: StandIn, path: Path, tmp_path: Path
) -> None:
    hopeless = Patience(first=0.001, longest=0.001, total=0.0)
    stand_in.cuts.append(1_000_000)
    with pytest.raises(UnreachableError):
        await Sender(client, CASE, Journal(tmp_path / "j"), hopeless).send(
            LocalFile.look(path, None), ignore
        )
    assert len(only(stand_in).content) == 1_000_000

    await Sender(client, CASE, Journal(tmp_path / "j"), SHORT).send(
        LocalFile.look(path, None), ignore
    )

    assert bytes(only(stand_in).content) == CONTENT
    assert stand_in.count("POST") == 1


async def test_a_lost_answer_to_the_last_byte_is_no_second_upload(
    sender: Sender, stand_in: StandIn, path: Path
) -> None:
    stand_in.answers_lost = 1

    file_id = await sender.send(LocalFile.look(path, None), ignore)

    assert file_id == only(stand_in).id
    assert stand_in.count("POST") == 1


async def test_an_upload_that_the_server_forgot_begins_anew(
    sender: Sender, stand_in: StandIn, path: Path
) -> None:
    stand_in.cuts.append(500_000)
    stand_in.forgets = 1

    file_id = await sender.send(LocalFile.look(path, None), ignore)

    assert len(stand_in.files) == 2
    assert bytes(stand_in.files[file_id].content) == CONTENT


async def test_an_upload_that_expires_under_way_begins_anew(
    sender: Sender, stand_in: StandIn, path: Path
) -> None:
    stand_in.expires = 1

    file_id = await sender.send(LocalFile.look(path, None), ignore)

    assert len(stand_in.files) == 2
    assert bytes(stand_in.files[file_id].content) == CONTENT


async def test_a_file_that_changed_before_anything_was_sent_is_no_defect(
    path: Path, tmp_path: Path
) -> None:
    file = LocalFile.look(path, None)
    os.truncate(path, 5)

    async with connect("http://127.0.0.1:9", TOKEN) as nobody:
        with pytest.raises(ChangedFileError):
            await Sender(nobody, CASE, Journal(tmp_path / "j"), SHORT).send(file, ignore)


async def test_a_server_that_forgets_everything_is_given_up(
    sender: Sender, stand_in: StandIn, path: Path
) -> None:
    stand_in.forgets = 1_000_000

    with pytest.raises(UnreachableError):
        await sender.send(LocalFile.look(path, None), ignore)


async def test_a_busy_server_is_waited_for(sender: Sender, stand_in: StandIn, path: Path) -> None:
    stand_in.busy = 3

    await sender.send(LocalFile.look(path, None), ignore)

    assert bytes(only(stand_in).content) == CONTENT


async def test_a_refusal_is_not_tried_again(sender: Sender, stand_in: StandIn, path: Path) -> None:
    stand_in.refusals.append((413, "too_large"))

    with pytest.raises(RefusedError) as caught:
        await sender.send(LocalFile.look(path, None), ignore)

    assert caught.value.problem == "too_large"
    assert stand_in.count("POST") == 1


async def test_the_token_does_not_follow_an_address_elsewhere(
    sender: Sender, stand_in: StandIn, path: Path
) -> None:
    stand_in.location = "http://127.0.0.1:1/uploads/file-1"

    with pytest.raises(ForeignAddressError):
        await sender.send(LocalFile.look(path, None), ignore)

    assert stand_in.count("HEAD") == 0


@pytest.mark.parametrize("size", [100, len(CONTENT) + 100])
async def test_a_file_that_changed_meanwhile_is_taken_back(
    sender: Sender, stand_in: StandIn, path: Path, size: int
) -> None:
    file = LocalFile.look(path, None)
    os.truncate(path, size)

    with pytest.raises(ChangedFileError):
        await sender.send(file, ignore)

    assert only(stand_in).state == "removed"
    assert not Journal(sender.journal.directory)._read()


async def test_a_connection_that_takes_nothing_more_is_given_up(
    client: Client, stand_in: StandIn, path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sender_module, "STALL", 0.0)
    nothing = Patience(first=0.001, longest=0.001, total=0.005)

    with pytest.raises(UnreachableError):
        await Sender(client, CASE, Journal(tmp_path / "j"), nothing).send(
            LocalFile.look(path, None), ignore
        )


async def test_an_empty_file_is_left_to_the_server_to_judge(
    sender: Sender, stand_in: StandIn, path: Path
) -> None:
    path.write_bytes(b"")

    await sender.send(LocalFile.look(path, None), ignore)

    assert only(stand_in).length == 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.stl", "scan"),
        ("a.STL", "scan"),
        ("a.jpeg", "photo"),
        ("a.PNG", "photo"),
        ("a.ply", "scan"),
        ("a.obj", "scan"),
        ("a.HEIC", "photo"),
        ("a.pdf", "plan"),
    ],
)
def test_the_kind_is_told_by_the_name(name: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()

    assert LocalFile.look(tmp_path / name, None).kind == kind
    assert LocalFile.look(tmp_path / name, "plan").kind == "plan"


def test_a_name_that_does_not_tell_needs_a_kind(tmp_path: Path) -> None:
    (tmp_path / "scan").touch()

    with pytest.raises(UsageError) as caught:
        LocalFile.look(tmp_path / "scan", None)

    assert caught.value.field == "kind"


@pytest.mark.parametrize("name", ["missing.stl", "."])
def test_what_is_not_a_file_is_said_to_be_none(name: str, tmp_path: Path) -> None:
    with pytest.raises(LocalFileError):
        LocalFile.look(tmp_path / name, None)


@pytest.mark.usefixtures("server")
def test_the_command_gives_each_file_its_verdict(
    kluis: Kluis, stand_in: StandIn, path: Path
) -> None:
    ran = kluis("upload", CASE, path, "--json")

    assert ran.code == 0
    (verdict,) = ran.answer
    assert (verdict["id"], verdict["name"], verdict["state"]) == ("file-1", "upper.stl", "accepted")
    assert verdict["report"]["triangles"] == 12
    assert ran.err == ""


@pytest.mark.usefixtures("server")
def test_a_refused_file_makes_the_command_fail_after_the_others(
    kluis: Kluis, stand_in: StandIn, path: Path, tmp_path: Path
) -> None:
    stand_in.refused_names.add("bad.stl")
    (tmp_path / "bad.stl").write_bytes(b"no scan")

    ran = kluis("upload", CASE, tmp_path / "bad.stl", path, "--json")

    assert ran.code == 1
    assert [verdict["state"] for verdict in ran.answer] == ["refused", "accepted"]
    assert ran.answer[0]["problem"]["code"] == "not_a_scan"


@pytest.mark.usefixtures("server")
def test_a_file_the_server_does_not_begin_with_costs_only_itself(
    kluis: Kluis, stand_in: StandIn, path: Path, tmp_path: Path
) -> None:
    stand_in.refusals.append((413, "too_large"))
    (tmp_path / "large.stl").write_bytes(b"large")

    ran = kluis("upload", CASE, tmp_path / "large.stl", path, "--json")

    assert ran.code == 1
    assert ran.answer[0]["id"] is None
    assert ran.answer[0]["problem"]["code"] == "too_large"
    assert ran.answer[1]["state"] == "accepted"


@pytest.mark.usefixtures("server")
def test_a_case_one_may_not_see_ends_the_command(
    kluis: Kluis, stand_in: StandIn, path: Path
) -> None:
    stand_in.refusals.append((404, "not_found"))

    ran = kluis("upload", CASE, path, path, "--json")

    assert (ran.code, ran.out) == (1, "")
    assert ran.failure["code"] == "not_found"
    assert stand_in.count("POST") == 1


@pytest.mark.usefixtures("server")
def test_a_person_reads_each_state_in_words(kluis: Kluis, path: Path) -> None:
    ran = kluis("upload", CASE, path)

    assert ran.out.splitlines() == [
        "upper.stl: sending 3.0 MiB",
        "upper.stl: sent, being checked",
        "upper.stl: accepted. 12 triangles, 1.0 x 2.0 x 3.0 mm.",
        "  look: There are 2 more openings.",
    ]


@pytest.mark.usefixtures("server")
def test_a_finding_is_read_in_dutch_where_the_terminal_is_dutch(
    kluis: Kluis, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "nl_NL.UTF-8")

    ran = kluis("upload", CASE, path, "--slot", "upper")

    assert ran.out.splitlines()[-2:] == [
        "  let op: Nog 2 openingen.",
        "  Opgevat als: bovenkaak. `kluis case place` verbetert dit.",
    ]


@pytest.mark.usefixtures("server")
def test_a_slot_is_sent_with_the_one_file_that_it_is_of(
    kluis: Kluis, stand_in: StandIn, path: Path
) -> None:
    several = kluis("upload", CASE, path, path, "--slot", "bite", "--json")
    assert (several.code, several.failure["field"]) == (2, "slot")
    assert stand_in.seen == []

    ran = kluis("upload", CASE, path, "--slot", "bite", "--json")

    assert (ran.code, ran.answer[0]["slot"]) == (0, "bite")
    assert stand_in.files["file-1"].slot == "bite"


@pytest.mark.usefixtures("server")
def test_nothing_is_remembered_of_a_file_that_has_its_verdict(kluis: Kluis, path: Path) -> None:
    kluis("upload", CASE, path)

    assert not Journal()._read()


def test_patience_grows_and_ends() -> None:
    delays = list(Patience(first=1, longest=4, total=12).delays())

    assert delays == [1, 2, 4, 4, 4]
    assert list(Patience(first=1, longest=4, total=0).delays()) == []
    assert client_module.Patience().total > 600
