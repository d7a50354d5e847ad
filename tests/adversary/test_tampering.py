"""Somebody with the disk and the databases alters what is stored; all of it is refused and logged.

Nothing comes out beyond what was authentic: a connection is cut, or the answer is a problem. The
log gets an integrity event for each.
"""

from __future__ import annotations

import random

import pytest

from keys.stream import SEGMENT_SIZE
from storage.schema import cases, files, thumbnails
from tests.adversary.attacks import (
    LARGE,
    Filed,
    Ground,
    Tally,
    alarms,
    altered,
    altered_blobs,
    download_fault,
    fault,
    flipped,
    row,
    take,
)
from tests.house import API


@pytest.fixture
def backend() -> str:
    """An attacker's SQL is the same on both; one of them is enough."""
    return "sqlite"


async def test_a_byte_altered_anywhere_in_a_blob_is_refused_and_logged(ground: Ground) -> None:
    seed, tally = random.randrange(2**32), Tally()
    print(f"seed {seed}")  # noqa: T201
    plain = await ground.house.dentist.download(ground.large.case_id, ground.large.file_id)
    assert len(plain) == len(LARGE)
    sealed = ground.large.path.read_bytes()

    for name, attacked in altered_blobs(sealed, random.Random(seed)):
        ground.large.path.write_bytes(attacked)
        tally.count(name, await download_fault(ground, plain))
    ground.large.path.write_bytes(sealed)

    assert await ground.house.dentist.download(ground.large.case_id, ground.large.file_id) == plain
    tally.close("altered blob")


async def test_a_blob_moved_to_another_place_is_refused_and_logged(ground: Ground) -> None:
    tally = Tally()
    plain = await ground.house.dentist.download(ground.large.case_id, ground.large.file_id)
    own = ground.large.path.read_bytes()

    for name in ("sibling", "cousin", "foreign"):
        moved: Filed = getattr(ground, name)
        ground.large.path.write_bytes(moved.path.read_bytes())
        assert len(own) == moved.path.stat().st_size
        tally.count(name, await download_fault(ground, plain))
    ground.large.path.unlink()
    tally.count("missing", await download_fault(ground, plain))

    tally.close("moved blob")


async def test_a_range_is_refused_when_one_of_its_segments_was_altered(ground: Ground) -> None:
    tally, person = Tally(), ground.house.dentist
    sealed = ground.large.path.read_bytes()
    plain = await person.download(ground.large.case_id, ground.large.file_id)
    ground.large.path.write_bytes(flipped(sealed, SEGMENT_SIZE + 5))

    for start, stop in ((SEGMENT_SIZE, SEGMENT_SIZE + 9), (SEGMENT_SIZE - 99, 2 * SEGMENT_SIZE)):
        headers = {"Range": f"bytes={start}-{stop}"}
        tally.count(f"{start}-{stop}", await download_fault(ground, plain[start:], headers))
    untouched = await take(person, ground.large.content, {"Range": "bytes=100-5000"})

    assert untouched.body == plain[100:5001]
    tally.close("range of an altered blob")


async def test_an_archive_with_an_altered_file_breaks_off(ground: Ground) -> None:
    before = await alarms(ground.house)
    sealed = ground.sibling.path.read_bytes()
    ground.sibling.path.write_bytes(flipped(sealed, len(sealed) - 3))

    taken = await take(ground.house.dentist, f"{API}/cases/{ground.large.case_id}/archive")

    assert not taken.whole
    assert b"PK\5\6" not in taken.body[-64:]
    assert await alarms(ground.house) > before


async def test_a_swapped_or_changed_record_is_refused_and_logged(ground: Ground) -> None:
    tally, main, case_id = Tally(), ground.house.rooms.main, ground.large.case_id
    own = await row(main, cases, id=case_id)
    others = {
        "of another case": await row(main, cases, id=ground.cousin.case_id),
        "of another practice": await row(main, cases, id=ground.foreign.case_id),
    }
    columns = ("sealed_identity", "sealed_notes", "sealed_brief")
    attacks = [
        *((f"{column} {whose}", column, other[column])
          for column in columns for whose, other in others.items()),
        *((f"{source} put into {column}", column, own[source])
          for column in columns for source in columns if source != column),
        *((f"{column} flipped at {at}", column, flipped(own[column], at))
          for column in columns for at in (0, 1, 33, 40, -16, -1)),
        *((f"{column} cut", column, own[column][:-1]) for column in columns),
        *((f"{column} emptied", column, b"") for column in columns),
    ]  # fmt: skip

    for name, column, value in attacks:
        async with altered(main, cases, {"id": case_id}, **{column: value}):
            attempt = lambda: take(ground.house.dentist, f"{API}/cases/{case_id}")  # noqa: E731
            tally.count(name, await fault(ground.house, attempt))

    tally.close("record of a case")


