"""`kluis log export` against a real house: every form, from whoever may see the log."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from sqlalchemy import select, text, update

from storage.schema import events
from tests.gateway.cli.conftest import Kluis, Ran
from tests.gateway.ground import SQLITE, until
from tests.house import API, PATIENT, House, Person

pytestmark = SQLITE

Export = Callable[..., Awaitable[Ran]]


@pytest.fixture
def export(house: House, kluis: Kluis, monkeypatch: pytest.MonkeyPatch) -> Export:
    """Run `kluis log export`, as the dentist unless told otherwise."""
    monkeypatch.setenv("KLUIS_SERVER", house.url)

    async def run(*arguments: object, by: Person | None = None) -> Ran:
        token = (by or house.dentist).token
        assert token is not None
        monkeypatch.setenv("KLUIS_TOKEN", token)
        return await asyncio.to_thread(kluis, "log", "export", *arguments)

    return run


@pytest.fixture
async def case_id(house: House) -> str:
    """A case that the planner took out, beside another case and another practice's."""
    _, stranger = await house.add_practice()
    await stranger.new_case()
    case_id, file = await house.planned_case()
    await house.dentist.new_case({**PATIENT, "number": "PX-2"})
    await house.planner.download(case_id, file["id"])
    await house.dentist.get(f"{API}/cases")
    await settled(house)
    return case_id


async def settled(house: House) -> None:
    """Wait until every event has its place."""

    async def is_settled() -> bool:
        async with house.rooms.main.reading() as connection:
            waiting = text("SELECT count(*) FROM events WHERE number IS NULL")
            return not await connection.scalar(waiting)

    await until(is_settled)


async def rows(house: House) -> list[Any]:
    async with house.rooms.main.reading() as connection:
        mine = events.c.controller_id == house.practice.id
        found = await connection.execute(select(events).where(mine).order_by(events.c.number))
        return list(found)


def lines(ran: Ran) -> list[dict[str, Any]]:
    assert ran.code == 0, ran.err
    return [json.loads(line) for line in ran.out.splitlines()]


async def test_a_practice_exports_every_event_of_its_own_and_no_other(
    house: House, export: Export, case_id: str
) -> None:
    before = await rows(house)

    found = lines(await export("--format", "jsonl"))

    expected = [row.id for row in before]
    assert [line["event"]["id"] for line in found][: len(expected)] == expected
    assert [line["number"] for line in found] == list(range(1, len(found) + 1))
    assert {line["object"]["controller_id"] for line in found} == {house.practice.id}
    assert case_id in {line["object"].get("case_id") for line in found}


async def test_a_privacy_officer_names_the_practice(
    house: House, export: Export, case_id: str
) -> None:
    refused = await export("--format", "jsonl", by=house.officer)
    found = lines(
        await export("--format", "jsonl", "--client", house.practice.id, by=house.officer)
    )

    assert refused.code == 2
    assert "controller" in refused.err
    assert {line["object"]["controller_id"] for line in found} == {house.practice.id}
    assert case_id in {line["object"].get("case_id") for line in found}


async def test_a_planner_exports_nothing(house: House, export: Export, case_id: str) -> None:
    ran = await export("--format", "csv", "--case", case_id, by=house.planner)

    assert ran.code == 1
    assert ran.out == ""


async def test_an_export_of_a_case_has_what_showed_it_and_no_other_case(
    house: House, export: Export, case_id: str
) -> None:
    other = {row.case_id for row in await rows(house)} - {case_id, None}

    ran = await export("--format", "jsonl", "--case", case_id)

    found = lines(ran)
    codes = [line["event"]["code"] for line in found]
    assert {"case.create", "file.upload", "case.assign", "file.download", "case.list"} <= set(codes)
    (listed,) = [line for line in found if line["event"]["code"] == "case.list"]
    assert listed["event"]["detail"]["cases"] == [case_id]
    assert len(other) == 1
    assert not any(identifier in ran.out for identifier in other)
    emails = {line["user"].get("email") for line in found}
    assert {house.dentist.email, house.planner.email} <= emails


async def test_a_case_is_exported_as_fhir(export: Export, case_id: str, house: House) -> None:
    ran = await export("--format", "fhir", "--case", case_id)

    bundle = json.loads(ran.out)
    Bundle.model_validate(bundle)
    profiles = [
        profile.rpartition(".")[2]
        for each in bundle["entry"]
        for profile in each["resource"].get("meta", {}).get("profile", [])
    ]
    assert {"PatientRead", "PatientCreate", "PatientUpdate"} <= set(profiles)
    assert f"https://{house.settings.log_origin}/event" in ran.out


