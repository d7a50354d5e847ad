"""From one kind of store to another: databases, and keys that a server keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.access.actors import operator
from gateway.app import initialise, log_verifier
from gateway.backup.house import house_of
from gateway.backup.place import Place
from gateway.backup.restoring import Restore
from gateway.backup.sources import Sources, examine
from gateway.settings import load
from tests.gateway.backup.ground import Ground, back_up, hire_officer
from tests.house import API, Person, open_house, serving
from tests.openbao import BaoMount


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_a_back_up_of_postgresql_comes_back_on_sqlite(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        case_id, _ = await house.submitted_case()
        await back_up(house, ground.place)
        email = house.dentist.email
    to = ground.target.model_copy(update={"database_url": "", "keystore_url": ""})
    other = Ground(ground.settings, to, ground.recovery, ground.place, ground.keys)

    await other.restore()

    async with serving(to) as (rooms, url, session):
        dentist = Person(session, url, await rooms.accounts.create_token(email=email))
        assert (await dentist.get(f"{API}/cases/{case_id}"))["patient"]["name"]
    assert (to.data / "kluis.db").exists()


async def test_keys_on_a_server_stay_there_and_open_what_is_restored(
    mount: BaoMount, tmp_path: Path, data_directory: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir(mode=0o700)
    chosen = {**mount.chosen(), "backup_directories": [place], "inspection_workers": 1}
    settings = load(data=data_directory, key_backup_directories=[tmp_path / "none"], **chosen)
    made = await initialise(settings, "", "officer@lab.invalid")
    async with open_house(settings) as house:
        erased, _ = await house.submitted_case()
        kept, _ = await house.submitted_case()
        await house.rooms.backups.write(operator(), Place(place), lambda _: None)
        certificate = await house.dentist.erase(erased)
        email = house.dentist.email
    assert certificate["body"]["registered_key_backups"] == []

    target = load(data=tmp_path / "restored", **chosen)
    sources = Sources([Place(place)], (), made.recovery)
    async with house_of(target, sources) as keys:
        found = await examine(sources, keys, lambda _: None)
        restored = await Restore(target, found, "").run(None, lambda _: None, two_people=False)

    assert restored.changed.erased == [erased]
    before, after = log_verifier(settings.log_key_path), log_verifier(target.log_key_path)
    assert after.name == f"{before.name}/restored-1"
    assert after.public == before.public
    async with serving(target) as (rooms, url, session):
        dentist = Person(session, url, await rooms.accounts.create_token(email=email))
        assert (await dentist.get(f"{API}/cases/{kept}"))["patient"]["name"]
        assert (await dentist.get(f"{API}/cases/{erased}"))["state"] == "erased"
