"""The log over HTTP: whoever asks gets tiles and checkpoints; a proof is for its owner."""

from __future__ import annotations

import asyncio
import base64
import json
from hashlib import sha256

from sqlalchemy import func, select

from gateway.app import log_verifier
from storage.accesslog.checkpoint import Checkpoint, open_checkpoint
from storage.accesslog.event import commitment
from storage.accesslog.proof import LogProof
from storage.accesslog.reading import events_of_case
from storage.schema import events
from tests.house import API, WAIT_SECONDS, Answer, House, Person
from tests.storage.accesslog import rfc9162

IMMUTABLE = "public, max-age=31536000, immutable"


async def settled(house: House) -> Checkpoint:
    """The checkpoint once it covers all that was logged by now."""
    open_note = log_verifier(house.settings.log_key_path).open_note
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            async with house.rooms.main.reading() as connection:
                logged = await connection.scalar(select(func.count()).select_from(events))
            answer = await house.stranger.ask("GET", f"{API}/log/checkpoint")
            if answer.status == 200:
                signed = open_checkpoint(answer.text, open_note)
                if signed.size == logged:
                    return signed
            await asyncio.sleep(0.05)


async def entries_of(house: House, size: int) -> list[bytes]:
    assert size < 256
    answer = await house.stranger.ask("GET", f"{API}/log/tile/entries/000.p/{size}")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == IMMUTABLE
    assert len(answer.body) == 34 * size
    return [answer.body[at + 2 : at + 34] for at in range(0, 34 * size, 34)]


async def test_a_stranger_recomputes_the_log_from_what_is_public(house: House) -> None:
    await house.dentist.new_case()
    signed = await settled(house)

    entries = await entries_of(house, signed.size)
    assert rfc9162.tree_hash(entries) == signed.root
    tile = await house.stranger.ask("GET", f"{API}/log/tile/0/000.p/{signed.size}")
    assert tile.status == 200
    assert tile.headers["Content-Type"] == "application/octet-stream"
    assert tile.headers["Cache-Control"] == IMMUTABLE
    assert tile.body == b"".join(sha256(b"\0" + entry).digest() for entry in entries)


async def test_what_is_public_says_nothing_of_anybody(house: House) -> None:
    case_id = await house.dentist.new_case()
    signed = await settled(house)
    for path in ("checkpoint", f"tile/entries/000.p/{signed.size}", f"tile/0/000.p/{signed.size}"):
        body = (await house.stranger.ask("GET", f"{API}/log/{path}")).body
        for word in (case_id, house.dentist.id, house.dentist.email, house.practice.id):
            assert word.encode() not in body


NO_TILES = [
    *("tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1", "tile/0/000.p/0", "tile/0/000.p/255"),
    *("tile/0/000.p/256", "tile/0/000.p/999", "tile/0/000.p/01", "tile/0/x000/000.p/1"),
    *("tile/0/0.p/1", "tile/0/0000.p/1", "tile/0/x999/x999/x999/x999/x999/999.p/1"),
    *("tile/64/000.p/1", "tile/00/000.p/1", "tile/-1/000.p/1", "tile/0/000.p/1/"),
    *("tile/0/\N{ARABIC-INDIC DIGIT ZERO}00.p/1", "tile/entries/000", "tile/data/000.p/1"),
    *("tile/entries/000.p/1000", "tile/0/..%2f000.p/1", "tile/0/000%00.p/1", "tile/", "tile"),
]


async def test_an_address_that_no_tile_has_is_not_found(house: House) -> None:
    await settled(house)
    for path in NO_TILES:
        answer = await house.stranger.ask("GET", f"{API}/log/{path}")
        assert (answer.status, answer.json()["code"]) == (404, "not_found"), path
        assert answer.headers["Cache-Control"] == "no-store"


async def test_the_checkpoint_is_fresh_text(house: House) -> None:
    await settled(house)
    answer = await house.stranger.ask("GET", f"{API}/log/checkpoint")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"


async def own_index(house: House, case_id: str, code: str = "case.create") -> int:
    async with house.rooms.main.reading() as connection:
        found = await events_of_case(connection, case_id)
    index = next(each.index for each in found if each.record["event"]["code"] == code)
    assert index is not None
    return index


async def ask_proof(person: Person, index: int) -> Answer:
    return await person.ask("GET", f"{API}/log/proof/{index}")


async def test_a_practice_can_prove_its_event_to_anybody(house: House) -> None:
    case_id = await house.dentist.new_case()
    await settled(house)
    index = await own_index(house, case_id)

    answer = await ask_proof(house.dentist, index)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    proof = LogProof.parse(answer.text)
    assert proof.extra
    extra = json.loads(proof.extra)
    assert json.loads(extra["record"])["object"]["case_id"] == case_id

    signed = open_checkpoint(proof.note, log_verifier(house.settings.log_key_path).open_note)
    entry = commitment(base64.b64decode(extra["salt"]), extra["record"])
    path = list(proof.hashes)
    assert rfc9162.includes(entry, index, signed.size, path, signed.root)
    assert not rfc9162.includes(entry, index - 1, signed.size, path, signed.root)


async def test_nobody_gets_the_proof_of_another_practice(house: House) -> None:
    case_id = await house.dentist.new_case()
    await settled(house)
    index = await own_index(house, case_id)
    _, other_dentist = await house.add_practice()

    assert (await ask_proof(other_dentist, index)).status == 404
    assert (await ask_proof(house.dentist, 0)).status == 404  # the house's own first event
    assert (await ask_proof(house.dentist, 10**15)).status == 404
    assert (await ask_proof(house.stranger, index)).status == 401
    for person in (house.planner, house.coordinator):
        assert (await ask_proof(person, index)).status == 403
    assert (await ask_proof(house.officer, index)).status == 200


async def test_that_somebody_asked_for_a_proof_is_an_event(house: House) -> None:
    case_id = await house.dentist.new_case()
    await settled(house)
    index = await own_index(house, case_id)
    practice, other_dentist = await house.add_practice()
    await ask_proof(other_dentist, index)
    await ask_proof(house.dentist, index)

    async with house.rooms.main.reading() as connection:
        rows = await connection.scalars(select(events.c.record).order_by(events.c.id))
        found = [json.loads(row) for row in rows]
    asked = [
        each
        for each in found
        if each["object"].get("id") == str(index) and each["event"]["stage"] == "authorised"
    ]
    assert [each["user"]["id"] for each in asked] == [other_dentist.id, house.dentist.id]
    assert asked[0]["object"]["controller_id"] == practice.id
    refused = [each for each in found if each["event"].get("cause") == asked[0]["event"]["id"]]
    assert [each["event"]["detail"] for each in refused] == [{"refusal": "not_found"}]


async def test_what_is_no_index_is_not_found(house: House) -> None:
    for index in ("-1", "01", "1.0", "x", "9" * 19, "1_0"):
        assert (await house.dentist.ask("GET", f"{API}/log/proof/{index}")).status == 404
