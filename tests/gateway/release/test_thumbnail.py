"""The small picture of a file: for who may see the file, and gone with it."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from sqlalchemy import select

from storage.schema import thumbnails
from tests.gateway.ground import SQLITE, UNKNOWN, logged, refused
from tests.house import API, SCAN, House
from tests.scans import jpeg, png

pytestmark = SQLITE


async def sealed(house: House) -> dict[str, bytes]:
    async with house.rooms.main.reading() as connection:
        rows = await connection.execute(select(thumbnails))
        return {row.file_id: row.sealed_picture for row in rows}


@pytest.mark.parametrize("kind", ["scan", "jpeg", "png"])
async def test_each_accepted_file_has_a_small_picture_that_is_sealed(
    house: House, kind: str
) -> None:
    case_id = await house.dentist.new_case()
    content = {"scan": SCAN, "jpeg": jpeg(), "png": png()}[kind]
    file = await house.dentist.upload(case_id, content, "scan" if kind == "scan" else "photo")

    answer = await house.dentist.ask("GET", f"{API}/cases/{case_id}/files/{file['id']}/thumbnail")

    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    with Image.open(io.BytesIO(answer.body), formats=["JPEG"]) as picture:
        assert 0 < max(picture.size) <= 320
        assert not picture.getexif()
    (kept,) = (await sealed(house)).values()
    assert len(kept) > len(answer.body)
    assert answer.body[:20] not in kept
    (event,) = await logged(house, "file.thumbnail")
    assert event["event"]["stage"] == "authorised"
    assert answer.headers["Kluis-Event"] == event["event"]["id"]


async def test_a_file_without_a_picture_has_none(house: House) -> None:
    case_id, _ = await house.planned_case()
    plan = await house.planner.upload(case_id, b"%PDF-1.7 a plan", "plan", "plan.pdf")
    refused_file = await house.planner.upload(case_id, b"no plan", "plan", "plan.pdf")

    for file_id in (plan["id"], refused_file["id"], UNKNOWN):
        path = f"{API}/cases/{case_id}/files/{file_id}/thumbnail"
        refused(await house.planner.ask("GET", path), 404, "not_found")


async def test_the_picture_goes_with_the_file_and_with_the_case(house: House) -> None:
    case_id = await house.dentist.new_case()
    first = await house.dentist.upload(case_id, SCAN)
    second = await house.dentist.upload(case_id, jpeg(), "photo")
    assert set(await sealed(house)) == {first["id"], second["id"]}

    await house.dentist.ask("DELETE", f"{API}/cases/{case_id}/files/{first['id']}")
    assert set(await sealed(house)) == {second["id"]}
    path = f"{API}/cases/{case_id}/files/{first['id']}/thumbnail"
    refused(await house.dentist.ask("GET", path), 404, "not_found")

    await house.dentist.erase(case_id)
    assert await sealed(house) == {}
