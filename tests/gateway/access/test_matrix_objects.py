"""Every route about a case times everybody times cases of other kinds than one's own running one.

"foreign" is a case of another practice, "shared" one that two planners are assigned to, "erased" a
tombstone, "frozen" one whose erasure is under way, "restricted" one whose processing was halted.
The identities are those of test_matrix.py, and the manager of the practice, its program, and a
token of its dentist for one other case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import pytest
from sqlalchemy import text

from gateway.access.scope import Limits
from storage import cases
from tests.gateway.access.test_matrix import WHO as BEFORE
from tests.gateway.access.test_matrix import Ground, ground, routed
from tests.gateway.ground import SQLITE, UNKNOWN, change, until
from tests.house import API, SCAN, Answer
from tests.leaks import planted

__all__ = ["ground"]

WHO = (*BEFORE, "manager", "service", "limited")
OBJECTS = ("foreign", "shared", "erased", "frozen", "restricted")
TABLE = """
foreign DELETE /assignments/*
    401 401 401 404 403 404 404 404 204 404 404 404 404 403
foreign DELETE /files/*
    401 401 401 404 409 404 404 404 403 404 404 404 404 403
foreign GET /
    401 401 401 404 200 404 404 404 200 404 404 404 404 403
foreign GET /archive
    401 401 401 404 200 404 404 404 403 404 404 404 404 403
foreign GET /erasure
    401 401 401 404 404 404 404 404 403 404 404 404 404 403
foreign GET /events
    401 401 401 404 200 404 404 404 403 200 404 404 404 403
foreign GET /files/*
    401 401 401 404 200 404 404 404 200 404 404 404 404 403
foreign GET /files/*/content
    401 401 401 404 200 404 404 404 403 404 404 404 404 403
foreign GET /files/*/erasure
    401 401 401 404 404 404 404 404 403 404 404 404 404 403
foreign GET /files/*/thumbnail
    401 401 401 404 200 404 404 404 403 404 404 404 404 403
foreign POST /assignments
    401 401 401 404 403 404 404 404 201 404 404 404 404 403
foreign POST /completion
    401 401 401 404 403 404 404 404 403 404 404 404 404 403
foreign POST /emergency
    401 401 401 404 403 201 201 201 201 404 404 404 404 403
foreign POST /files
    401 401 401 404 409 404 404 404 403 404 404 404 404 403
foreign POST /handover
    401 401 401 404 403 404 404 404 403 404 404 404 404 403
foreign POST /misuse-reports
    401 401 401 404 201 404 404 404 403 404 404 404 404 403
foreign POST /release
    401 401 401 404 409 404 404 404 403 409 404 404 404 403
foreign POST /restriction
    401 401 401 404 204 404 404 404 403 204 404 404 404 403
foreign POST /submission
    401 401 401 404 409 404 404 404 403 404 404 404 404 403
foreign PUT /files/*/slot
    401 401 401 404 409 404 404 404 403 404 404 404 404 403
foreign PUT /patient
    401 401 401 404 202 404 404 404 403 404 404 404 404 403
foreign POST /erasure
    401 401 401 404 202 404 404 404 403 404 404 404 404 403
foreign POST /files/*/erasure
    401 401 401 404 409 404 404 404 403 404 404 404 404 403
shared GET /
    401 401 401 200 404 200 200 404 200 404 404 200 200 403
shared GET /archive
    401 401 401 200 404 200 200 404 403 404 404 200 200 403
shared GET /erasure
    401 401 401 404 404 403 403 404 403 404 404 404 403 403
shared GET /events
    401 401 401 200 404 403 403 404 403 200 404 200 403 403
shared GET /files/*
    401 401 401 200 404 200 200 404 200 404 404 200 200 403
shared GET /files/*/content
    401 401 401 200 404 200 200 404 403 404 404 200 200 403
shared GET /files/*/erasure
    401 401 401 404 404 403 403 404 403 404 404 404 403 403
shared GET /files/*/thumbnail
    401 401 401 200 404 200 200 404 403 404 404 200 200 403
