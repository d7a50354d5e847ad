"""The sweep takes what nobody names and is old, and nothing else."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from sqlalchemy import text

from gateway.access.actors import operator
from gateway.ids import new_id, now
from keys.context import Context, Purpose
from keys.secret import SecretKey
from storage import accounts, keystore
from storage.blobs import Area
from tests.gateway.ground import SQLITE, change, logged, signed_in, stored
from tests.house import API, SCAN, House

TWO_HOURS = 7200


async def orphan_blob(house: House, area: Area) -> str:
    blob_id = new_id()
    async with house.rooms.blobs.writer(area, blob_id) as blob:
        await blob.write(b"x")
        await blob.commit()
    return blob_id


async def orphan_key(house: House, purpose: Purpose) -> str:
    object_id, keys = new_id(), house.rooms.inspector._keys
    case_id = object_id if purpose is Purpose.CASE_KEY else new_id()
    place = Context(purpose, house.practice.id, case_id, object_id)
    await keys._keys.store(SecretKey.generate(), place)
    return f"{purpose} {object_id}"


async def age(house: House) -> None:
    """Make everything that is kept two hours older."""
    past = time.time() - TWO_HOURS
    for path in Path(house.settings.data / "blobs").rglob("*"):
        if path.is_file():
            os.utime(path, (past, past))
    async with house.rooms.keystore.transaction() as tx:
        await tx.execute(
            text("UPDATE wrapped_keys SET created_at = created_at - :time"),
            {"time": TWO_HOURS * 1_000_000},
        )


async def test_old_orphans_go_and_whatever_a_row_names_stays(house: House) -> None:
    case_id, scan = await house.submitted_case()
    draft = await house.dentist.new_case()
    address, _ = await house.dentist.begin_upload(draft, 9)
    await house.dentist.append(address, 0, b"some")
    named = await stored(house)
    for area in Area:
        await orphan_blob(house, area)
    for purpose in (Purpose.CASE_KEY, Purpose.UPLOAD_KEY):
        await orphan_key(house, purpose)
    unfinished = house.settings.data / "blobs" / "unfinished" / "left"
    unfinished.write_bytes(b"x")
    await age(house)

    swept = await house.rooms.sweeper.sweep()
    assert (swept.orphan_blobs, swept.orphan_keys, swept.unfinished_blobs) == (2, 2, 1)
    assert await stored(house) == named
    assert not unfinished.exists()
    assert len(await house.dentist.download(case_id, scan["id"])) == len(SCAN)
    assert (await house.dentist.append(address, 4, b"12345")).status == 204


@SQLITE
async def test_the_key_that_a_crash_left_of_a_closed_account_goes(house: House) -> None:
    browser = await signed_in(house, "planner")
    own = (await browser.ask("GET", f"{API}/account")).json()["id"]
    blobs, keys = await stored(house)
    assert f"account-key {own}" in keys
    async with house.rooms.main.transaction() as tx:
        await accounts.end_account(tx, own, now())
    tallies = {tally.name: tally for tally in await house.rooms.inventory.take(lambda _: None)}
    assert tallies["wrapped keys"].left == 1
    await age(house)

    swept = await house.rooms.sweeper.sweep()

    assert swept.orphan_keys == 1
    assert await stored(house) == (blobs, keys - {f"account-key {own}"})
    async with house.rooms.keystore.reading() as connection:
        assert list(await keystore.closed_at(connection)) == [own]


@SQLITE
async def test_young_orphans_stay_because_their_row_may_be_on_its_way(house: House) -> None:
    await orphan_blob(house, Area.VAULT)
    await orphan_key(house, Purpose.CASE_KEY)
    before = await stored(house)
    swept = await house.rooms.sweeper.sweep()

    assert (swept.orphan_blobs, swept.orphan_keys) == (0, 0)
    assert await stored(house) == before


@SQLITE
async def test_uploads_whose_time_ran_out_end_with_all_they_brought(house: House) -> None:
    case_id = await house.dentist.new_case()
    before = await stored(house)
    late, late_id = await house.dentist.begin_upload(case_id, 9)
    await house.dentist.append(late, 0, b"some")
    await change(house, "UPDATE files SET expires_at = created_at")
    _, running_id = await house.dentist.begin_upload(case_id, 9)

    swept = await house.rooms.sweeper.sweep()
    assert swept.expired_uploads == 1
    files = {
        file["id"]: file for file in (await house.dentist.get(f"{API}/cases/{case_id}"))["files"]
    }
    assert (files[late_id]["state"], files[late_id]["name"]) == ("expired", None)
    assert files[running_id]["state"] == "receiving"
    left = await stored(house)
    assert (left[0], len(left[1] - before[1])) == (frozenset(), 1)


@SQLITE
async def test_a_sweep_is_logged_with_who_and_how_much(house: House) -> None:
    await orphan_blob(house, Area.QUARANTINE)
    await age(house)
    await house.rooms.sweeper.sweep(operator())

    by_operator = [e for e in await logged(house, "orphans.sweep") if e["user"]["id"] == "operator"]
    assert [e["event"]["stage"] for e in by_operator] == ["authorised", "outcome"]
    assert by_operator[1]["event"]["detail"]["orphan_blobs"] == 1


@SQLITE
async def test_two_sweeps_at_once_do_each_others_work_no_harm(house: House) -> None:
    for _ in range(5):
        await orphan_blob(house, Area.VAULT)
        await orphan_key(house, Purpose.UPLOAD_KEY)
    await age(house)
    await asyncio.gather(house.rooms.sweeper.sweep(), house.rooms.sweeper.sweep())

    assert (await stored(house))[0] == frozenset()
