"""Somebody with the disk and the databases alters what is stored; all of it is refused and logged.

Nothing comes out beyond what was authentic: a connection is cut, or the answer is a problem. The
log gets an integrity event for each.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from keys.context import Purpose
from keys.stream import HEADER_SIZE, SEGMENT_SIZE, TAG_SIZE
from storage.blobs import Area
from storage.schema import cases, files, parts, wrapped_keys
from tests.adversary.attacks import Tally, alarms, altered, blob, flipped, row, take
from tests.house import API, House, Person
from tests.scans import arch, binary_stl

LARGE = binary_stl(arch(48_000, seed=11))  # three segments in the vault
OTHER = binary_stl(arch(48_000, seed=12))
SMALL = binary_stl(arch(500, seed=13))
RANDOM_FLIPS = 24
NOTES = "rotated canine, keep the diastema"


@pytest.fixture
def backend() -> str:
    """An attacker's SQL is the same on both; one of them is enough."""
    return "sqlite"


@dataclass(frozen=True)
class Filed:
    """A file in the vault as its rows name it."""

    case_id: str
    file_id: str
    blob_id: str
    path: Path

    @property
    def content(self) -> str:
        """Where it is downloaded."""
        return f"{API}/cases/{self.case_id}/files/{self.file_id}/content"


@dataclass(frozen=True)
class Ground:
    """Two files in one case, one in another case, one in another practice's case."""

    house: House
    large: Filed
    sibling: Filed
    cousin: Filed
    foreign: Filed
    foreign_dentist: Person


@pytest.fixture
async def ground(house: House) -> Ground:
    assert len(LARGE) > 2 * SEGMENT_SIZE
    practice, foreign_dentist = await house.add_practice()
    assert practice.id != house.practice.id
    first = await house.dentist.new_case(notes=NOTES)
    second = await house.dentist.new_case(notes="another one")
    third = await foreign_dentist.new_case(notes="of another practice")
    return Ground(
        house,
        large=await _file(house, house.dentist, first, LARGE),
        sibling=await _file(house, house.dentist, first, OTHER),
        cousin=await _file(house, house.dentist, second, OTHER),
        foreign=await _file(house, foreign_dentist, third, OTHER),
        foreign_dentist=foreign_dentist,
    )


async def _file(house: House, dentist: Person, case_id: str, content: bytes) -> Filed:
    file = await dentist.upload(case_id, content)
    assert file["state"] == "accepted", file
    stored = await row(house.rooms.main, files, id=file["id"])
    blob_id = stored["blob_id"]
    return Filed(case_id, file["id"], blob_id, blob(house, Area.VAULT, blob_id))


async def test_a_byte_altered_anywhere_in_a_blob_is_refused_and_logged(ground: Ground) -> None:
    seed, tally = random.randrange(2**32), Tally()
    print(f"seed {seed}")  # noqa: T201
    plain = await ground.house.dentist.download(ground.large.case_id, ground.large.file_id)
    assert len(plain) == len(LARGE)
    sealed = ground.large.path.read_bytes()

    for name, attacked in _altered_blobs(sealed, random.Random(seed)):
        ground.large.path.write_bytes(attacked)
        tally.count(name, await _download_fault(ground, plain))
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
        tally.count(name, await _download_fault(ground, plain))
    ground.large.path.unlink()
    tally.count("missing", await _download_fault(ground, plain))

    tally.close("moved blob")


async def test_a_range_is_refused_when_one_of_its_segments_was_altered(ground: Ground) -> None:
    tally, person = Tally(), ground.house.dentist
    sealed = ground.large.path.read_bytes()
    plain = await person.download(ground.large.case_id, ground.large.file_id)
    ground.large.path.write_bytes(flipped(sealed, SEGMENT_SIZE + 5))

    for start, stop in ((SEGMENT_SIZE, SEGMENT_SIZE + 9), (SEGMENT_SIZE - 99, 2 * SEGMENT_SIZE)):
        headers = {"Range": f"bytes={start}-{stop}"}
        tally.count(f"{start}-{stop}", await _download_fault(ground, plain[start:], headers))
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


