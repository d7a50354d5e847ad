"""From a local keyring to OpenBao while people work: every case opens, all the time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.access.actors import operator
from gateway.app import open_rooms
from gateway.errors import InvalidInputError
from gateway.ids import new_id, now
from gateway.privacy.migration import Migration
from gateway.rooms import Rooms
from gateway.settings import Settings
from keys.providers.local import LocalKeyring
from keys.providers.successor import Successor
from storage import nodes
from tests.gateway.ground import SQLITE, until
from tests.house import API, PASSPHRASE, PATIENT, SCAN, House, open_house
from tests.openbao import BaoMount


@pytest.fixture
def moved(settings: Settings, mount: BaoMount) -> Settings:
    """The same house with its keys on the server alone."""
    chosen = dict(mount.chosen())
    secret_id_file = Path(chosen.pop("openbao_secret_id_file"))
    return settings.model_copy(update={**chosen, "openbao_secret_id_file": secret_id_file})


@pytest.fixture
def moving(moved: Settings) -> Settings:
    """The same house on its way there."""
    return moved.model_copy(update={"key_provider_before": "local"})


def migration(rooms: Rooms) -> Migration:
    assert isinstance(rooms.provider, Successor)
    return Migration(rooms.main, rooms.services.access, rooms.rotations, rooms.provider)


async def migrate(house: House) -> None:
    """Begin once the house has said which keys it uses, and go on until all is moved."""
    move = migration(house.rooms)

    async def has_begun() -> bool:
        return await move.begin(operator()) == 0

    async def is_done() -> bool:
        return not await move.go_on(operator())

    await until(has_begun)
    await until(is_done)


@SQLITE
async def test_cases_and_uploads_open_before_and_while_and_after_the_keys_move(
    settings: Settings, moving: Settings, moved: Settings, mount: BaoMount
) -> None:
    async with open_house(settings) as house:
        practice, token = house.practice.id, house.dentist.token
        case_id, scan = await house.submitted_case()
        draft = await house.dentist.new_case()
        address, _ = await house.dentist.begin_upload(draft, len(SCAN))
        await house.dentist.append(address, 0, SCAN[:1000])

    async with open_house(moving) as house:
        house.dentist.token = token
        made: list[str] = []

        async def go_on() -> None:
            for _ in range(4):
                made.append(await house.dentist.new_case())
                assert (await house.dentist.upload(made[-1], SCAN))["state"] == "accepted"

        await asyncio.gather(migrate(house), go_on())
        assert (await house.dentist.append(address, 1000, SCAN[1000:])).status == 204
        assert len(await house.dentist.download(case_id, scan["id"])) == len(SCAN)

    before = LocalKeyring.open(settings.keyring_path, PASSPHRASE)
    assert await before.versions(practice) == frozenset()
    settings.keyring_path.unlink()
    assert mount.keys() >= {f"c.{practice}.2"}
    async with open_house(moved) as house:
        house.dentist.token = token
        for known in (case_id, draft, *made):
            assert (await house.dentist.get(f"{API}/cases/{known}"))["patient"] == PATIENT
        await house.dentist.erase(case_id)


@SQLITE
async def test_nothing_begins_while_a_process_knows_one_provider_alone(moving: Settings) -> None:
    async with open_rooms(moving, PASSPHRASE) as rooms:
        async with rooms.main.transaction() as tx:
            node_id = new_id()
            await nodes.beat(tx, node_id, now(), now() + timedelta(hours=1))
            await nodes.use(tx, node_id, "local/00000000")
        practice = await rooms.accounts.add_controller(name="South", email="mail@south.invalid")

        assert await migration(rooms).begin(operator()) == 1

        other = LocalKeyring.open(moving.keyring_path, PASSPHRASE)
        assert await other.versions(practice.id) == {1}


@SQLITE
async def test_a_certificate_names_the_provider_that_destroyed_the_key(moving: Settings) -> None:
    async with open_house(moving) as house:
        early, late = await house.dentist.new_case(), await house.dentist.new_case()
        first = await house.dentist.erase(early)
        await migrate(house)
        second = await house.dentist.erase(late)

    assert first["body"]["key"]["provider"] == "local"
    assert second["body"]["key"]["provider"] == "openbao"
    for certificate in (first, second):
        said = " ".join(certificate["body"]["not_covered"])
        assert "keyring file" in said
        assert "raft snapshots" in said


@SQLITE
async def test_keys_do_not_move_to_where_they_are(settings: Settings) -> None:
    there = settings.model_copy(update={"key_provider_before": "local"})
    with pytest.raises(InvalidInputError) as caught:
        async with open_rooms(there, PASSPHRASE):
            pass
    assert caught.value.field == "key_provider_before"
