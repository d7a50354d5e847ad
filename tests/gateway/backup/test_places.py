"""Registered places and erasure: what lies there is renewed, and an erasure waits for it."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import operator
from gateway.access.second import Credentials
from gateway.app import open_rooms
from gateway.backup.errors import PlaceUnusableError
from gateway.backup.newkey import change_recovery_key
from gateway.backup.parts import read_part
from gateway.backup.place import MARK
from gateway.privacy import puncture
from gateway.signingkeys import public_keys
from keys.providers.keyfile import Contents
from keys.providers.local import BACKED_UP
from keys.recovery import RecoveryKey
from tests.gateway.backup.ground import OFFICER, Ground, back_up, hire_officer
from tests.gateway.ground import SQLITE, logged, until
from tests.gateway.privacy.test_puncture import (
    ask_to_erase,
    step_of,
    wait_for_step,
    wait_until_erased,
)
from tests.house import API, PASSPHRASE, PASSWORD, Person, open_house, serving


def versions_at(keys: Path, recovery: RecoveryKey, controller_id: str) -> set[int]:
    """Which versions of a practice's key the back-up of the keys holds."""
    contents = Contents.decode(recovery.open((keys / "keys.sealed").read_bytes(), BACKED_UP))
    return set(contents.of(controller_id).keys)


async def keystore_at(ground: Ground) -> str:
    signers = public_keys(ground.settings.certificate_key_path)
    path = ground.place.keystore
    lines = [line async for line in read_part(path, "keystore", ground.recovery, signers)]
    return b"".join(lines).decode()


