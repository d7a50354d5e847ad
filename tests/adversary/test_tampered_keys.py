"""Somebody alters or swaps wrapped keys: refused and logged, and no erasure hangs on them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest
from sqlalchemy import select

from keys.context import Purpose
from storage.schema import cases, wrapped_keys
from tests.adversary.attacks import (
    SMALL,
    Ground,
    Tally,
    alarms,
    altered,
    download_fault,
    fault,
    flipped,
    row,
    take,
)
from tests.house import API, Person


@pytest.fixture
def backend() -> str:
    """An attacker's SQL is the same on both; one of them is enough."""
    return "sqlite"


async def test_a_swapped_or_changed_file_key_is_refused_and_logged(ground: Ground) -> None:
    tally = Tally()
    plain = await ground.house.dentist.download(ground.large.case_id, ground.large.file_id)

    async for name in _altered_keys(ground, Purpose.FILE_KEY, ground.large.blob_id):
        tally.count(name, await download_fault(ground, plain))

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
            tally.count(f"{name}, {act}", await fault(ground.house, attempt))

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
            tally.count(f"{name}, {act}", await fault(ground.house, attempt))

    tally.close("index key")


async def test_a_swapped_or_changed_upload_key_is_refused_and_logged(ground: Ground) -> None:
    tally, dentist = Tally(), ground.house.dentist
    address, file_id = await dentist.begin_upload(ground.large.case_id, len(SMALL))

    async for name in _altered_keys(ground, Purpose.UPLOAD_KEY, file_id):
        wrong = await fault(ground.house, lambda: dentist.append(address, 0, SMALL))
        tally.count(name, wrong)

    assert await dentist.offset(address) == 0
    tally.close("upload key")


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
