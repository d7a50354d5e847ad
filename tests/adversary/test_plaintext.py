"""No plaintext of a scan, photo, name or note is ever on a disk: canaries in all of them.

They go in whole, broken off, refused, and while the server is killed; then every file of the data
directory, of both databases, and all that the server said is searched for them in every form.
"""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import ClientError
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.settings import Settings
from tests.adversary.crashing import Promises, Victim, said, victim
from tests.adversary.search import Canaries, encodings
from tests.house import API, BYTES, TUS, House, Person
from tests.scans import CANARY, arch, binary_stl, jpeg, png

CORNER = (-1.7320508, 27.182818, -0.5772157)  # of one triangle; nothing else has these bytes
PATIENT = {"name": "Quirijn Kanariepiet", "birth_date": "1987-06-05", "number": "KZ-7719-canary"}
NOTES = "Kanarienotitie: lower left twelve"
WORDS = Canaries(
    {
        "geometry": struct.pack("<3f", *CORNER),
        "header": b"CANARY-HEADER-51ab",
        "attribute": struct.pack("<H", 0xCA7A) * 6,
        "file name": b"kanarie-bovenkaak",
        "photo": CANARY,
        "thumbnail": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
        "camera's date": b"2026:11:20 14:03:00",
        "patient's name": b"Kanariepiet",
        "first name": b"Quirijn",
        "patient's number": b"7719-canary",
        "birth date": b"1987-06-05",
        "notes": b"Kanarienotitie",
    }
)
KILLS = {"sqlite": 5, "postgresql": 2}


