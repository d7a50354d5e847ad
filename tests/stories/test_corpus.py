"""Real scans go through the running server; without the corpus the generated files remain."""

from __future__ import annotations

import asyncio

from tests.gateway.ground import SQLITE
from tests.house import API, SCAN, House
from tests.scans import corpus

pytestmark = SQLITE

AT_A_TIME = 4


async def test_every_scan_gets_a_report_or_a_reason_and_none_stops_the_server(
    house: House,
) -> None:
    scans = [SCAN, SCAN[:-1], SCAN[:84], b"solid\nendsolid\n"]
    scans += [path.read_bytes() for path in corpus("stl")]
    case_id = await house.dentist.new_case()
    turns = asyncio.Semaphore(AT_A_TIME)

    async def verdict(scan: bytes) -> str:
        async with turns:
            file = await house.dentist.upload(case_id, scan)
        if file["state"] == "accepted":
            assert file["report"]["triangles"] > 0
            assert len(await house.dentist.download(case_id, file["id"])) == file["size"]
        else:
            assert file["problem"]["code"]
            assert file["problem"]["remedy"]
        return str(file["state"])

    verdicts = await asyncio.gather(*map(verdict, scans))

    assert verdicts[:4] == ["accepted", "refused", "refused", "refused"]
    assert set(verdicts) == {"accepted", "refused"}
    assert (await house.stranger.ask("GET", "/healthz")).status == 200
    assert (await house.dentist.get(f"{API}/cases/{case_id}"))["state"] == "draft"