erased DELETE /assignments/*
    401 401 401 403 404 404 404 404 409 404 404 403 403 403
erased DELETE /files/*
    401 401 401 409 404 404 404 404 403 404 404 409 409 403
erased GET /
    401 401 401 200 404 404 404 404 200 404 404 200 200 403
erased GET /archive
    401 401 401 409 404 404 404 404 403 404 404 409 409 403
erased GET /erasure
    401 401 401 200 404 404 404 404 403 200 404 200 403 403
erased GET /events
    401 401 401 200 404 404 404 404 403 200 404 200 403 403
erased GET /files/*
    401 401 401 409 404 404 404 404 409 404 404 409 409 403
erased GET /files/*/content
    401 401 401 409 404 404 404 404 403 404 404 409 409 403
erased GET /files/*/erasure
    401 401 401 404 404 404 404 404 403 404 404 404 403 403
erased GET /files/*/thumbnail
    401 401 401 409 404 404 404 404 403 404 404 409 409 403
erased POST /assignments
    401 401 401 403 404 404 404 404 409 404 404 403 403 403
erased POST /completion
    401 401 401 403 404 404 404 404 403 404 404 403 403 403
erased POST /emergency
    401 401 401 403 404 409 409 409 409 404 404 403 403 403
erased POST /files
    401 401 401 409 404 404 404 404 403 404 404 409 409 403
erased POST /handover
    401 401 401 403 404 404 404 404 403 404 404 403 403 403
erased POST /misuse-reports
    401 401 401 201 404 404 404 404 403 404 404 201 403 403
erased POST /release
    401 401 401 409 404 404 404 404 403 409 404 409 403 403
erased POST /restriction
    401 401 401 409 404 404 404 404 403 409 404 409 403 403
erased POST /submission
    401 401 401 409 404 404 404 404 403 404 404 409 409 403
erased PUT /files/*/slot
    401 401 401 409 404 404 404 404 403 404 404 409 409 403
erased PUT /patient
    401 401 401 409 404 404 404 404 403 404 404 409 403 403
erased POST /erasure
    401 401 401 202 404 404 404 404 403 404 404 202 403 403
erased POST /files/*/erasure
    401 401 401 409 404 404 404 404 403 404 404 409 403 403
frozen DELETE /assignments/*
    401 401 401 403 404 403 404 404 409 404 404 403 403 403
frozen DELETE /files/*
    401 401 401 409 404 403 404 404 403 404 404 409 409 403
frozen GET /
    401 401 401 200 404 200 404 404 200 404 404 200 200 403
frozen GET /archive
    401 401 401 409 404 409 404 404 403 404 404 409 409 403
frozen GET /erasure
    401 401 401 404 404 403 404 404 403 404 404 404 403 403
frozen GET /events
    401 401 401 200 404 403 404 404 403 200 404 200 403 403
frozen GET /files/*
    401 401 401 409 404 409 404 404 409 404 404 409 409 403
frozen GET /files/*/content
    401 401 401 409 404 409 404 404 403 404 404 409 409 403
frozen GET /files/*/erasure
    401 401 401 404 404 403 404 404 403 404 404 404 403 403
frozen GET /files/*/thumbnail
    401 401 401 409 404 409 404 404 403 404 404 409 409 403
frozen POST /assignments
    401 401 401 403 404 403 404 404 409 404 404 403 403 403
frozen POST /completion
    401 401 401 403 404 409 404 404 403 404 404 403 403 403
frozen POST /emergency
    401 401 401 403 404 409 409 409 409 404 404 403 403 403
frozen POST /files
    401 401 401 409 404 403 404 404 403 404 404 409 409 403
frozen POST /handover
    401 401 401 403 404 409 404 404 403 404 404 403 403 403
frozen POST /misuse-reports
    401 401 401 201 404 403 404 404 403 404 404 201 403 403