def _scan(triangles: int = 30_000) -> bytes:
    shape = arch(triangles, seed=31)
    shape[len(shape) // 2, 0] = np.array(CORNER, np.float32)
    # The attribute's two bytes stand fifty bytes apart; a row of them says it as well.
    return binary_stl(shape, b"CANARY-HEADER-51ab" + struct.pack("<H", 0xCA7A) * 6, 0xCA7A)


SCAN = _scan()
NAME = "kanarie-bovenkaak.stl"


@pytest.mark.parametrize("word", sorted(WORDS.words))
def test_the_search_finds_a_planted_canary_in_every_form(word: str, tmp_path: Path) -> None:
    noise = random.Random(1)
    for number, (form, planted) in enumerate(encodings(WORDS.words[word]).items()):
        path = tmp_path / f"{number}"
        path.write_bytes(noise.randbytes(999) + planted + noise.randbytes(333))
        assert WORDS.found_under([path]) == {str(path): {word}}, form


def test_the_search_finds_nothing_in_noise(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(random.Random(2).randbytes(1 << 20))

    assert WORDS.found_under([tmp_path]) == {}


@pytest.mark.slow
async def test_no_plaintext_is_written_whatever_happens_to_an_upload(
    settings: Settings, backend: str, postgres_files: Callable[[], Any]
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    chance = random.Random(seed)
    async with victim(settings) as server:
        await server.start()
        await _use_it(server.dentist)
        for _ in range(KILLS[backend]):
            working = asyncio.create_task(_use_it(server.dentist))
            await asyncio.sleep(chance.uniform(0.05, 1.2))
            await server.kill()
            working.cancel()
            (outcome,) = await asyncio.gather(working, return_exceptions=True)
            if isinstance(outcome, Exception) and not isinstance(outcome, ClientError):
                raise outcome
            assert WORDS.found_under(_everything(settings)) == {}
            await server.start()
        await _is_in_use(server)
        assert WORDS.found_under(_everything(settings)) == {}
        assert WORDS.found_under(await postgres_files()) == {}
        await server.kill()


@pytest.mark.parametrize("backend", ["sqlite"])
async def test_no_refusal_quotes_what_was_sent(house: House) -> None:
    case_id = await house.dentist.new_case()

    for path, body in _wrong_requests(case_id):
        answer = await house.dentist.ask("POST", f"{API}/{path}", json=body)
        assert answer.status == 422
        assert WORDS.found_in(answer.body) == frozenset(), answer.text


@pytest.fixture
def postgres_files(settings: Settings, backend: str) -> Callable[[], Any]:
    """The files of this test's databases once all is flushed, and PostgreSQL's log of writes."""

    async def flush() -> Sequence[Path]:
        if backend == "sqlite":
            return ()
        engine = create_async_engine(settings.database_url, isolation_level="AUTOCOMMIT")
        names = [make_url(u).database for u in (settings.database_url, settings.keystore_url)]
        async with engine.connect() as connection:
            await connection.execute(text("CHECKPOINT"))
            directory = Path(await connection.scalar(text("SHOW data_directory")) or "")
            oids = await connection.scalars(
                text("SELECT oid::text FROM pg_database WHERE datname = ANY(:names)"),
                {"names": names},
            )
            found = [directory / "base" / oid for oid in oids]
        await engine.dispose()
        assert len(found) == len(names)
        return [*found, directory / "pg_wal"]

    return flush


def _everything(settings: Settings) -> Sequence[Path]:
    """The data directory, the SQLite files with their write-ahead logs, and what was said."""
    beside = [path for path in settings.data.parent.glob("*.db*") if path.is_file()]
    assert (settings.data / "blobs").is_dir()
    return [settings.data, said(settings), *beside]


async def _use_it(dentist: Person) -> None:
    """Everything that brings a canary in: accepted, refused, broken off, cancelled, erased."""
    case_id = await dentist.new_case(PATIENT, NOTES)
    assert (await dentist.upload(case_id, SCAN, name=NAME))["state"] == "accepted"
    for photo, name in ((jpeg(), "kanarie-bovenkaak.jpg"), (png(), "kanarie-bovenkaak.png")):
        file = await dentist.upload(case_id, photo, "photo", name)
        assert file["state"] == "accepted", file
    await dentist.post(f"{API}/cases/search", {"patient_name": PATIENT["name"]})
    await dentist.post(f"{API}/cases/search", {"birth_date": PATIENT["birth_date"]})
    cut = SCAN[:-1_000]
    assert (await dentist.upload(case_id, cut, name=NAME))["state"] == "refused"
    assert (await dentist.upload(case_id, SCAN, "photo", NAME))["state"] == "refused"
    await _break_off(dentist, case_id)
    await _say_it_wrongly(dentist, case_id)
    cancelled, _ = await dentist.begin_upload(case_id, len(SCAN), name=NAME)
    await dentist.append(cancelled, 0, SCAN[: len(SCAN) // 2])
    await dentist.ask("DELETE", cancelled, headers=TUS)
    erased = await dentist.new_case(PATIENT, NOTES)
    await dentist.upload(erased, SCAN, name=NAME)
    reason = f"{PATIENT['name']} ({PATIENT['number']}, {PATIENT['birth_date']}) asked for it"
    await dentist.post(f"{API}/cases/{erased}/erasure", {"reason": reason, "confirm": erased}, 202)


async def _break_off(dentist: Person, case_id: str) -> None:
    """A connection that is cut in the middle of a request's body."""
    address, _ = await dentist.begin_upload(case_id, len(SCAN), name=NAME)
    cut = asyncio.Event()

    async def half() -> Any:
        yield SCAN[: len(SCAN) // 2]
        cut.set()
        await asyncio.Event().wait()

    headers = {**TUS, **BYTES, "Upload-Offset": "0"}
    patch = asyncio.create_task(dentist.ask("PATCH", address, headers=headers, data=half()))
    await cut.wait()
    patch.cancel()
    await asyncio.gather(patch, return_exceptions=True)


async def _say_it_wrongly(dentist: Person, case_id: str) -> None:
    """Canaries where a careless server quotes its input: in its log, or in an answer's text."""
    name = PATIENT["name"]
    for path, body in _wrong_requests(case_id):
        assert (await dentist.ask("POST", f"{API}/{path}", json=body)).status == 422
    await dentist.ask("GET", f"{API}/cases/{name}?{NOTES}={name}")
    await dentist.ask("POST", f"{API}/cases", data=NOTES.encode(), headers={"X-Name": name})


def _wrong_requests(case_id: str) -> Sequence[tuple[str, object]]:
    name = PATIENT["name"]
    return (
        ("cases", {"patient": {**PATIENT, "birth_date": name}, "notes": NOTES}),
        ("cases", {"patient": {**PATIENT, "nickname": name}, "notes": NOTES}),
        ("cases", {"patient": name}),
        (f"cases/{case_id}/erasure", {"reason": NOTES, "confirm": name[:36]}),
        ("cases/search", {"patient_name": name, NOTES: name}),
    )


async def _is_in_use(server: Victim) -> None:
    """The canaries are there for whoever may see them: the search had something to miss."""
    promises = Promises()
    case_id = await server.dentist.new_case(PATIENT, NOTES)
    upload = await promises.upload(server.dentist, case_id, SCAN, pieces=2)
    await server.dentist.verdict(case_id, upload.file_id)
    content = await server.dentist.download(case_id, upload.file_id)
    path = f"{API}/cases/{case_id}/files/{upload.file_id}/thumbnail"
    picture = await server.dentist.ask("GET", path)
    case = await server.dentist.get(f"{API}/cases/{case_id}")
    assert "geometry" in WORDS.found_in(content)
    assert WORDS.found_in(picture.body) == {"thumbnail"}
    assert case["patient"] == PATIENT
    assert case["notes"] == NOTES
