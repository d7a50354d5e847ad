"""The whole of it with the controller keys in an HSM: a case comes in, goes out and is erased."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.access.actors import operator
from gateway.app import initialise
from gateway.settings import Settings, load
from keys.context import Context, Purpose
from keys.errors import KeyringExistsError, UnknownKeyVersionError, UnsealError
from storage.schema import wrapped_keys
from tests.gateway.ground import until
from tests.house import API, SCAN, House, open_house
from tests.softhsm import LABEL, SoftHsm, fresh_token
from tests.stories.test_erasure_certificate import public_keys, verified_body


@dataclass(frozen=True)
class Practice:
    """A running Kluis, its settings and its token."""

    house: House
    settings: Settings
    token: SoftHsm


def chosen(data: Path, token: SoftHsm) -> Settings:
    return load(
        data=data,
        key_provider="pkcs11",
        pkcs11_module=token.module,
        pkcs11_token=LABEL,
        pkcs11_pin_file=token.pin_file,
        inspection_workers=1,
        disk_reserve_bytes=64 * 1024,
    )


@pytest.fixture
async def practice(tmp_path: Path) -> AsyncIterator[Practice]:
    with fresh_token(tmp_path) as token:
        settings = chosen(tmp_path / "data", token)
        await initialise(settings, "", "officer@people.invalid")
        async with open_house(settings) as house:
            yield Practice(house, settings, token)


async def test_a_case_comes_in_and_goes_out(practice: Practice) -> None:
    case_id, file = await practice.house.planned_case()
    content = await practice.house.planner.download(case_id, file["id"])
    assert len(content) == len(SCAN)
    assert not practice.settings.keyring_path.exists()


async def test_after_an_erasure_the_token_opens_nothing_of_the_case(practice: Practice) -> None:
    house = practice.house
    kept_id, _ = await house.submitted_case()
    case_id, _ = await house.submitted_case()
    async with house.rooms.keystore.reading() as connection:
        query = select(wrapped_keys.c.wrapped).where(wrapped_keys.c.object_id == case_id)
        stolen = (await connection.execute(query)).scalar_one()
    place = Context(Purpose.CASE_KEY, house.practice.id, case_id, case_id)
    before = practice.token.objects()
    assert await house.rooms.keyring.unwrap(1, stolen, place)

    certificate = await house.dentist.erase(case_id)

    body = verified_body(certificate, await public_keys(house))
    assert body["key"]["provider"] == "pkcs11"
    assert "back-up or a clone of the HSM's token" in body["not_covered"][0]
    gone = body["key"]["destroyed_version"]
    assert len(before - practice.token.objects()) == 1
    with pytest.raises(UnknownKeyVersionError):
        await house.rooms.keyring.unwrap(gone, stolen, place)
    for version in body["key"]["versions_left"]:
        with pytest.raises(UnsealError):
            await house.rooms.keyring.unwrap(version, stolen, place)
    assert (await house.dentist.get(f"{API}/cases/{kept_id}"))["id"] == kept_id


async def test_while_the_token_is_away_nothing_opens_and_afterwards_everything_does(
    practice: Practice,
) -> None:
    house, token = practice.house, practice.token
    case_id, _ = await house.submitted_case()
    away = token.tokens.rename(token.tokens.with_name("away"))
    token.tokens.mkdir()

    answer = await house.dentist.ask("GET", f"{API}/cases/{case_id}")
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["code"] == "unavailable"
    ready = await house.dentist.ask("GET", "/readyz")
    assert ready.status == 503
    assert ready.json()["parts"]["keys"].startswith("PKCS#11")

    token.tokens.rmdir()
    away.rename(token.tokens)
    assert (await house.dentist.get(f"{API}/cases/{case_id}"))["patient"]


async def test_a_token_of_another_installation_is_left_alone(
    practice: Practice, tmp_path: Path
) -> None:
    before = practice.token.objects()
    with pytest.raises(KeyringExistsError):
        await initialise(chosen(tmp_path / "other", practice.token), "", "o@people.invalid")
    assert practice.token.objects() == before


async def test_a_practice_gets_a_new_key_on_the_token(practice: Practice) -> None:
    house = practice.house
    case_id, scan = await house.submitted_case()
    punctures = await house.rooms.rotations.request(operator(), [house.practice.id])

    async def is_done() -> bool:
        return (await house.rooms.rotations.progress(punctures)).practices == 0

    await until(is_done)
    assert await house.rooms.keyring.versions(house.practice.id) == {2}
    assert await house.dentist.download(case_id, scan["id"])
