"""What a file was called stays with the practice; everybody else reads kind and number."""

from __future__ import annotations

import io
import zipfile

import pytest

from tests.gateway.ground import SQLITE
from tests.house import API, SCAN, House, Person
from tests.scans import jpeg

WORD = "zonnebloemstraat"


async def _all_that_is_said_to(person: Person, case_id: str, file_ids: list[str]) -> str:
    """Every answer about the case and its files that somebody can ask for, headers too."""
    case = f"{API}/cases/{case_id}"
    paths = [f"{API}/cases", case, f"{case}/archive", f"{case}/events", f"{API}/log/events"]
    paths += [
        f"{case}/files/{file_id}{rest}"
        for file_id in file_ids
        for rest in ("", "/content", "/thumbnail")
    ]
    said = []
    for path in paths:
        answer = await person.ask("GET", path)
        said += [str(dict(answer.headers)), answer.body.decode("latin-1")]
    return "\n".join(said).lower()


@SQLITE
async def test_only_the_practice_reads_what_a_file_was_called(house: House) -> None:
    case_id = await house.dentist.new_case()
    scan = await house.dentist.upload(case_id, SCAN, name=f"{WORD} upper.stl")
    photo = await house.dentist.upload(case_id, jpeg(), "photo", f"{WORD}.jpg")
    await house.dentist.post(f"{API}/cases/{case_id}/submission")
    body = {"email": house.planner.email}
    await house.coordinator.post(f"{API}/cases/{case_id}/assignments", body, 201)
    plan = await house.planner.upload(case_id, b"%PDF-1.7 a plan", "plan", "plan.pdf")
    file_ids = [scan["id"], photo["id"], plan["id"]]

    for person in (house.planner, house.coordinator, house.officer, house.stranger):
        assert WORD not in await _all_that_is_said_to(person, case_id, file_ids)
    # Control: the same search finds it where it may be read.
    assert WORD in await _all_that_is_said_to(house.dentist, case_id, file_ids)

    files = (await house.planner.get(f"{API}/cases/{case_id}"))["files"]
    shown = [(file["kind"], file["number"], file["slot"], file["name"]) for file in files]
    assert shown == [("scan", 1, "upper", None), ("photo", 1, None, None), ("plan", 1, None, None)]


@SQLITE
@pytest.mark.parametrize("who", ["dentist", "planner"])
async def test_files_leave_under_kind_and_number_whoever_takes_them(house: House, who: str) -> None:
    case_id, scan = await house.planned_case()
    person: Person = getattr(house, who)

    whole = await person.ask("GET", f"{API}/cases/{case_id}/archive")
    single = await person.ask("GET", f"{API}/cases/{case_id}/files/{scan['id']}/content")

    with zipfile.ZipFile(io.BytesIO(whole.body)) as archive:
        assert archive.namelist() == ["scan-1.stl"]
    assert single.headers["Content-Disposition"] == 'attachment; filename="scan-1.stl"'