async def test_an_erasure_renews_what_lies_at_every_place(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        erased, kept = await house.dentist.new_case(), await house.dentist.new_case()
        await back_up(house, ground.place)
        assert versions_at(ground.keys, ground.recovery, house.practice.id) == {1}
        assert erased in await keystore_at(ground)
        certificate = await house.dentist.erase(erased)

    assert versions_at(ground.keys, ground.recovery, house.practice.id) == {2}
    keystore = await keystore_at(ground)
    keys = [json.loads(line) for line in keystore.splitlines() if '"case-key"' in line]
    assert not [row for row in keys if erased in row]
    assert [row for row in keys if kept in row]
    assert certificate["body"]["registered_key_backups"] == [str(ground.keys)]


@SQLITE
async def test_the_old_keys_are_overwritten_where_they_lay(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        case_id = await house.dentist.new_case()
        await back_up(house, ground.place)
        with (ground.keys / "keys.sealed").open("rb", buffering=0) as old:
            assert old.read(4) != bytes(4)
            await house.dentist.erase(case_id)
            old.seek(0)
            assert not any(old.read())
    assert {path.name for path in ground.keys.iterdir()} == {
        MARK,
        "keys.sealed",
        "keys.sealed.lock",
    }


@SQLITE
async def test_an_erasure_waits_for_a_place_that_is_gone(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        case_id = await house.dentist.new_case()
        away = ground.place.root.with_name("unmounted")
        ground.place.root.rename(away)
        await ask_to_erase(house, case_id)
        await wait_for_step(house, "rewrapped")
        for _ in range(3):
            await house.rooms.erasures.advance()
        assert await step_of(house) == "rewrapped"

        away.rename(ground.place.root)
        await wait_until_erased(house, case_id)


@SQLITE
async def test_a_directory_without_its_disk_is_no_place(ground: Ground) -> None:
    """Under a mount that is missing there is a directory too, and its word is worth nothing."""
    async with open_house(ground.settings) as house:
        case_id = await house.dentist.new_case()
        for path in (ground.place.root, ground.keys):
            (path / MARK).unlink()
        await ask_to_erase(house, case_id)
        await wait_for_step(house, "rewrapped")
        for _ in range(3):
            await house.rooms.erasures.advance()
        assert await step_of(house) == "rewrapped"
        assert list(ground.keys.iterdir()) == []

        await back_up(house, ground.place)  # an operator's word
        await wait_until_erased(house, case_id)


@SQLITE
async def test_it_waits_until_the_last_copy_of_the_old_key_is_replaced(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        erased, _ = await house.submitted_case()
        kept, _ = await house.submitted_case()
        await back_up(house, ground.place)
        away = ground.keys.with_name("unmounted")
        async with open_rooms(ground.settings, PASSPHRASE) as other:
            await other.heartbeat.beat()
            await ask_to_erase(house, erased)
            await wait_for_step(house, "backed_up")
            ground.keys.rename(away)
            await other.heartbeat.leave()
        await wait_for_step(house, "dropped")
        for _ in range(3):
            await house.rooms.erasures.advance()
        assert await step_of(house) == "dropped"
        assert versions_at(away, ground.recovery, house.practice.id) == {1, 2}

        # The house burns down here. What is left holds the old key once more, and lets go of it.
        restored = await ground.restore(replace(ground.sources, keys=[away]))
        away.rename(ground.keys)
        await wait_until_erased(house, erased)
        email = house.dentist.email

    assert restored.changed.erased == [erased]
    async with serving(ground.target) as (rooms, url, session):
        again = Person(session, url, await rooms.accounts.create_token(email=email))
        assert (await again.get(f"{API}/cases/{kept}"))["patient"]["name"]

        async def is_gone() -> bool:
            return 1 not in await rooms.keyring.versions(house.practice.id)

        await until(is_gone)
        assert (await again.get(f"{API}/cases/{kept}"))["patient"]["name"]


@SQLITE
async def test_a_copy_of_the_keys_outside_the_places_opens_it_and_the_certificate_said_so(
    ground: Ground,
) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        case_id, _ = await house.submitted_case()
        await back_up(house, ground.place)
        old = ground.copy_of_place("tape")
        outside = shutil.copytree(ground.keys, ground.keys.with_name("in-a-drawer"))
        certificate = await house.dentist.erase(case_id)
        email = house.dentist.email

    restored = await ground.restore(replace(ground.sources, places=[old], keys=[outside]))

    assert not restored.changed.erased
    async with serving(ground.target) as (rooms, url, session):
        again = Person(session, url, await rooms.accounts.create_token(email=email))
        assert (await again.get(f"{API}/cases/{case_id}"))["patient"]["name"]
    said = " ".join(certificate["body"]["not_covered"])
    assert "outside the registered places" in said


@SQLITE
async def test_a_back_up_made_in_the_middle_of_an_erasure_loses_no_living_key(
    ground: Ground,
) -> None:
    """Whatever step a back-up falls into: the rest is there, and the erased is not."""
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        erased, _ = await house.submitted_case()
        kept, _ = await house.submitted_case()
        async with open_rooms(ground.settings, PASSPHRASE) as other:
            await other.heartbeat.beat()
            await ask_to_erase(house, erased)
            await wait_for_step(house, "backed_up")
            await back_up(house, ground.place)
            place = ground.copy_of_place("tape")
            keys = shutil.copytree(ground.keys, ground.keys.with_name("then"))
            await other.heartbeat.leave()
        await wait_until_erased(house, erased)
        email = house.dentist.email

    await ground.restore(replace(ground.sources, places=[place], keys=[keys]))

    async with serving(ground.target) as (rooms, url, session):
        again = Person(session, url, await rooms.accounts.create_token(email=email))
        assert (await again.get(f"{API}/cases/{kept}"))["patient"]["name"]

        async def is_erased() -> bool:
            return bool((await again.get(f"{API}/cases/{erased}/erasure"))["step"] == "done")

        await until(is_erased)
        assert (await again.get(f"{API}/cases/{kept}"))["patient"]["name"]


@SQLITE
async def test_another_recovery_key_takes_the_place_of_the_old_one_at_once(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        await back_up(house, ground.place)
        rooms = house.rooms
        before = ground.settings.recovery_key_path.read_bytes()
        shown: list[RecoveryKey] = []

        def show(made: RecoveryKey) -> None:
            # Nothing is sealed yet to words that nobody has seen.
            assert ground.settings.recovery_key_path.read_bytes() == before
            shown.append(made)

        failed = await change_recovery_key(
            operator(),
            rooms.services.access,
            rooms.second,
            rooms.backups.places,
            Credentials(OFFICER, PASSWORD),
            show,
        )
        (recovery,) = shown
        events = await logged(house, "recovery.change")

    assert not failed
    assert versions_at(ground.keys, recovery, house.practice.id) == {1}
    assert events[-1]["event"]["detail"]["key"] == recovery.public.fingerprint
    assert recovery.words not in json.dumps(events)


@SQLITE
async def test_a_place_that_lost_its_mark_is_not_marked_again(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await back_up(house, ground.place)
        for root in (ground.keys, ground.place.root):
            (root / MARK).unlink()  # as if the disk were not mounted
            with pytest.raises(PlaceUnusableError):
                await back_up(house, ground.place)
            assert not (root / MARK).exists()
            (root / MARK).touch()
        await back_up(house, ground.place)


async def test_a_step_that_takes_long_keeps_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A big keystore takes longer to write than a lease lasts."""
    monkeypatch.setattr(puncture, "STAY_SECONDS", 0.001)
    stayed = asyncio.Event()

    @asynccontextmanager
    async def transaction() -> AsyncIterator[AsyncConnection]:
        stayed.set()
        yield cast("AsyncConnection", None)

    async with puncture._at_it(transaction):
        await asyncio.wait_for(stayed.wait(), 30)