frozen POST /release
    401 401 401 409 404 403 404 404 403 409 404 409 403 403
frozen POST /restriction
    401 401 401 409 404 403 404 404 403 409 404 409 403 403
frozen POST /submission
    401 401 401 409 404 403 404 404 403 404 404 409 409 403
frozen PUT /files/*/slot
    401 401 401 409 404 403 404 404 403 404 404 409 409 403
frozen PUT /patient
    401 401 401 409 404 403 404 404 403 404 404 409 403 403
frozen POST /erasure
    401 401 401 202 404 403 404 404 403 404 404 202 403 403
frozen POST /files/*/erasure
    401 401 401 409 404 404 404 404 403 404 404 409 403 403
restricted DELETE /assignments/*
    401 401 401 403 404 404 404 404 409 404 404 403 403 403
restricted DELETE /files/*
    401 401 401 409 404 404 404 404 403 404 404 409 409 403
restricted GET /
    401 401 401 200 404 404 404 404 200 404 404 200 200 403
restricted GET /archive
    401 401 401 200 404 404 404 404 403 404 404 200 200 403
restricted GET /erasure
    401 401 401 404 404 404 404 404 403 404 404 404 403 403
restricted GET /events
    401 401 401 200 404 404 404 404 403 200 404 200 403 403
restricted GET /files/*
    401 401 401 200 404 404 404 404 200 404 404 200 200 403
restricted GET /files/*/content
    401 401 401 200 404 404 404 404 403 404 404 200 200 403
restricted GET /files/*/erasure
    401 401 401 404 404 404 404 404 403 404 404 404 403 403
restricted GET /files/*/thumbnail
    401 401 401 200 404 404 404 404 403 404 404 200 200 403
restricted POST /assignments
    401 401 401 403 404 404 404 404 409 404 404 403 403 403
restricted POST /completion
    401 401 401 403 404 404 404 404 403 404 404 403 403 403
restricted POST /emergency
    401 401 401 403 404 409 409 409 409 404 404 403 403 403
restricted POST /files
    401 401 401 409 404 404 404 404 403 404 404 409 409 403
restricted POST /handover
    401 401 401 403 404 404 404 404 403 404 404 403 403 403
restricted POST /misuse-reports
    401 401 401 201 404 404 404 404 403 404 404 201 403 403
restricted POST /release
    401 401 401 204 404 404 404 404 403 204 404 204 403 403
restricted POST /restriction
    401 401 401 409 404 404 404 404 403 409 404 409 403 403
restricted POST /submission
    401 401 401 409 404 404 404 404 403 404 404 409 409 403
restricted PUT /files/*/slot
    401 401 401 409 404 404 404 404 403 404 404 409 409 403
restricted PUT /patient
    401 401 401 202 404 404 404 404 403 404 404 202 403 403
restricted POST /erasure
    401 401 401 202 404 404 404 404 403 404 404 202 403 403
restricted POST /files/*/erasure
    401 401 401 409 404 404 404 404 403 404 404 409 403 403
