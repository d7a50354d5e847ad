"""What a restore refuses before it writes anything, and what may be lost if somebody accepts it."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from gateway.access.second import Credentials
from gateway.app import open_rooms
from gateway.backup.errors import (
    BackupDamagedError,
    BackupForeignError,
    BackupMissingError,
    KeysTooOldError,
    KeystoreBehindError,
    NotEmptyError,
    UnfinishedRestoreError,
)
from gateway.backup.parts import PartWriter
from gateway.errors import InvalidInputError, LoginFailedError
from keys.recovery import RecoveryKey
from keys.secret import SecretKey
from keys.signing import SigningKey
from storage import files
from storage.blobs import Area
from tests.gateway.backup.ground import OFFICER, Ground, back_up, hire_officer, refused_at
from tests.gateway.ground import SQLITE, logged
from tests.house import PASSPHRASE, House, open_house


async def _blob_of(house: House, file_id: str) -> str:
    async with house.rooms.main.reading() as connection:
        row = await files.get(connection, file_id)
    assert row is not None
    assert row.blob_id is not None
    return row.blob_id


@SQLITE
async def test_each_damaged_part_is_refused_by_name_before_anything_is_written(
    ground: Ground,
) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        await house.submitted_case()
        await back_up(house, ground.place)
    generation = ground.place.newest()
    (blob,) = generation.blobs()
    parts = [
        generation.directory / "data.sealed",
        generation.directory / "blobs.txt",
        ground.place.keystore,
        ground.keys / "keys.sealed",
        ground.place.root / "blobs" / Area.VAULT / blob.blob_id[-2:] / blob.blob_id,
    ]
    for path in parts:
        whole = path.read_bytes()
        for damaged in (whole[:-1], b"", bytes([whole[0] ^ 1]) + whole[1:]):
            path.write_bytes(damaged)
            error = await refused_at(ground, BackupDamagedError)
            assert path.name in str(error)
        path.unlink()
        error = await refused_at(ground, (BackupDamagedError, BackupMissingError))
        assert path.name in str(error)
        path.write_bytes(whole)

    manifest = generation.directory / "manifest.json"
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[:-5])
    assert "manifest.json" in str(await refused_at(ground, BackupDamagedError))
    manifest.write_bytes(whole.replace(b'"local"', b'"other"'))
    assert "manifest.json" in str(await refused_at(ground, BackupForeignError))
    manifest.write_bytes(whole)
    assert (await ground.restore()).files == 1


@SQLITE
async def test_a_lost_file_holds_up_nothing_that_is_accepted(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        _, file = await house.submitted_case()
        await house.submitted_case()
        await back_up(house, ground.place)
        blob_id = await _blob_of(house, file["id"])
    (ground.place.root / "blobs" / Area.VAULT / blob_id[-2:] / blob_id).unlink()

    restored = await ground.restore(accept_losses=True)

    assert restored.changed.removed == [file["id"]]
    assert (restored.cases, restored.files) == (2, 1)


@SQLITE
async def test_other_words_open_nothing(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await back_up(house, ground.place)

    wrong = replace(ground.sources, recovery=RecoveryKey.generate())
    await refused_at(ground, BackupDamagedError, sources=wrong)


@SQLITE
async def test_whoever_has_the_public_half_alone_makes_no_back_up(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        await back_up(house, ground.place)
    forger = SigningKey("certificate", SecretKey.generate())
    lines = b'{"format":"kluis/dump/1","room":"keystore","schema":"0001","at":0}\n{"rows":0}\n'
    writer = PartWriter(ground.place.keystore, "keystore", ground.recovery.public, forger.sign)
    await writer.write(lines)
    await writer.end()
    await writer.publish()
    writer.discard()

    assert "keystore.sealed" in str(await refused_at(ground, BackupForeignError))


@SQLITE
async def test_a_file_that_was_lost_before_the_back_up_is_listed_and_holds_up_nothing(
    ground: Ground,
) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        _, file = await house.submitted_case()
        await house.submitted_case()
        blob_id = await _blob_of(house, file["id"])
        await house.rooms.blobs.delete(Area.VAULT, blob_id)
        assert (await back_up(house, ground.place)).damaged == (blob_id,)

    restored = await ground.restore()

    assert restored.changed.removed == [file["id"]]
    assert (restored.cases, restored.files) == (2, 1)


@SQLITE
async def test_a_keystore_from_before_the_data_is_refused(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        await house.submitted_case()
        await back_up(house, ground.place)
        old = ground.place.keystore.read_bytes()
        await house.submitted_case()
        await back_up(house, ground.place)
    ground.place.keystore.write_bytes(old)

    await refused_at(ground, KeystoreBehindError)
    restored = await ground.restore(accept_losses=True)
    assert restored.cases == 1


@SQLITE
async def test_keys_from_before_the_keystore_are_refused(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        case_id, _ = await house.submitted_case()
        await house.submitted_case()
        await back_up(house, ground.place)
        old = shutil.copytree(ground.keys, ground.keys.with_name("old-keys"))
        await house.dentist.erase(case_id)

    await refused_at(ground, KeysTooOldError, sources=replace(ground.sources, keys=[old]))


@SQLITE
async def test_a_restore_takes_a_second_person_of_the_house_as_it_was(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        await back_up(house, ground.place)

    with pytest.raises(InvalidInputError):
        await ground.restore(second=None)
    with pytest.raises(LoginFailedError):
        await ground.restore(second=Credentials(OFFICER, "not their password"))
    with pytest.raises(UnfinishedRestoreError):
        async with open_rooms(ground.target, PASSPHRASE):
            pass
    await ground.restore()

    async with open_house(ground.target) as house:
        events = await logged(house, "house.restore")
        agreed = await logged(house, "second.agree")
    assert [event["event"]["stage"] for event in events] == ["authorised", "outcome"]
    assert agreed[-1]["event"]["detail"]["agrees_to"] == "house.restore"
    assert events[-1]["event"]["detail"]["second"] == agreed[-1]["user"]["id"]


@SQLITE
async def test_nothing_is_ever_restored_over_something(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        await back_up(house, ground.place)
    await ground.restore()

    with pytest.raises(NotEmptyError):
        await ground.restore()
    shutil.rmtree(ground.target.data)
    with pytest.raises(NotEmptyError):  # the databases are elsewhere, and full
        await ground.restore()
