"""Finding a patient back by blind index, within one practice."""

from __future__ import annotations

import asyncio

from sqlalchemy import select

from storage.schema import subject_index
from tests.gateway.ground import SQLITE, refused
from tests.house import API, House, Person

JAN = {"name": "Jan-Willem van der Brück-Łys", "birth_date": "1999-12-31", "number": "N 12.345"}


async def found(person: Person, **wanted: str) -> list[str]:
    answer = await person.post(f"{API}/cases/search", wanted)
    return [case["id"] for case in answer["cases"]]


SPELLINGS = [
    {"patient_number": "N 12.345"},
    {"patient_number": "n-12-345"},
    {"patient_name": "Jan-Willem van der Brück-Łys"},
    {"patient_name": "  JAN WILLEM VAN DER BRUCK LYS "},
    {"patient_name": "jan willem van der bru\u0308ck-łys"},
    {"birth_date": "1999-12-31"},
    {"birth_date": "1999-12-31", "patient_name": "jan-willem van der brück-łys"},
    {"birth_date": "1999-12-31", "patient_number": "n 12 345", "patient_name": JAN["name"]},
]


@SQLITE
async def test_a_patient_is_found_back_however_it_is_typed(house: House) -> None:
    case_id = await house.dentist.new_case(JAN)
    await house.dentist.new_case({"name": "Another", "birth_date": "1980-01-01", "number": "9"})
    for wanted in SPELLINGS:
        assert await found(house.dentist, **wanted) == [case_id], wanted


OTHERS = [
    {"patient_number": "12345"},
    {"patient_name": "Jan-Willem"},
    {"birth_date": "1999-12-30"},
    {"birth_date": "1999-12-31", "patient_name": "Another"},
    {"patient_number": JAN["name"]},
    {"patient_name": JAN["number"]},
]


@SQLITE
async def test_what_is_not_the_patient_finds_nothing(house: House) -> None:
    await house.dentist.new_case(JAN)
    await house.dentist.new_case({"name": "Another", "birth_date": "1980-01-01", "number": "9"})
    for wanted in OTHERS:
        assert await found(house.dentist, **wanted) == [], wanted


async def test_another_practice_finds_nothing_and_shares_no_pseudonym(house: House) -> None:
    _, foreign = await house.add_practice()
    ours, theirs = await house.dentist.new_case(JAN), await foreign.new_case(JAN)

    assert await found(house.dentist, patient_number=JAN["number"]) == [ours]
    assert await found(foreign, patient_number=JAN["number"]) == [theirs]
    case, other = (
        await house.dentist.get(f"{API}/cases/{ours}"),
        await foreign.get(f"{API}/cases/{theirs}"),
    )
    assert case["pseudonym"] != other["pseudonym"]
    async with house.rooms.main.reading() as connection:
        digests = (await connection.execute(select(subject_index.c.digest))).scalars().all()
    assert len(set(digests)) == 6


async def test_two_cases_of_one_patient_share_the_pseudonym(house: House) -> None:
    married = {**JAN, "name": "Jan-Willem Jansen"}
    first, second = await house.dentist.new_case(JAN), await house.dentist.new_case(married)
    cases = [await house.dentist.get(f"{API}/cases/{case_id}") for case_id in (first, second)]

    assert cases[0]["pseudonym"] == cases[1]["pseudonym"]
    assert cases[0]["patient"]["name"] == JAN["name"]
    assert await found(house.dentist, patient_name="Jan-Willem Jansen") == [second, first]
    assert await found(house.dentist, patient_name=JAN["name"]) == [second, first]


async def test_two_cases_begun_at_one_moment_share_the_pseudonym(house: House) -> None:
    ids = await asyncio.gather(*(house.dentist.new_case(JAN) for _ in range(6)))
    cases = [await house.dentist.get(f"{API}/cases/{case_id}") for case_id in ids]

    assert len({case["pseudonym"] for case in cases}) == 1


async def test_patients_of_the_same_name_stay_apart(house: House) -> None:
    first = await house.dentist.new_case(JAN)
    second = await house.dentist.new_case({**JAN, "number": "N 2"})
    cases = [await house.dentist.get(f"{API}/cases/{case_id}") for case_id in (first, second)]

    assert cases[0]["pseudonym"] != cases[1]["pseudonym"]
    assert await found(house.dentist, patient_name=JAN["name"]) == [second, first]
    assert await found(house.dentist, patient_number="N2") == []


async def test_an_erased_patient_is_found_no_more(house: House) -> None:
    erased, living = await house.dentist.new_case(JAN), await house.dentist.new_case(JAN)
    await house.dentist.erase(erased)

    assert await found(house.dentist, patient_number=JAN["number"]) == [living]
    await house.dentist.erase(living)
    assert await found(house.dentist, patient_number=JAN["number"]) == []
    async with house.rooms.main.reading() as connection:
        assert (await connection.execute(select(subject_index))).all() == []


@SQLITE
async def test_a_search_for_nothing_is_refused(house: House) -> None:
    for body in ({}, {"patient_name": ""}, {"patient_name": None}, {"patient_number": "..."}):
        answer = await house.dentist.ask("POST", f"{API}/cases/search", json=body)
        refused(answer, 422, "invalid_input")