async def test_a_swapped_or_changed_file_key_is_refused_and_logged(ground: Ground) -> None:
    tally = Tally()
    plain = await ground.house.dentist.download(ground.large.case_id, ground.large.file_id)

    async for name in _altered_keys(ground, Purpose.FILE_KEY, ground.large.blob_id):
        tally.count(name, await _download_fault(ground, plain))

    tally.close("file key")


async def test_a_swapped_or_changed_case_key_is_refused_and_logged_wherever_it_is_used(
    ground: Ground,
) -> None:
    tally, case_id = Tally(), ground.large.case_id
    address, _ = await ground.house.dentist.begin_upload(case_id, len(SMALL))
    assert await ground.house.dentist.offset(address) == 0
    acts: Mapping[str, Callable[[], Awaitable[Any]]] = {
        "view": lambda: take(ground.house.dentist, f"{API}/cases/{case_id}"),
        "file": lambda: take(ground.house.dentist, ground.large.content.removesuffix("/content")),
        "download": lambda: take(ground.house.dentist, ground.large.content),
        "archive": lambda: take(ground.house.dentist, f"{API}/cases/{case_id}/archive"),
        "upload": lambda: _begin(ground.house.dentist, case_id),
    }

    async for name in _altered_keys(ground, Purpose.CASE_KEY, case_id):
        for act, attempt in acts.items():
            tally.count(f"{name}, {act}", await _fault(ground.house, attempt))

    tally.close("case key")


async def test_a_swapped_or_changed_index_key_is_refused_and_logged(ground: Ground) -> None:
    tally, dentist = Tally(), ground.house.dentist
    patient = {"name": "Somebody New", "birth_date": "1999-09-09", "number": "N-1"}
    acts: Mapping[str, Callable[[], Awaitable[Any]]] = {
        "create": lambda: dentist.ask("POST", f"{API}/cases", json={"patient": patient}),
        "search": lambda: dentist.ask(
            "POST", f"{API}/cases/search", json={"patient_number": "N-1"}
        ),
    }

    async for name in _altered_keys(ground, Purpose.INDEX_KEY, ground.house.practice.id):
        for act, attempt in acts.items():
            tally.count(f"{name}, {act}", await _fault(ground.house, attempt))

    tally.close("index key")


async def test_a_swapped_or_changed_upload_key_is_refused_and_logged(ground: Ground) -> None:
    tally, dentist = Tally(), ground.house.dentist
    address, file_id = await dentist.begin_upload(ground.large.case_id, len(SMALL))

    async for name in _altered_keys(ground, Purpose.UPLOAD_KEY, file_id):
        fault = await _fault(ground.house, lambda: dentist.append(address, 0, SMALL))
        tally.count(name, fault)

    assert await dentist.offset(address) == 0
    tally.close("upload key")


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
            tally.count(name, await _fault(ground.house, attempt))

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
                tally.count(f"{column} of {whose}", await _fault(ground.house, attempt))
    changed = flipped(own["sealed_verdict"], 60)
    async with altered(main, files, {"id": ground.large.file_id}, sealed_verdict=changed):
        attempt = lambda: take(ground.house.dentist, path)  # noqa: E731
        tally.count("report flipped", await _fault(ground.house, attempt))

    tally.close("record of a file")


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
            tally.count(whose, await _download_fault(ground, plain))

    tally.close("row that points elsewhere")


async def test_an_altered_part_in_quarantine_is_refused_before_inspection_and_logged(
    ground: Ground,
) -> None:
    tally, house = Tally(), ground.house
    attacks = list(_altered_blobs(b"", random.Random(5)))
    for number, name in enumerate(name for name, _ in attacks):
        if name.startswith("random"):
            continue  # of these a blob in the vault had its share

        async def attack(waiting: Waiting, number: int = number) -> None:
            sealed = waiting.paths[0].read_bytes()
            changed = [c for _, c in _altered_blobs(sealed, random.Random(5))][number]
            waiting.paths[0].write_bytes(changed)

        tally.count(name, await _quarantine_fault(house, ground.large.case_id, attack))
    tally.close("altered part")


