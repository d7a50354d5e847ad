"""A case as one zip."""

from __future__ import annotations

import io
import zipfile

from tests.gateway.ground import SQLITE, logged, refused
from tests.house import API, SCAN, House
from tests.scans import arch, binary_stl, jpeg, png

pytestmark = SQLITE
LARGE = binary_stl(arch(50_000, seed=5))


async def test_the_zip_holds_every_accepted_file_by_kind_and_number(house: House) -> None:
    case_id, dentist = await house.dentist.new_case(), house.dentist
    kept = {
        "scan-1.stl": (await dentist.upload(case_id, SCAN))["id"],
        "scan-2.stl": (await dentist.upload(case_id, LARGE))["id"],
        "photo-1.jpg": (await dentist.upload(case_id, jpeg(), "photo"))["id"],
        "photo-2.png": (await dentist.upload(case_id, png(), "photo"))["id"],
    }
    await dentist.upload(case_id, b"no scan")
    removed = await dentist.upload(case_id, SCAN)
    await dentist.ask("DELETE", f"{API}/cases/{case_id}/files/{removed['id']}")
    await dentist.begin_upload(case_id, 9)
    answer = await dentist.ask("GET", f"{API}/cases/{case_id}/archive")

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="case-{case_id}.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == list(kept)
        for name, file_id in kept.items():
            assert archive.read(name) == await dentist.download(case_id, file_id)
            assert archive.getinfo(name).external_attr >> 16 & 0o777 == 0o600
    authorised, outcome = [e["event"] for e in (await logged(house, "file.download"))[:2]]
    assert (authorised["stage"], outcome["stage"]) == ("authorised", "outcome")
    sent = {"bytes": len(answer.body), "ended": True, "files": list(kept.values())}
    assert outcome["detail"] == sent


async def test_a_case_without_files_has_no_zip(house: House) -> None:
    case_id = await house.dentist.new_case()
    await house.dentist.upload(case_id, b"no scan")

    refused(await house.dentist.ask("GET", f"{API}/cases/{case_id}/archive"), 404, "not_found")