async def test_a_swapped_name_or_report_of_a_file_is_refused_and_logged(ground: Ground) -> None:
    tally, main = Tally(), ground.house.rooms.main
    own = await row(main, files, id=ground.large.file_id)
    path = ground.large.content.removesuffix("/content")

    for whose in ("sibling", "cousin", "foreign"):
        other = await row(main, files, id=getattr(ground, whose).file_id)
        for column in ("sealed_name", "sealed_verdict"):
            where = {"id": ground.large.file_id}
            async with altered(main, files, where, **{column: other[column]}):
                attempt = lambda: take(ground.house.dentist, path)  # noqa: E731
                tally.count(f"{column} of {whose}", await fault(ground.house, attempt))
    changed = flipped(own["sealed_verdict"], 60)
    async with altered(main, files, {"id": ground.large.file_id}, sealed_verdict=changed):
        attempt = lambda: take(ground.house.dentist, path)  # noqa: E731
        tally.count("report flipped", await fault(ground.house, attempt))

    tally.close("record of a file")


async def test_a_swapped_or_changed_picture_of_a_file_is_refused_and_logged(
    ground: Ground,
) -> None:
    tally, main, where = Tally(), ground.house.rooms.main, {"file_id": ground.large.file_id}
    path = ground.large.content.replace("/content", "/thumbnail")
    own = (await row(main, thumbnails, **where))["sealed_picture"]
    assert (await take(ground.house.dentist, path)).body.startswith(b"\xff\xd8\xff")
    verdict = (await row(main, files, id=ground.large.file_id))["sealed_verdict"]
    attacks = {
        **{f"flipped at {at}": flipped(own, at) for at in (0, 1, 33, 40, len(own) // 2, -16, -1)},
        "cut": own[:-1],
        "emptied": b"",
        "its own report instead": verdict,
    }
    for whose in ("sibling", "cousin", "foreign"):
        other = await row(main, thumbnails, file_id=getattr(ground, whose).file_id)
        attacks[f"of {whose}"] = other["sealed_picture"]

    for name, value in attacks.items():
        async with altered(main, thumbnails, where, sealed_picture=value):
            attempt = lambda: take(ground.house.dentist, path)  # noqa: E731
            tally.count(name, await fault(ground.house, attempt))

    tally.close("picture of a file")


async def test_a_file_whose_row_points_at_another_file_of_the_case_is_refused_and_logged(
    ground: Ground,
) -> None:
    tally, main = Tally(), ground.house.rooms.main
    plain = await ground.house.dentist.download(ground.large.case_id, ground.large.file_id)

    for whose in ("sibling", "cousin", "foreign"):
        other = getattr(ground, whose)
        swapped = await row(main, files, id=other.file_id)
        pointers = {name: swapped[name] for name in ("size", "sealed_sha256")}
        # The pointer is unique: the other row lets go of it first, as in a swap.
        async with (
            altered(main, files, {"id": other.file_id}, blob_id=None),
            altered(
                main, files, {"id": ground.large.file_id}, blob_id=swapped["blob_id"], **pointers
            ),
        ):
            tally.count(whose, await download_fault(ground, plain))

    tally.close("row that points elsewhere")


async def test_a_practice_sees_the_integrity_events_of_its_case(ground: Ground) -> None:
    sealed = ground.large.path.read_bytes()
    ground.large.path.write_bytes(flipped(sealed, 77))

    await take(ground.house.dentist, ground.large.content)

    seen = await ground.house.dentist.get(f"{API}/cases/{ground.large.case_id}/events")
    alarm = next(event for event in seen["events"] if event["event"] == "integrity.alarm")
    assert (alarm["object_type"], alarm["object_id"]) == ("file", ground.large.file_id)
    assert alarm["cause"] in {event["id"] for event in seen["events"]}