async def test_a_part_moved_swapped_or_taken_away_is_refused_before_inspection_and_logged(
    ground: Ground,
) -> None:
    tally, house = Tally(), ground.house

    async def missing(waiting: Waiting) -> None:
        waiting.paths[0].unlink()

    async def swapped(waiting: Waiting) -> None:
        first, second = (path.read_bytes() for path in waiting.paths[:2])
        waiting.paths[0].write_bytes(second)
        waiting.paths[1].write_bytes(first)

    async def of_another_upload(waiting: Waiting) -> None:
        other = await _wait_in_quarantine(house, waiting.case_id)
        waiting.paths[0].write_bytes(other.paths[0].read_bytes())

    async def rows_swapped(waiting: Waiting) -> None:
        async with house.rooms.main.transaction() as tx:
            found = (await tx.execute(_parts_of(waiting.file_id))).mappings().all()
            await tx.execute(delete(parts).where(parts.c.file_id == waiting.file_id))
            first, second = dict(found[0]), dict(found[1])
            first["blob_id"], second["blob_id"] = second["blob_id"], first["blob_id"]
            await tx.execute(insert(parts), [first, second])

    async def numbers_swapped(waiting: Waiting) -> None:
        async with house.rooms.main.transaction() as tx:
            found = (await tx.execute(_parts_of(waiting.file_id))).mappings().all()
            await tx.execute(delete(parts).where(parts.c.file_id == waiting.file_id))
            first, second = dict(found[0]) | {"number": 1}, dict(found[1]) | {"number": 0}
            await tx.execute(insert(parts), [first, second])

    async def row_taken_away(waiting: Waiting) -> None:
        async with house.rooms.main.transaction() as tx:
            gone = (parts.c.file_id == waiting.file_id) & (parts.c.number == 1)
            await tx.execute(delete(parts).where(gone))

    async def row_doubled(waiting: Waiting) -> None:
        # The same bytes twice: the second row names a copy of the first one's blob.
        async with house.rooms.main.transaction() as tx:
            first = (await tx.execute(_parts_of(waiting.file_id))).mappings().all()[0]
            copied = first["blob_id"][:-4] + "0000"
            target = blob(house, Area.QUARANTINE, copied)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(waiting.paths[0].read_bytes())
            await tx.execute(insert(parts), [dict(first) | {"number": 7, "blob_id": copied}])

    for attack in (
        missing,
        swapped,
        of_another_upload,
        rows_swapped,
        numbers_swapped,
        row_taken_away,
        row_doubled,
    ):
        fault = await _quarantine_fault(house, ground.large.case_id, attack)
        tally.count(attack.__name__, fault)
    tally.close("moved part")


async def test_a_practice_sees_the_integrity_events_of_its_case(ground: Ground) -> None:
    sealed = ground.large.path.read_bytes()
    ground.large.path.write_bytes(flipped(sealed, 77))

    await take(ground.house.dentist, ground.large.content)

    seen = await ground.house.dentist.get(f"{API}/cases/{ground.large.case_id}/events")
    alarm = next(event for event in seen["events"] if event["event"] == "integrity.alarm")
    assert (alarm["object_type"], alarm["object_id"]) == ("file", ground.large.file_id)
    assert alarm["cause"] in {event["id"] for event in seen["events"]}


async def test_one_altered_key_holds_up_no_erasure(ground: Ground) -> None:
    keystore = ground.house.rooms.keystore
    case_id = await ground.house.dentist.new_case()
    where = {"purpose": Purpose.CASE_KEY, "object_id": ground.cousin.case_id}
    key = await row(keystore, wrapped_keys, **where)
    before = await alarms(ground.house)

    async with altered(keystore, wrapped_keys, where, wrapped=flipped(key["wrapped"], 50)):
        certificate = await ground.house.dentist.erase(case_id)
        foreign = await ground.foreign_dentist.erase(ground.foreign.case_id)

    assert certificate["body"]["case_id"] == case_id
    assert foreign["body"]["case_id"] == ground.foreign.case_id
    assert await alarms(ground.house) > before


