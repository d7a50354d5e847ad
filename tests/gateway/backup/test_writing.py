"""Writing a back-up: what lies at the place, and what never does."""

from __future__ import annotations

import json
import shutil

import pytest

from gateway.backup.errors import PlaceUnusableError, RecoveryKeyMissingError
from gateway.backup.parts import hash_of, read_part
from gateway.backup.place import MARK
from gateway.signingkeys import public_keys
from storage.accesslog.publishing import newest
from storage.blobs import Area
from tests.gateway.backup.ground import Ground, back_up
from tests.gateway.ground import SQLITE, logged, until
from tests.house import House, open_house


async def lines_of(ground: Ground, path_part: str) -> list[bytes]:
    path = {"keystore": ground.place.keystore}.get(path_part)
    generation = ground.place.newest()
    path = path or generation.path(generation.manifest.data)
    signers = public_keys(ground.settings.certificate_key_path)
    return [line async for line in read_part(path, path_part, ground.recovery, signers)]


async def test_a_generation_holds_every_row_and_every_blob(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        case_id, file = await house.submitted_case()
        backup = await back_up(house, ground.place)
        events = await logged(house, "backup.write")

    generation = ground.place.newest()
    text = b"".join(await lines_of(ground, f"data/{generation.id}")).decode()
    keys = b"".join(await lines_of(ground, "keystore")).decode()
    assert case_id in text
    assert file["id"] in text
    assert case_id in keys
    assert "upload-key" not in keys
    assert backup.copied == 1
    assert not backup.damaged
    for part in (generation.manifest.data, generation.manifest.blobs):
        written = hash_of(generation.path(part))
        assert (written.size, written.sha256.hex()) == (part.size, part.sha256)
    (blob,) = generation.blobs()
    copy = ground.place.root / "blobs" / Area.VAULT / blob.blob_id[-2:] / blob.blob_id
    assert (hash_of(copy).size, hash_of(copy).sha256.hex()) == (blob.size, blob.sha256)
    assert events[-1]["event"]["detail"]["manifest_sha256"] == generation.sha256
    assert (ground.keys / "keys.sealed").exists()


@SQLITE
async def test_nothing_at_a_place_can_be_read_without_the_words(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await house.submitted_case()
        await back_up(house, ground.place)
        planted = [house.dentist.email, house.practice.name, "Proefpersoon", "crowding"]

    for root in (ground.place.root, ground.keys):
        for path in root.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                assert not [word for word in planted if word.encode() in content], path
                assert path.stat().st_mode & 0o077 == 0, path


@SQLITE
async def test_a_second_generation_copies_only_what_is_new(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await house.submitted_case()
        await back_up(house, ground.place)
        await house.submitted_case()
        second = await back_up(house, ground.place)

    assert second.copied == 1
    assert len(list(ground.place.newest().blobs())) == 2
    assert len(ground.place.whole()) == 2


@SQLITE
async def test_old_generations_go_and_so_do_blobs_of_none(ground: Ground) -> None:
    settings = ground.settings.model_copy(update={"backup_keep": 1})
    async with open_house(settings) as house:
        gone, _ = await house.submitted_case()
        await house.submitted_case()
        first = await back_up(house, ground.place)
        await house.dentist.erase(gone)
        second = await back_up(house, ground.place)
        events = await logged(house, "backup.write")

    assert [generation.id for generation in ground.place.whole()] == [second.generation.id]
    assert events[-1]["event"]["detail"]["removed"] == [first.generation.id]
    named = {blob.blob_id for blob in second.generation.blobs()}
    here = {stat.blob_id async for stat in ground.place.store().list(Area.VAULT)}
    assert here == named
    assert len(here) == 1


@SQLITE
async def test_a_generation_without_manifest_does_not_count_and_is_swept(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        first = await back_up(house, ground.place)
        broken = await back_up(house, ground.place)
        (broken.generation.directory / "manifest.json").unlink()
        assert [each.id for each in ground.place.whole()] == [first.generation.id]
        await back_up(house, ground.place)

    assert not broken.generation.directory.exists()


@SQLITE
async def test_a_damaged_blob_is_named_and_a_good_copy_is_kept(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await house.submitted_case()
        first = await back_up(house, ground.place)
        (blob,) = first.generation.blobs()
        own = ground.settings.data / "blobs" / Area.VAULT / blob.blob_id[-2:] / blob.blob_id
        own.write_bytes(b"x" * blob.size)
        assert not (await back_up(house, ground.place)).damaged
        shutil.rmtree(ground.place.root / "blobs")
        third = await back_up(house, ground.place)

    assert third.damaged == (blob.blob_id,)
    assert list(third.generation.blobs()) == []


@SQLITE
async def test_a_place_that_is_not_there_is_not_made(ground: Ground) -> None:
    shutil.rmtree(ground.place.root)
    async with open_house(ground.settings) as house:
        with pytest.raises(PlaceUnusableError):
            await back_up(house, ground.place)

    assert not ground.place.root.exists()


@SQLITE
async def test_without_a_recovery_key_nothing_is_written(ground: Ground) -> None:
    ground.settings.recovery_key_path.unlink()
    async with open_house(ground.settings) as house:
        with pytest.raises(RecoveryKeyMissingError):
            await back_up(house, ground.place)

    assert [path.name for path in ground.place.root.iterdir()] == [MARK]


async def _has_a_checkpoint(house: House) -> bool:
    async with house.rooms.main.reading() as connection:
        return await newest(connection) is not None


@SQLITE
async def test_the_place_knows_the_newest_checkpoint_and_proofs_up_to_it(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await house.submitted_case()
        await until(lambda: _has_a_checkpoint(house))
        first = await back_up(house, ground.place)
        await house.submitted_case()
        await back_up(house, ground.place)

    head = json.loads(ground.place.head.read_bytes())
    assert head["checkpoint"].startswith(first.generation.manifest.log.origin)
    assert str(first.generation.manifest.log.size) in head["proofs"]
