"""Whatever is not as it should be in any store is named, with what to do; nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from gateway.inventory.tally import MOST, Fault, Tally
from gateway.rooms import Rooms
from storage.blobs import Area
from tests.gateway.ground import SQLITE, logged
from tests.gateway.inventory.conftest import Kept, change
from tests.house import SCAN, House


async def take(rooms: Rooms) -> dict[str, Tally]:
    return {tally.name: tally for tally in await rooms.inventory.take(lambda _: None)}


async def faults(rooms: Rooms) -> list[Fault]:
    return [fault for tally in (await take(rooms)).values() for fault in tally.faults]


async def test_a_healthy_house_is_explained_whole(kept: Kept) -> None:
    read: list[int] = []

    found = {tally.name: tally for tally in await kept.rooms.inventory.take(read.append)}

    assert [tally.faults for tally in found.values() if tally.faults] == []
    assert {name: tally.seen for name, tally in found.items() if name != "access log"} == {
        "practices": 1,
        "accounts with codes": 1,
        "incidents": 0,
        "cases": 3,
        "wrapped keys": 6,
        "blobs in vault": 1,
        "blobs in quarantine": 2,
        "erasures": 1,
    }
    assert found["access log"].seen > 10
    assert [name for name, tally in found.items() if tally.left] == ["access log"]
    assert sum(read) == kept.blob(Area.VAULT, kept.ids.blob).stat().st_size


async def test_a_house_at_work_is_explained_whole(house: House) -> None:
    await house.submitted_case()
    erased = await house.dentist.new_case()
    await house.dentist.upload(erased, SCAN)
    certified = asyncio.create_task(house.dentist.erase(erased))

    while not certified.done():
        assert await faults(house.rooms) == []
    assert await faults(house.rooms) == []
    assert (await take(house.rooms))["erasures"].seen == 1


@SQLITE
async def test_an_inventory_is_an_event_before_and_after(house: House) -> None:
    await house.submitted_case()
    await change(house.rooms.keystore, "DELETE FROM wrapped_keys WHERE under != ''", {})

    await faults(house.rooms)

    before, after = await logged(house, "house.examine")
    assert before["user"]["role"] == "operator"
    assert after["event"]["detail"] == {"faults": 1}


Plant = Callable[[Kept], Awaitable[object]]


async def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


async def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


async def _unlink(path: Path) -> None:
    path.unlink()


async def _forget_the_erasure(kept: Kept) -> None:
    await kept.main(
        "UPDATE cases SET state = 'draft', frozen_at = NULL WHERE id = :case", case=kept.ids.erased
    )
    await kept.main("DELETE FROM erasures")


async def _destroy_the_current_version(kept: Kept) -> None:
    await kept.rooms.keyring.destroy(kept.ids.practice, 2)


async def _forget_a_version(kept: Kept) -> None:
    await kept.keys("UPDATE controller_versions SET version = 3 WHERE version = 2")


PLANTED: dict[str, tuple[Plant, set[tuple[str, str]]]] = {
    "case key gone": (
        lambda k: k.keys(
            "DELETE FROM wrapped_keys WHERE object_id = :c AND purpose = 'case-key'", c=k.ids.case
        ),
        {("case-key {case}", "the key is not there")},
    ),
    "case key altered": (
        lambda k: k.keys(
            "UPDATE wrapped_keys SET wrapped = zeroblob(88) WHERE object_id = :c", c=k.ids.case
        ),
        {("case-key {case}", "the key does not open under version 2")},
    ),
    "case key of a destroyed version": (
        lambda k: k.keys("UPDATE wrapped_keys SET version = 1 WHERE object_id = :c", c=k.ids.case),
        {("case-key {case}", "the key does not open under version 1")},
    ),
    "case key of another case": (
        lambda k: k.keys(
            "UPDATE wrapped_keys SET case_id = 'another' WHERE object_id = :c", c=k.ids.case
        ),
        {("case-key {case}", "the key is of another place")},
    ),
    "file key gone": (
        lambda k: k.keys("DELETE FROM wrapped_keys WHERE object_id = :b", b=k.ids.blob),
        {("file {file}", "its key is not there")},
    ),
    "file key altered": (
        lambda k: k.keys(
            "UPDATE wrapped_keys SET wrapped = zeroblob(88) WHERE object_id = :b", b=k.ids.blob
        ),
        {("file {file}", "its key does not open")},
    ),
    "blob gone": (
        lambda k: _unlink(k.blob(Area.VAULT, k.ids.blob)),
        {("file {file}", "blob {blob} is not there")},
    ),
    "blob cut": (
        lambda k: _cut(k.blob(Area.VAULT, k.ids.blob)),
        {("file {file}", "blob {blob} is of another size")},
    ),
    "blob altered": (
        lambda k: _flip(k.blob(Area.VAULT, k.ids.blob)),
        {("file {file}", "blob {blob} is not what was sealed")},
    ),
    "part gone": (
        lambda k: _unlink(k.blob(Area.QUARANTINE, k.ids.part)),
        {("file {upload}", "part 1 is not there")},
    ),
    "part cut": (
        lambda k: _cut(k.blob(Area.QUARANTINE, k.ids.part)),
        {("file {upload}", "part 1 is of another size")},
    ),
    "part's row gone": (
        lambda k: k.main("DELETE FROM parts WHERE number = 0"),
        {("file {upload}", "its parts do not touch up to its offset")},
    ),
    "part overlaps": (
        lambda k: k.main("UPDATE parts SET start = 699 WHERE number = 1"),
        {("file {upload}", "its parts do not touch up to its offset")},
    ),
    "offset behind the parts": (
        lambda k: k.main("UPDATE files SET received = 901 WHERE id = :u", u=k.ids.upload),
        {("file {upload}", "its parts do not touch up to its offset")},
    ),
    "received before it is whole": (
        lambda k: k.main(
            "UPDATE files SET state = 'received' WHERE id = :u",
            u=k.ids.upload,
        ),
        {("file {upload}", "taken for whole, and it is not")},
    ),
    "upload key gone": (
        lambda k: k.keys("DELETE FROM wrapped_keys WHERE purpose = 'upload-key'"),
        {("file {upload}", "the key is not there")},
    ),
    "parts of an accepted file": (
        lambda k: k.main("UPDATE parts SET file_id = :f", f=k.ids.file),
        {
            ("file {file}", "accepted, and its parts are there"),
            ("file {upload}", "its parts do not touch up to its offset"),
        },
    ),
    "removed file with a blob": (
        lambda k: k.main("UPDATE files SET state = 'removed' WHERE id = :f", f=k.ids.file),
        {("file {file}", "removed, and it names a blob")},
    ),
    "frozen by nobody": (
        lambda k: k.main("UPDATE cases SET frozen_at = 1 WHERE id = :c", c=k.ids.case),
        {("case {case}", "frozen, and nobody asked to erase it")},
    ),
    "ledger without the erasure": (
        lambda k: k.keys("DELETE FROM erasure_ledger"),
        {("case {erased}", "erased, and the ledger of erasures does not have it")},
    ),
    "another certificate": (
        lambda k: k.main("UPDATE erasures SET body = '{}'"),
        {("case {erased}", "its certificate is not that of the ledger")},
    ),
    "certificate gone": (
        lambda k: k.main("UPDATE erasures SET certificate = NULL"),
        {("case {erased}", "erased, and its certificate is missing")},
    ),
    "an erased case is back": (
        _forget_the_erasure,
        {
            ("case-key {erased}", "the key is not there"),
            ("case {erased}", "erased, and the main database does not know it"),
        },
    ),
    "a key of an erased case is back": (
        lambda k: k.keys(
            "UPDATE wrapped_keys SET object_id = :e WHERE object_id = :c",
            e=k.ids.erased,
            c=k.ids.case,
        ),
        {
            ("case {erased}", "erased, and its key is there"),
            ("case-key {case}", "the key is not there"),
        },
    ),
    "a patient without a case": (
        lambda k: k.main("INSERT INTO subjects VALUES ('lone', :p, 1)", p=k.ids.practice),
        {("patients", "1 pseudonyms are of no case")},
    ),
    "index key gone": (
        lambda k: k.keys("DELETE FROM wrapped_keys WHERE purpose = 'index-key'"),
        {("index-key {practice}", "the key is not there")},
    ),
    "current version destroyed": (
        _destroy_the_current_version,
        {
            ("practice {practice}", "version 2 is current, and the provider does not have it"),
            ("index-key {practice}", "the key does not open under version 2"),
            ("case-key {case}", "the key does not open under version 2"),
            ("case-key {draft}", "the key does not open under version 2"),
            ("account-key {dentist}", "the key does not open under version 2"),
        },
    ),
    "account key gone": (
        lambda k: k.keys("DELETE FROM wrapped_keys WHERE purpose = 'account-key'"),
        {("account-key {dentist}", "the key is not there")},
    ),
    "secret of one-time codes altered": (
        lambda k: k.main("UPDATE factors SET sealed_secret = zeroblob(76)"),
        {("factor {factor}", "its secret does not open")},
    ),
    "key of an account that there is not": (
        lambda k: k.keys(
            "UPDATE wrapped_keys SET object_id = :e WHERE purpose = 'account-key'", e=k.ids.erased
        ),
        {("account-key {dentist}", "the key is not there")},
    ),
    "destroyed version is back": (
        lambda k: k.keys("UPDATE controller_versions SET state = 'destroyed' WHERE version = 2"),
        {
            ("practice {practice}", "version 2 was destroyed, and the provider has it again"),
            ("practice {practice}", "not exactly one version of its key is current"),
        },
    ),
    "version unknown to the keystore": (
        _forget_a_version,
        {
            (
                "practice {practice}",
                "version 2 is in the provider, and the keystore does not know it",
            ),
            ("practice {practice}", "version 3 is current, and the provider does not have it"),
        },
    ),
    "version that is on its way nowhere": (
        lambda k: k.keys("UPDATE controller_versions SET state = 'retiring' WHERE version = 2"),
        {
            ("practice {practice}", "version 2 is retiring, and its key is not moving on"),
            ("practice {practice}", "not exactly one version of its key is current"),
        },
    ),
    "an entry of the log altered": (
        lambda k: k.main('UPDATE log_entries SET commitment = zeroblob(32) WHERE "index" = 3'),
        {("entry 3", "the event of entry 3 is not what was committed to")},
    ),
    "a key of no purpose": (
        lambda k: k.keys(
            "UPDATE wrapped_keys SET purpose = 'spare-key' WHERE purpose = 'file-key'"
        ),
        {("spare-key {blob}", "no key of ours"), ("file {file}", "its key is not there")},
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
async def test_what_is_wrong_is_named_with_what_to_do(kept: Kept, planted: str) -> None:
    plant, expected = PLANTED[planted]

    await plant(kept)

    found = await faults(kept.rooms)
    names = asdict(kept.ids)
    due = {(where.format(**names), wrong.format(**names)) for where, wrong in expected}
    assert {(fault.where, fault.wrong) for fault in found} == due
    assert all(fault.remedy for fault in found)


async def test_what_a_crash_leaves_is_counted_and_is_no_fault(kept: Kept) -> None:
    blobs = kept.rooms.blobs
    for area in Area:
        async with blobs.writer(area, f"orphan-{area}") as writer:
            await writer.write(b"sealed")
            await writer.commit()
    await kept.keys(
        "INSERT INTO wrapped_keys VALUES"
        " ('case-key', 'nobody', '', :p, 'nobody', 2, zeroblob(88), 1)",
        p=kept.ids.practice,
    )

    found = await take(kept.rooms)

    assert [tally.faults for tally in found.values() if tally.faults] == []
    left = {name: tally.left for name, tally in found.items() if name != "access log"}
    assert {name: count for name, count in left.items() if count} == {
        "wrapped keys": 1,
        "blobs in vault": 1,
        "blobs in quarantine": 1,
    }


async def test_a_stranger_among_the_blobs_is_named(kept: Kept) -> None:
    folder = kept.blob(Area.VAULT, kept.ids.blob).parent
    (folder / "notes.txt~").touch()

    (found,) = await faults(kept.rooms)

    assert (found.where, found.wrong) == ("vault: notes.txt~", "not a blob")


async def test_what_changes_while_it_is_looked_at_is_no_fault() -> None:
    tally, answers = Tally("cases"), [{"a", "b"}, {"b", "c"}]

    async def look() -> frozenset[Fault]:
        return frozenset(Fault(where, "wrong", "mend it") for where in answers.pop(0))

    await tally.look(look)

    assert [fault.where for fault in tally.faults] == ["b"]


def test_a_thousand_faults_are_counted_and_a_hundred_named() -> None:
    tally = Tally("cases")

    for number in range(1000):
        tally.add(Fault(f"case {number}", "wrong", "mend it"))

    assert (len(tally.faults), tally.unnamed) == (MOST, 1000 - MOST)


async def test_a_version_that_was_made_and_not_used_is_no_fault(kept: Kept) -> None:
    await kept.rooms.keyring.create(kept.ids.practice, 3)

    assert await faults(kept.rooms) == []