async def test_a_case_with_an_altered_key_or_identity_can_still_be_erased(ground: Ground) -> None:
    main, keystore = ground.house.rooms.main, ground.house.rooms.keystore
    identity = flipped((await row(main, cases, id=ground.large.case_id))["sealed_identity"], 50)
    where = {"purpose": Purpose.CASE_KEY, "object_id": ground.cousin.case_id}
    wrapped = flipped((await row(keystore, wrapped_keys, **where))["wrapped"], 50)

    async with altered(main, cases, {"id": ground.large.case_id}, sealed_identity=identity):
        first = await ground.house.dentist.erase(ground.large.case_id)
    async with keystore.transaction() as tx:
        await tx.execute(
            wrapped_keys.update()
            .where(*(wrapped_keys.c[name] == value for name, value in where.items()))
            .values(wrapped=wrapped)
        )
    second = await ground.house.dentist.erase(ground.cousin.case_id)

    assert first["body"]["case_id"] == ground.large.case_id
    assert second["body"]["case_id"] == ground.cousin.case_id


def _altered_blobs(sealed: bytes, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Every kind of alteration; with nothing to alter, their names alone."""
    size, segment = len(sealed), SEGMENT_SIZE
    places = {
        "header length": 0,
        "salt": 1,
        "last of salt": 32,
        "nonce prefix": 33,
        "last of header": HEADER_SIZE - 1,
        "first segment, first byte": HEADER_SIZE,
        "first segment, middle": segment // 2,
        "first segment, tag": segment - TAG_SIZE,
        "first segment, last byte": segment - 1,
        "middle segment, first byte": segment,
        "middle segment, middle": segment + segment // 2,
        "middle segment, last byte": 2 * segment - 1,
        "last segment, first byte": 2 * segment,
        "last segment, middle": (2 * segment + size) // 2,
        "last segment, tag": size - TAG_SIZE,
        "last byte": size - 1,
    } | {f"random byte {n}": chance.randrange(size or 1) for n in range(RANDOM_FLIPS)}
    for name, at in places.items():
        yield name, flipped(sealed, at, chance.randrange(8)) if sealed else b""
    yield "one byte cut", sealed[:-1]
    yield "tag cut", sealed[:-TAG_SIZE]
    yield "cut in the middle segment", sealed[: segment + 7]
    yield "cut after the first segment", sealed[:segment]
    yield "cut after the middle segment", sealed[: 2 * segment]
    yield "header alone", sealed[:HEADER_SIZE]
    yield "cut in the header", sealed[:13]
    yield "empty", b""
    yield "one byte more", sealed + b"\0"
    yield "a tag more", sealed + bytes(TAG_SIZE)
    yield "the last segment twice", sealed + sealed[2 * segment :]
    yield "the middle segment twice", sealed[: 2 * segment] + sealed[segment:]
    yield "without the middle segment", sealed[:segment] + sealed[2 * segment :]
    yield "zeroes", bytes(size)


async def _altered_keys(ground: Ground, purpose: Purpose, object_id: str) -> AsyncIterator[str]:
    """Put each wrong thing in a key's row in turn, and the right one back at the end."""
    keystore = ground.house.rooms.keystore
    where = {"purpose": purpose, "object_id": object_id}
    own = await row(keystore, wrapped_keys, **where)
    wrong: dict[str, dict[str, Any]] = {
        f"flipped at {at}": {"wrapped": flipped(own["wrapped"], at, at % 8)}
        for at in (0, 1, 20, 33, 39, 40, 55, 71, 72, 87)
    }
    wrong["cut"] = {"wrapped": own["wrapped"][:-1]}
    wrong["empty"] = {"wrapped": b""}
    wrong["longer"] = {"wrapped": own["wrapped"] + b"\0"}
    async with keystore.reading() as connection:
        others = (await connection.execute(select(wrapped_keys))).mappings().all()
    for other in others:
        if other["object_id"] != object_id or other["purpose"] != purpose:
            whose = "own" if other["controller_id"] == own["controller_id"] else "another"
            name = f"{other['purpose']} {other['object_id']} of {whose} practice"
            wrong[name] = {"wrapped": other["wrapped"]}
    if own["version"] is not None:  # a file key has no version
        wrong["of a version that is not there"] = {"version": 99}
        wrong["of no version"] = {"version": None}
    for name, columns in wrong.items():
        async with altered(keystore, wrapped_keys, where, **columns):
            yield name


async def _begin(dentist: Person, case_id: str) -> Any:
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Length": "100",
        "Upload-Metadata": "filename YS5zdGw=,kind c2Nhbg==",
    }
    return await dentist.ask("POST", f"{API}/cases/{case_id}/files", headers=headers)