async def test_a_case_is_exported_as_csv(export: Export, case_id: str) -> None:
    ran = await export("--format", "csv", "--case", case_id)

    found = list(csv.DictReader(io.StringIO(ran.out, newline="")))
    assert "file.download" in {row["code"] for row in found}
    assert {row["case_id"] for row in found} <= {case_id, ""}


@pytest.mark.parametrize(("language", "title"), [("en", "Who used"), ("nl", "Wie dit dossier")])
async def test_a_case_becomes_a_page_for_the_patient(
    house: House, export: Export, case_id: str, tmp_path: Path, language: str, title: str
) -> None:
    path = tmp_path / "who.html"

    ran = await export(
        *("--format", "html", "--case", case_id, "--language", language, "--out", path, "--json")
    )

    assert ran.answer["path"] == str(path)
    assert ran.answer["events"] > 5
    assert ran.answer["pruned"] == 0
    content = path.read_text("utf-8")
    assert f"<title>{title}" in content
    assert house.planner.email in content
    assert PATIENT["name"] not in content
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_case_becomes_a_pdf(export: Export, case_id: str, tmp_path: Path) -> None:
    path = tmp_path / "who.pdf"

    ran = await export("--format", "pdf", "--case", case_id, "--out", path)

    assert ran.code == 0
    assert path.read_bytes().startswith(b"%PDF-")
    assert str(path) in ran.out


async def test_without_the_extra_a_pdf_is_refused_with_the_remedy(
    export: Export, case_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "reportlab", None)
    for name in [
        name for name in sys.modules if name.startswith(("reportlab.", "gateway.exports.pdf"))
    ]:
        monkeypatch.delitem(sys.modules, name)

    ran = await export("--format", "pdf", "--case", case_id, "--out", tmp_path / "who.pdf")

    assert ran.code == 2
    assert "kluis[pdf]" in ran.err
    assert not (tmp_path / "who.pdf").exists()


async def test_an_export_never_replaces_a_file(
    export: Export, case_id: str, tmp_path: Path
) -> None:
    path = tmp_path / "who.csv"
    path.write_text("mine")

    ran = await export("--format", "csv", "--case", case_id, "--out", path)

    assert ran.code == 1
    assert path.read_text() == "mine"


async def test_an_export_that_fails_leaves_no_file(
    house: House, export: Export, case_id: str, tmp_path: Path
) -> None:
    async with house.rooms.main.transaction() as tx:
        await tx.execute(update(events).values(record="no JSON"))

    ran = await export("--format", "csv", "--out", tmp_path / "all.csv")

    assert ran.code == 1
    assert list(tmp_path.glob("all.csv*")) == []


async def test_what_was_pruned_is_counted(house: House, export: Export, case_id: str) -> None:
    async with house.rooms.main.transaction() as tx:
        old = events.c.controller_id == house.practice.id, events.c.number <= 2
        await tx.execute(update(events).where(*old).values(record=None, salt=None))

    ran = await export("--format", "jsonl")

    assert min(line["number"] for line in lines(ran)) == 3
    assert "2 more were pruned" in ran.err
    assert case_id in ran.out


async def test_a_period_has_its_first_and_its_last_day(export: Export, case_id: str) -> None:
    today = datetime.now(UTC).astimezone().date()
    earlier, later = today - timedelta(days=1), today + timedelta(days=1)

    inside = await export("--format", "jsonl", "--from", today, "--to", later, "--case", case_id)
    before = await export("--format", "jsonl", "--to", earlier)
    after = await export("--format", "jsonl", "--from", later)

    assert lines(inside)
    assert (before.out, after.out) == ("", "")


async def test_the_evidence_of_the_whole_log_becomes_a_bundle(
    export: Export, case_id: str, tmp_path: Path
) -> None:
    path = tmp_path / "log.bundle"

    ran = await export("--bundle", path, "--json")

    assert ran.code == 0, ran.err
    assert ran.answer["path"] == str(path)
    assert case_id in path.read_text("utf-8")


async def test_a_bundle_is_of_the_whole_log(export: Export, tmp_path: Path) -> None:
    ran = await export("--bundle", tmp_path / "log.bundle", "--from", "2026-01-01")

    assert ran.code == 2
    assert not (tmp_path / "log.bundle").exists()


@pytest.mark.parametrize("arguments", [(), ("--format", "csv", "--bundle", "x")])
async def test_an_export_is_of_one_form(export: Export, arguments: tuple[str, ...]) -> None:
    ran = await export(*arguments)

    assert ran.code == 2
    assert "--format" in ran.err


async def test_what_is_no_case_is_refused_before_anything_is_asked(export: Export) -> None:
    ran = await export("--format", "csv", "--case", "../people")

    assert ran.code == 2
