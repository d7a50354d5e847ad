"""A case that changes in the very moment in which it is given another key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

import pytest

from gateway.privacy import rekey
from gateway.privacy.casekeys import CaseKeys, OpenCase
from keys.context import Purpose
from storage import keystore
from tests.gateway.ground import SQLITE, refused
from tests.house import API, PATIENT, SCAN, Answer, House

pytestmark = SQLITE
RIGHT = {**PATIENT, "name": "Willemijn Echtenaam"}


async def correct(house: House, case_id: str) -> Answer:
    return await house.dentist.ask("PUT", f"{API}/cases/{case_id}/patient", json=RIGHT)


def meanwhile(
    monkeypatch: pytest.MonkeyPatch, happens: Callable[[int], Awaitable[object]]
) -> list[str]:
    """Have something happen after each other key is made; the ids of those keys."""
    make, made = CaseKeys.renew, list[str]()

    async def renew(keys: CaseKeys, opened: OpenCase, blob_ids: Collection[str]) -> OpenCase:
        fresh = await make(keys, opened, blob_ids)
        made.append(fresh.key_id)
        await happens(len(made))
        return fresh

    monkeypatch.setattr(CaseKeys, "renew", renew)
    return made


async def test_a_file_that_is_accepted_in_that_moment_is_not_left_behind(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = await house.dentist.new_case()
    accepted: list[str] = []

    async def upload(time: int) -> None:
        if time == 1:
            accepted.append((await house.dentist.upload(case_id, SCAN))["id"])

    made = meanwhile(monkeypatch, upload)
    assert (await correct(house, case_id)).status == 202

    assert len(made) == 2
    assert len(await house.dentist.download(case_id, accepted[0])) == len(SCAN)


async def test_two_corrections_in_one_moment_both_count(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = await house.dentist.new_case()

    async def again(time: int) -> None:
        if time == 1:
            patient = {**RIGHT, "number": "PX-1"}
            path = f"{API}/cases/{case_id}/patient"
            assert (await house.dentist.ask("PUT", path, json=patient)).status == 202

    made = meanwhile(monkeypatch, again)
    assert (await correct(house, case_id)).status == 202

    assert len(made) == 3
    assert (await house.dentist.get(f"{API}/cases/{case_id}"))["patient"] == RIGHT


async def test_a_key_that_an_erasure_took_away_in_that_moment_is_not_named(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = await house.dentist.new_case()
    scan = await house.dentist.upload(case_id, SCAN)
    made: list[str] = []

    async def take_away(time: int) -> None:
        if time == 1:
            async with house.rooms.keystore.transaction() as tx:
                await keystore.remove(tx, Purpose.CASE_KEY, made[0])

    made = meanwhile(monkeypatch, take_away)
    assert (await correct(house, case_id)).status == 202

    assert len(made) == 2
    assert len(await house.dentist.download(case_id, scan["id"])) == len(SCAN)


async def test_a_case_that_is_frozen_in_that_moment_is_left_to_its_erasure(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = await house.dentist.new_case()

    async def erase(_: int) -> None:
        body = {"reason": "asked for", "confirm": case_id}
        await house.dentist.post(f"{API}/cases/{case_id}/erasure", body, 202)

    meanwhile(monkeypatch, erase)

    refused(await correct(house, case_id), 409, "case_frozen")


async def test_a_case_that_never_rests_is_refused_and_stays_as_it_was(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = await house.dentist.new_case()
    scan = await house.dentist.upload(case_id, SCAN)

    async def upload(_: int) -> None:
        await house.dentist.upload(case_id, SCAN)

    made = meanwhile(monkeypatch, upload)
    refused(await correct(house, case_id), 503, "unavailable")

    assert len(made) == rekey.TRIES
    assert (await house.dentist.get(f"{API}/cases/{case_id}"))["patient"] == PATIENT
    assert len(await house.dentist.download(case_id, scan["id"])) == len(SCAN)


async def test_an_upload_begun_in_that_moment_is_refused_and_may_begin_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = await house.dentist.new_case()
    make = CaseKeys.create_upload_key

    async def correct_first(keys: CaseKeys, *arguments: object) -> None:
        monkeypatch.setattr(CaseKeys, "create_upload_key", make)
        assert (await correct(house, case_id)).status == 202
        await make(keys, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(CaseKeys, "create_upload_key", correct_first)
    with pytest.raises(AssertionError, match="unavailable"):
        await house.dentist.begin_upload(case_id, len(SCAN))

    assert (await house.dentist.upload(case_id, SCAN))["state"] == "accepted"