async def _fault(house: House, attempt: Callable[[], Awaitable[Any]]) -> str | None:
    """What is wrong with the answer to a request that meets something altered."""
    before = await alarms(house)
    answer = await attempt()
    if answer.status != 500 or b'"integrity_failed"' not in answer.body:
        return f"{answer.status} {answer.body[:90]!r}"
    if NOTES.encode() in answer.body:
        return "plaintext"
    return None if await alarms(house) > before else "no integrity event"


async def _download_fault(
    ground: Ground, plain: bytes, headers: Mapping[str, str] | None = None
) -> str | None:
    """What is wrong with the answer to a download of the large file."""
    before = await alarms(ground.house)
    taken = await take(ground.house.dentist, ground.large.content, headers)
    if taken.status in {200, 206}:
        if taken.whole:
            return "taken whole"
        if not plain.startswith(taken.body):
            return "bytes that are not authentic"
    elif taken.status != 500 or b'"integrity_failed"' not in taken.body:
        return f"{taken.status} {taken.body[:90]!r}"
    return None if await alarms(ground.house) > before else "no integrity event"


@dataclass(frozen=True)
class Waiting:
    """An upload in quarantine, all but its last bytes there, in two parts."""

    case_id: str
    file_id: str
    address: str
    received: int
    paths: tuple[Path, ...]


async def _wait_in_quarantine(house: House, case_id: str) -> Waiting:
    dentist, cut = house.dentist, len(LARGE) - 5_000
    address, file_id = await dentist.begin_upload(case_id, len(LARGE))
    assert (await dentist.append(address, 0, LARGE[:cut])).status == 204
    assert (await dentist.append(address, cut, LARGE[cut : cut + 4_000])).status == 204
    async with house.rooms.main.reading() as connection:
        found = (await connection.execute(_parts_of(file_id))).mappings().all()
    paths = tuple(blob(house, Area.QUARANTINE, part["blob_id"]) for part in found)
    assert len(paths) == 2
    return Waiting(case_id, file_id, address, cut + 4_000, paths)


async def _quarantine_fault(
    house: House, case_id: str, attack: Callable[[Waiting], Awaitable[None]]
) -> str | None:
    """What is wrong with the verdict on an upload that was altered while it waited."""
    before = await alarms(house)
    waiting = await _wait_in_quarantine(house, case_id)
    await attack(waiting)
    rest = LARGE[waiting.received :]
    assert (await house.dentist.append(waiting.address, waiting.received, rest)).status == 204
    file = await house.dentist.verdict(case_id, waiting.file_id)
    await house.dentist.ask("DELETE", f"{API}/cases/{case_id}/files/{waiting.file_id}")
    if file["state"] != "refused" or file["problem"]["code"] != "integrity_failed":
        return f"{file['state']} {file['problem']}"
    return None if await alarms(house) > before else "no integrity event"


def _parts_of(file_id: str) -> Any:
    return select(parts).where(parts.c.file_id == file_id).order_by(parts.c.number)
