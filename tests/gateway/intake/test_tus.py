"""tus 1.0.0, clause by clause: core, creation, creation-with-upload, expiration, termination."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from aiohttp import ClientError

from gateway.settings import Settings
from tests.gateway.ground import SQLITE, change, logged, refused, stored, until
from tests.house import API, BYTES, SCAN, TUS, Answer, House, open_house

pytestmark = SQLITE
AUTHORISED = "filename eC5zdGw=,kind c2Nhbg=="


async def create(house: House, case_id: str, body: bytes | None = None, **headers: str) -> Answer:
    sent = {**TUS, "Upload-Length": "9", "Upload-Metadata": AUTHORISED}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in sent.items() if value}
    path = f"{API}/cases/{case_id}/files"
    return await house.dentist.ask("POST", path, headers=sent, data=body)


async def test_options_says_what_is_spoken_here(house: House) -> None:
    for path in (
        f"{API}/cases/{await house.dentist.new_case()}/files",
        f"{API}/uploads/{'a' * 43}",
    ):
        answer = await house.stranger.ask("OPTIONS", path)
        assert answer.status == 204
        assert answer.headers["Tus-Version"] == answer.headers["Tus-Resumable"] == "1.0.0"
        extensions = set(answer.headers["Tus-Extension"].split(","))
        assert extensions == {"creation", "creation-with-upload", "expiration", "termination"}
        assert int(answer.headers["Tus-Max-Size"]) == house.settings.scan_limit_bytes


async def test_a_new_upload_has_a_secret_address_and_an_end(house: House) -> None:
    answer = await create(house, await house.dentist.new_case())

    assert answer.status == 201
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert answer.headers["Upload-Offset"] == "0"
    assert len(answer.headers["Location"].removeprefix(f"{API}/uploads/")) == 43
    ends = parsedate_to_datetime(answer.headers["Upload-Expires"])
    assert abs(ends - datetime.now(UTC) - timedelta(hours=24)) < timedelta(minutes=1)
    view = answer.json()
    assert (view["state"], view["length"], view["received"]) == ("receiving", 9, 0)
    assert view["id"] == answer.headers["Kluis-File"]
    capability = answer.headers["Location"].rpartition("/")[2]
    files = [path.read_bytes() for path in house.settings.data.parent.rglob("*") if path.is_file()]
    assert not [content for content in files if capability.encode() in content]


async def test_every_request_names_the_version_of_tus(house: House) -> None:
    case_id = await house.dentist.new_case()
    address, _ = await house.dentist.begin_upload(case_id, 9)
    for version in ("", "0.2.2", "1.0.1"):
        answers = [await create(house, case_id, Tus_Resumable=version)]
        for method in ("HEAD", "PATCH", "DELETE"):
            headers = {"Tus-Resumable": version} if version else {}
            answers.append(await house.dentist.ask(method, address, headers=headers))
        for answer in answers:
            assert answer.status == 412
            assert answer.headers["Tus-Version"] == "1.0.0"
    assert len((await house.dentist.get(f"{API}/cases/{case_id}"))["files"]) == 1


async def test_every_answer_names_the_version_of_tus(house: House) -> None:
    case_id = await house.dentist.new_case()
    address, _ = await house.dentist.begin_upload(case_id, 9)
    wrong = {**TUS, **BYTES, "Upload-Offset": "7"}
    answers = [
        await create(house, case_id, Upload_Length="0"),
        await house.dentist.ask("HEAD", address, headers=TUS),
        await house.dentist.ask("PATCH", address, headers=wrong, data=b"x"),
        await house.dentist.ask("HEAD", f"{API}/uploads/{'a' * 43}", headers=TUS),
        await house.dentist.append(address, 0, b"some"),
        await house.dentist.ask("DELETE", address, headers=TUS),
        await house.dentist.ask("DELETE", address, headers=TUS),
    ]

    assert [answer.status for answer in answers] == [422, 200, 409, 404, 204, 204, 410]
    assert [answer.headers.get("Tus-Resumable") for answer in answers] == ["1.0.0"] * 7


UNKNOWN_METADATA = [
    "",
    "filename eC5zdGw=",
    "kind c2Nhbg==",
    "filename eC5zdGw=,kind",
    "filename eC5zdGw=,kind YmFjaw==",
    f"{AUTHORISED},kind c2Nhbg==",
    f"{AUTHORISED},owner eA==",
    f"{AUTHORISED},is_confidential",
    "filename eC5zdGw,kind c2Nhbg==",
    "filename eC5z*dGw=,kind c2Nhbg==",
    "filename //79,kind c2Nhbg==",
    "FILENAME eC5zdGw=,kind c2Nhbg==",
    "filename " + "eHh4" * 600 + ",kind c2Nhbg==",
    "filename " + base64.b64encode(b"x" * 256).decode() + ",kind c2Nhbg==",
]


async def test_metadata_that_we_do_not_know_is_refused(house: House) -> None:
    for metadata in UNKNOWN_METADATA:
        case_id = await house.dentist.new_case()

        refused(await create(house, case_id, Upload_Metadata=metadata), 422, "invalid_input")
        assert (await house.dentist.get(f"{API}/cases/{case_id}"))["files"] == []


NO_LENGTHS = ["", "0", "-1", "x", "1.5", "+9", "9 9", "1" * 16]


async def test_a_length_is_a_number_of_bytes_above_none(house: House) -> None:
    for length in NO_LENGTHS:
        case_id = await house.dentist.new_case()
        problem = refused(await create(house, case_id, Upload_Length=length), 422, "invalid_input")

        assert problem["field"] == "Upload-Length"


async def test_each_kind_has_its_largest_size(house: House) -> None:
    limits = {
        "scan": house.settings.scan_limit_bytes,
        "photo": house.settings.photo_limit_bytes,
        "plan": house.settings.plan_limit_bytes,
    }
    case_id = await house.dentist.new_case()
    for kind, limit in limits.items():
        metadata = f"filename eA==,kind {base64.b64encode(kind.encode()).decode()}"
        length = str(limit + 1)
        answer = await create(house, case_id, Upload_Metadata=metadata, Upload_Length=length)
        refused(answer, 413, "too_large")
    assert (await create(house, case_id, Upload_Length=str(limits["scan"]))).status == 201


async def test_bytes_have_one_media_type(house: House) -> None:
    address, _ = await house.dentist.begin_upload(await house.dentist.new_case(), 9)
    for media_type in ("application/octet-stream", "text/plain"):
        headers = {**TUS, "Upload-Offset": "0", "Content-Type": media_type}
        answer = await house.dentist.ask("PATCH", address, headers=headers, data=b"some")
        refused(answer, 415, "upload_media_type")
    assert await house.dentist.offset(address) == 0


async def test_bytes_go_on_at_the_offset_and_nowhere_else(house: House) -> None:
    address, _ = await house.dentist.begin_upload(await house.dentist.new_case(), 9)
    assert (await house.dentist.append(address, 0, b"some")).headers["Upload-Offset"] == "4"

    for offset in (0, 3, 5, 9, 10):
        answer = await house.dentist.append(address, offset, b"x")
        problem = refused(answer, 409, "offset_mismatch")
        assert "byte 4" in problem["detail"]
    for wrong in ("", "-1", "4.0", "x"):
        headers = {**TUS, **BYTES} | ({"Upload-Offset": wrong} if wrong else {})
        answer = await house.dentist.ask("PATCH", address, headers=headers, data=b"x")
        refused(answer, 422, "invalid_input")
    assert await house.dentist.offset(address) == 4
    refused(await house.dentist.append(address, 4, b"123456"), 413, "too_large")
    assert await house.dentist.offset(address) == 4


async def test_an_empty_patch_changes_nothing(house: House) -> None:
    address, _ = await house.dentist.begin_upload(await house.dentist.new_case(), 9)
    answer = await house.dentist.append(address, 0, b"")

    assert (answer.status, answer.headers["Upload-Offset"]) == (204, "0")


async def test_an_unknown_address_is_not_found_and_noted(house: House) -> None:
    for method in ("HEAD", "PATCH", "DELETE"):
        headers = {**TUS, **BYTES, "Upload-Offset": "0"}
        answer = await house.stranger.ask(method, f"{API}/uploads/{'a' * 43}", headers=headers)
        assert answer.status == 404
    noted = await logged(house, "file.upload")
    assert [record["event"]["stage"] for record in noted] == ["refused"] * 3


async def test_an_upload_whose_time_ran_out_is_gone(house: House) -> None:
    address, _ = await house.dentist.begin_upload(await house.dentist.new_case(), 9)
    await house.dentist.append(address, 0, b"some")
    await change(house, "UPDATE files SET expires_at = created_at")

    assert (await house.dentist.ask("HEAD", address, headers=TUS)).status == 410
    refused(await house.dentist.append(address, 4, b"x"), 410, "upload_gone")
    await house.rooms.sweeper.sweep()
    refused(await house.dentist.append(address, 4, b"x"), 410, "upload_gone")
    assert (await stored(house))[0] == frozenset()


async def test_a_terminated_upload_leaves_no_byte_no_key_and_no_name(house: House) -> None:
    case_id = await house.dentist.new_case()
    before = await stored(house)
    address, file_id = await house.dentist.begin_upload(case_id, 9)
    await house.dentist.append(address, 0, b"some")
    assert await stored(house) != before

    assert (await house.dentist.ask("DELETE", address, headers=TUS)).status == 204
    assert await stored(house) == before
    file = await house.dentist.get(f"{API}/cases/{case_id}/files/{file_id}")
    assert (file["state"], file["name"], file["received"]) == ("cancelled", None, 4)
    for method in ("HEAD", "DELETE"):
        assert (await house.dentist.ask(method, address, headers=TUS)).status == 410


async def test_a_file_may_come_with_its_creation_whole_or_in_part(house: House) -> None:
    case_id = await house.dentist.new_case()
    length = str(len(SCAN))
    whole = await create(house, case_id, SCAN, Upload_Length=length, **_BYTES)
    assert (whole.status, whole.headers["Upload-Offset"]) == (201, length)
    accepted = await house.dentist.verdict(case_id, whole.headers["Kluis-File"])
    assert accepted["state"] == "accepted"

    part = await create(house, case_id, SCAN[:1000], Upload_Length=length, **_BYTES)
    assert part.headers["Upload-Offset"] == "1000"
    address = part.headers["Location"]
    assert (await house.dentist.append(address, 1000, SCAN[1000:])).status == 204
    accepted = await house.dentist.verdict(case_id, part.headers["Kluis-File"])
    assert accepted["state"] == "accepted"


_BYTES = {"Content_Type": BYTES["Content-Type"]}


async def test_a_creation_that_is_refused_for_its_body_creates_nothing(house: House) -> None:
    case_id = await house.dentist.new_case()
    before = await stored(house)

    wrong = await create(house, case_id, b"some", Content_Type="text/plain")
    refused(wrong, 415, "upload_media_type")
    refused(await create(house, case_id, b"0123456789", **_BYTES), 413, "too_large")
    assert (await house.dentist.get(f"{API}/cases/{case_id}"))["files"] == []
    assert await stored(house) == before


async def test_what_a_slow_request_has_brought_is_told_and_kept(house: House) -> None:
    address, _ = await house.dentist.begin_upload(await house.dentist.new_case(), 12)
    sent, told = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"some"
        sent.set()
        await told.wait()
        yield b"more"

    headers = {**TUS, **BYTES, "Upload-Offset": "0"}
    patch = asyncio.create_task(house.dentist.ask("PATCH", address, headers=headers, data=slowly()))
    await sent.wait()
    async with asyncio.timeout(30):
        while await house.dentist.offset(address) != 4:
            pass
    told.set()
    assert (await patch).headers["Upload-Offset"] == "8"


async def test_a_case_takes_a_bounded_number_of_files(settings: Settings) -> None:
    async with open_house(settings.model_copy(update={"files_per_case": 2})) as house:
        case_id = await house.dentist.new_case()
        answers = [await create(house, case_id) for _ in range(3)]

        assert [answer.status for answer in answers] == [201, 201, 409]
        assert "at most 2 files" in refused(answers[2], 409, "wrong_state")["detail"]


async def test_a_silent_connection_is_closed_and_keeps_what_it_brought(settings: Settings) -> None:
    async with open_house(settings.model_copy(update={"upload_idle_seconds": 0.2})) as house:
        address, _ = await house.dentist.begin_upload(await house.dentist.new_case(), 12)
        forever = asyncio.Event()

        async def silent() -> AsyncIterator[bytes]:
            yield b"some"
            await forever.wait()

        headers = {**TUS, **BYTES, "Upload-Offset": "0"}
        with pytest.raises(ClientError):
            async with asyncio.timeout(20):
                await house.dentist.ask("PATCH", address, headers=headers, data=silent())

        async def is_kept() -> bool:
            return await house.dentist.offset(address) == 4

        await until(is_kept)