"""
ERASES = f"POST {API}/cases/-/erasure"
REFUSED, UNSEEN = 400, 404
PASSING = ("/emergency", "/restriction", "/release")
SAFE = frozenset({"GET", "HEAD"})


def _rows() -> Mapping[str, Mapping[str, int]]:
    lines = TABLE.strip().splitlines()
    return {
        row.replace(" /", f" {API}/cases/-/").rstrip("/"): dict(
            zip(WHO, map(int, cells.split()), strict=True)
        )
        for row, cells in zip(lines[::2], lines[1::2], strict=True)
    }


EXPECTED = _rows()


@dataclass
class Objects:
    """A ground for each kind of case: the same people, another case."""

    grounds: Mapping[str, Ground]

    async def ask(self, kind: str, route: str, who: str, case_id: str | None = None) -> Answer:
        """One request, after which the case is again what it was."""
        ground = self.grounds[kind]
        answer = await ground.ask(ground.people[who], route, case_id or ground.case_id)
        if answer.status < REFUSED and route.endswith(PASSING):
            at = "created_at" if kind == "restricted" else "NULL"
            async with ground.house.rooms.main.transaction() as tx:
                await tx.execute(text("UPDATE emergencies SET ends_at = starts_at"))
                statement = f"UPDATE cases SET restricted_at = {at} WHERE id = :id"
                await tx.execute(text(statement), {"id": ground.case_id})
        return answer

    async def is_erased(self, kind: str) -> bool:
        """Whether the erasure that was asked for has come to its end."""
        ground = self.grounds[kind]
        async with ground.house.rooms.main.reading() as connection:
            case = await cases.get(connection, ground.case_id)
        return case is not None and case.state == "erased"


@pytest.fixture
async def objects(ground: Ground) -> Objects:
    house = ground.house
    practice = house.practice.id
    south = ground.people["foreign"]
    limited = await house.rooms.accounts.create_token(
        email=house.dentist.email, name="limited", limits=Limits(cases=[ground.draft])
    )
    people = {
        **ground.people,
        "manager": await house.add_person("practice_manager", practice),
        "service": await house.add_person("service", practice),
        "limited": replace(house.dentist, token=planted("a token", limited)),
    }
    grounds = {}
    for kind in OBJECTS:
        owner = south if kind == "foreign" else house.dentist
        case_id = await owner.new_case()
        file = await owner.upload(case_id, SCAN)
        grounds[kind] = replace(ground, people=people, case_id=case_id, file_id=file["id"])
        if kind != "foreign":
            await grounds[kind].assign(house.planner)
            await grounds[kind].assign(people["ended"], ended=True)
    await grounds["shared"].assign(people["other"])
    await house.dentist.erase(grounds["erased"].case_id)
    for kind, column in (("frozen", "frozen_at"), ("restricted", "restricted_at")):
        statement = f"UPDATE cases SET {column} = created_at WHERE id = :id"
        await change(house, statement, id=grounds[kind].case_id)
    await change(
        house,
        "UPDATE cases SET state = 'planning' WHERE id IN (:one, :two)",
        one=grounds["shared"].case_id,
        two=grounds["foreign"].case_id,
    )
    return Objects(grounds)


ROUTES = sorted(
    (row for row in routed() if "/cases/-" in row and "OPTIONS" not in row),
    key=lambda row: (row == f"POST {API}/cases/-/files/*/erasure", row == ERASES, row),
)
"""The erasures come last: what follows one is a case that is erased."""
# Of a shared case only what reads: what changes it is in test_matrix.py, for each planner alone.
ROWS = {
    f"{kind} {route}": (kind, route)
    for kind in OBJECTS
    for route in ROUTES
    if kind != "shared" or route.split()[0] in SAFE
}


def test_the_table_has_every_route_about_a_case_for_every_kind_of_case() -> None:
    assert set(EXPECTED) == set(ROWS)


@SQLITE
async def test_every_cell_of_every_kind_of_case_answers_as_the_table_says(
    objects: Objects,
) -> None:
    """And where one may not know of a case, the answer is that for a case that does not exist."""
    wrong, unknown = [], {}
    for row, (kind, route) in ROWS.items():
        # Whoever is refused comes first: they must not have changed what the others see.
        for who in sorted(WHO, key=lambda who: EXPECTED[row][who] < REFUSED):
            answer = await objects.ask(kind, route, who)
            if answer.status != EXPECTED[row][who]:
                wrong.append(f"{row} by {who}: {answer.status}, not {EXPECTED[row][who]}")
            elif answer.status == UNSEEN or who == "limited":
                if (who, route) not in unknown:
                    unknown[who, route] = await objects.ask(kind, route, who, UNKNOWN)
                none = unknown[who, route]
                if (answer.status, answer.body) != (none.status, none.body):
                    wrong.append(f"{row} by {who}: not the answer for a case that there is not")
        if route == ERASES:
            await until(partial(objects.is_erased, kind))

    assert wrong == []
