"""What a dentist learns of each file while the patient is in the chair, and the planner after."""

from __future__ import annotations

import io

import numpy as np
import pillow_heif
from PIL import Image

from tests.gateway.ground import SQLITE
from tests.gateway.inspection.writers import obj, ply
from tests.house import API, House
from tests.scans import Triangles, arch, ascii_stl, binary_stl, exif, picture

pytestmark = SQLITE

UPPER, LOWER = arch(50_000, seed=41), arch(50_000, seed=42, upper=False)


def with_a_hole(shape: Triangles) -> Triangles:
    """The upper arch without what lies within 2 mm of its longest tooth's tip."""
    centres = shape.mean(axis=1)
    place = centres[int(np.argmin(centres[:, 2]))]
    kept: Triangles = shape[np.linalg.norm(centres - place, axis=1) > 2.0]
    return kept


def heic() -> bytes:
    with io.BytesIO() as file:
        pillow_heif.from_pillow(picture(640, 480)).save(file, exif=exif().tobytes())
        return file.getvalue()


async def test_every_format_of_scanners_and_phones_comes_in_and_leaves_in_one_form(
    house: House,
) -> None:
    case_id, dentist = await house.dentist.new_case(), house.dentist
    red = np.full((len(LOWER), 3, 3), (200, 90, 80), np.uint8)
    sent = {
        "upper.stl": ("scan", ascii_stl(UPPER)),
        "lower.ply": ("scan", ply(LOWER, ">", vertex_colours=red)),
        "bite.obj": ("scan", obj(arch(1_000, seed=43))),
        "front.heic": ("photo", heic()),
    }

    files = [
        await dentist.upload(case_id, content, kind, name) for name, (kind, content) in sent.items()
    ]

    assert [file["state"] for file in files] == ["accepted"] * 4, files
    assert [file["slot"] for file in files] == ["upper", "lower", "bite", "front"]
    types = ["model/stl", "application/ply", "model/stl", "image/jpeg"]
    assert [file["media_type"] for file in files] == types
    names = []
    for file in files:
        path = f"{API}/cases/{case_id}/files/{file['id']}"
        names.append((await dentist.ask("GET", f"{path}/content")).headers["Content-Disposition"])
        seen = await dentist.ask("GET", f"{path}/thumbnail")
        with Image.open(io.BytesIO(seen.body), formats=["JPEG"]) as thumbnail:
            assert len(set(thumbnail.convert("L").tobytes())) > 8  # something is to be seen
    assert [name.split('"')[1] for name in names] == [
        *("scan-1.stl", "scan-2.ply", "scan-3.stl", "photo-1.jpg")
    ]


async def test_the_dentist_reads_where_to_scan_again_and_the_planner_reads_the_same(
    house: House,
) -> None:
    case_id, dentist = await house.dentist.new_case(), house.dentist
    whole = await dentist.upload(case_id, binary_stl(LOWER), name="lower.stl")
    holed = await dentist.upload(case_id, binary_stl(with_a_hole(UPPER)), name="upper.stl")
    again = await dentist.upload(case_id, obj(LOWER[::-1]), name="bite.obj")

    assert [finding["code"] for finding in whole["report"]["findings"]] == []
    hole = next(found for found in holed["report"]["findings"] if found["code"] == "hole")
    assert (hole["severity"], hole["unit"]) == ("warning", "mm2")
    assert hole["number"] > 1
    assert hole["places"]
    assert "rescan" in hole["message_en"]
    assert "scan die plek opnieuw" in hole["message_nl"]
    assert "sent_before" in {finding["code"] for finding in again["report"]["findings"]}

    await dentist.post(f"{API}/cases/{case_id}/submission")
    body = {"email": house.planner.email}
    await house.coordinator.post(f"{API}/cases/{case_id}/assignments", body, 201)
    planned = await house.planner.get(f"{API}/cases/{case_id}")
    assert planned["patient"] is None
    assert [file["report"] for file in planned["files"]] == [
        *(file["report"] for file in (whole, holed, again))
    ]
