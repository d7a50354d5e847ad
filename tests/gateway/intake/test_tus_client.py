"""The judge of the tus server: tuspy, a client that others wrote."""

from __future__ import annotations

import asyncio
import io
from typing import Any

from tusclient.client import TusClient

from tests.gateway.ground import SQLITE
from tests.house import API, House
from tests.scans import arch, binary_stl

pytestmark = SQLITE
SCAN = binary_stl(arch(40_000, seed=3))
METADATA = {"filename": "upper.stl", "kind": "scan"}


async def test_tuspy_uploads_in_pieces_and_goes_on_after_a_break(house: House) -> None:
    case_id = await house.dentist.new_case()
    url = f"{house.url}{API}/cases/{case_id}/files"

    def upload() -> None:
        client = TusClient(url, {"Authorization": f"Bearer {house.dentist.token}"})
        stream = io.BytesIO(SCAN)
        first: Any = client.uploader(file_stream=stream, chunk_size=500_000, metadata=METADATA)
        first.upload_chunk()
        first.upload_chunk()
        assert first.offset == 1_000_000
        # Another process, which knows the address alone.
        second: Any = TusClient(url).uploader(file_stream=stream, chunk_size=700_000, url=first.url)
        assert second.offset == 1_000_000
        second.upload()
        assert second.offset == len(SCAN)

    await asyncio.to_thread(upload)

    [file] = (await house.dentist.get(f"{API}/cases/{case_id}"))["files"]
    verdict = await house.dentist.verdict(case_id, file["id"])
    assert (verdict["state"], verdict["name"]) == ("accepted", "upper.stl")
    assert (await house.dentist.download(case_id, file["id"]))[84:] != b""
