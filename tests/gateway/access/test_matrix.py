"""Who may do what, by HTTP: every operation times every identity, against a table of its own.

The table was written from the promises (docs, issue), not from the policy. `-` stands for the case
of the dentist's own practice, to which the planner is assigned; "other" is a planner without an
assignment, "ended" one whose assignment is over, "foreign" a dentist of another practice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from gateway.access.duty import VERSION
from gateway.api.server import OPERATIONS
from gateway.ids import new_id, now
from storage import alerts, cases, emergencies
from storage.cases import Assignment
from storage.emergencies import Emergency
from tests.gateway.ground import SQLITE, UNKNOWN, change, until
from tests.house import API, BYTES, PATIENT, SCAN, TUS, Answer, House, Person

WHO = (
    *("nobody", "disabled", "expired", "dentist", "foreign", "planner", "other", "ended"),
    *("coordinator", "officer", "administrator"),
)
TABLE = f"""
GET /healthz                                            200 200 200 200 200 200 200 200 200 200 200
GET /readyz                                             200 200 200 200 200 200 200 200 200 200 200
GET {API}/openapi.json                                  200 200 200 200 200 200 200 200 200 200 200
GET {API}/log/checkpoint                                200 200 200 200 200 200 200 200 200 200 200
GET {API}/keys                                          200 200 200 200 200 200 200 200 200 200 200
GET {API}/log/tile/entries/*                            200 200 200 200 200 200 200 200 200 200 200
GET {API}/log/tile/0/*                                  200 200 200 200 200 200 200 200 200 200 200
GET {API}/log/proof/*                                   401 401 401 200 404 403 403 403 403 200 403
GET {API}/log/events                                    401 401 401 200 403 403 403 403 403 200 403
POST {API}/session                                      401 401 401 401 401 401 401 401 401 401 401
GET {API}/session                                       401 401 401 401 401 401 401 401 401 401 401
POST {API}/session/confirmation                         401 401 401 401 401 401 401 401 401 401 401
DELETE {API}/session                                    401 401 401 204 204 204 204 204 204 204 204
GET {API}/account/confidentiality                       401 401 401 200 200 200 200 200 200 200 200
POST {API}/account/confidentiality                      401 401 401 200 200 200 200 200 200 200 200
POST {API}/cases                                        401 401 401 201 201 403 403 403 403 403 403
GET {API}/cases                                         401 401 401 200 200 200 200 200 200 403 403
POST {API}/cases/search                                 401 401 401 200 200 403 403 403 403 403 403
GET {API}/cases/-                                       401 401 401 200 404 200 404 404 200 404 404
OPTIONS {API}/cases/-/files                             204 204 204 204 204 204 204 204 204 204 204
POST {API}/cases/-/files                                401 401 401 201 404 403 404 404 403 404 404
OPTIONS {API}/uploads/*                                 204 204 204 204 204 204 204 204 204 204 204
HEAD {API}/uploads/*                                    200 200 200 200 200 200 200 200 200 200 200
PATCH {API}/uploads/*                                   204 204 204 204 204 204 204 204 204 204 204
DELETE {API}/uploads/*                                  204 204 204 204 204 204 204 204 204 204 204
POST {API}/cases/-/submission                           401 401 401 200 404 403 404 404 403 404 404
POST {API}/cases/-/assignments                          401 401 401 403 404 403 404 404 201 404 404
DELETE {API}/cases/-/assignments/*                      401 401 401 403 404 403 404 404 204 404 404
GET {API}/cases/-/files/*                               401 401 401 200 404 200 404 404 200 404 404
GET {API}/cases/-/files/*/content                       401 401 401 200 404 200 404 404 403 404 404
GET {API}/cases/-/files/*/thumbnail                     401 401 401 200 404 200 404 404 403 404 404
PUT {API}/cases/-/files/*/slot                          401 401 401 409 404 403 404 404 403 404 404
GET {API}/cases/-/archive                               401 401 401 200 404 200 404 404 403 404 404
DELETE {API}/cases/-/files/*                            401 401 401 409 404 403 404 404 403 404 404
POST {API}/cases/-/handover                             401 401 401 403 404 422 404 404 403 404 404
GET {API}/assignments                                   401 401 401 403 403 403 403 403 200 403 403
POST {API}/cases/-/emergency                            401 401 401 403 404 409 201 201 201 404 404
GET {API}/emergencies                                   401 401 401 200 200 403 403 403 403 200 403
POST {API}/emergencies/*/review                         401 401 401 403 404 403 404 404 403 200 404
POST {API}/cases/-/restriction                          401 401 401 204 404 403 404 404 403 204 404
POST {API}/cases/-/release                              401 401 401 204 404 404 404 404 403 204 404
POST {API}/cases/-/completion                           401 401 401 403 404 200 404 404 403 404 404
GET {API}/cases/-/events                                401 401 401 200 404 403 404 404 403 200 404
POST {API}/cases/-/misuse-reports                       401 401 401 201 404 403 404 404 403 404 404
GET {API}/alerts                                        401 401 401 403 403 403 403 403 403 200 403
GET {API}/alerts/*                                      401 401 401 403 403 403 403 403 403 200 403
POST {API}/alerts/*/assignment                          401 401 401 403 403 403 403 403 403 200 403
POST {API}/alerts/*/comments                            401 401 401 403 403 403 403 403 403 201 403
POST {API}/alerts/*/dismissal                           401 401 401 403 403 403 403 403 403 200 403
PUT {API}/cases/-/patient                               401 401 401 202 404 403 404 404 403 404 404
POST {API}/cases/-/files/*/erasure                      401 401 401 202 404 403 404 404 403 404 404
GET {API}/cases/-/files/*/erasure                       401 401 401 200 404 403 404 404 403 200 404
POST {API}/cases/-/erasure                              401 401 401 202 404 403 404 404 403 404 404
GET {API}/cases/-/erasure                               401 401 401 200 404 404 404 404 403 200 404
POST {API}/erasures                                     401 401 401 202 404 404 404 404 403 404 404
GET {API}/erasures                                      401 401 401 200 200 403 403 403 403 200 403
GET {API}/erasures/*                                    401 401 401 200 404 403 403 403 403 200 403
POST {API}/erasures/*/approval                          401 401 401 202 404 404 404 404 403 404 404
DELETE {API}/erasures/*                                 401 401 401 204 404 404 404 404 403 404 404
"""
METADATA = "filename eA==,kind c2Nhbg=="
BODIES: Mapping[str, Mapping[str, Any]] = {
    f"POST {API}/session": {"email": "who@people.invalid", "password": "not the right one"},
    f"POST {API}/session/confirmation": {"password": "not the right one"},
    f"POST {API}/account/confidentiality": {"version": VERSION},
    f"POST {API}/cases": {"patient": PATIENT},
    f"POST {API}/cases/search": {"patient_number": "another"},
    f"PUT {API}/cases/-/patient": {**PATIENT, "name": "Another"},
    f"POST {API}/cases/-/emergency": {"reason": "urgent", "minutes": 5},
    f"POST {API}/emergencies/*/review": {"verdict": "justified", "words": "it was"},
    f"POST {API}/cases/-/restriction": {"reason": "a doubt"},
    f"POST {API}/cases/-/misuse-reports": {"words": "nobody had a reason"},
    f"POST {API}/alerts/*/assignment": {},
    f"POST {API}/alerts/*/comments": {"words": "asked the practice"},
    f"POST {API}/alerts/*/dismissal": {"reason": "it was a colleague on call"},
    f"POST {API}/cases/-/release": {"reason": "settled"},
}


def _rows() -> Mapping[str, Mapping[str, int]]:
    rows = {}
    for line in TABLE.strip().splitlines():
        method, path, *cells = line.split()
        rows[f"{method} {path}"] = dict(zip(WHO, map(int, cells), strict=True))
    return rows


EXPECTED = _rows()


@dataclass
class Ground:
    """One case and everybody who could want something of it.

    Beside it a planner to assign, a draft, and the place of an event of the practice in the log.
    """

    house: House
    people: Mapping[str, Person]
    extra: Person
    colleague: Person
    case_id: str
    file_id: str
    draft: str
    index: int

    async def ask(self, who: Person, row: str, case_id: str) -> Answer:
        """One request of the table."""
        method, template = row.split()
        more: dict[str, Any] = {}
        if row in BODIES:
            more["json"] = BODIES[row]
        elif template.endswith("/assignments"):
            more["json"] = {"email": self.extra.email}
        elif template.endswith("/handover"):
            more["json"] = {"email": self.house.planner.email}
        elif template.endswith("/slot"):
            more["json"] = {"slot": "upper"}
        elif template.endswith("/erasure") and method == "POST":
            confirm = self.file_id if "/files/" in template else case_id
            more["json"] = {"reason": "asked for", "confirm": confirm}
        elif template.endswith("/erasures") and method == "POST":
            more["json"] = {"cases": [case_id], "reason": "asked for", "confirm": 1}
        if "/uploads" in template or (template.endswith("/files") and method == "POST"):
            more["headers"] = {**TUS, "Upload-Length": "9", "Upload-Metadata": METADATA}
        if method == "PATCH":
            more["headers"] |= {**BYTES, "Upload-Offset": "0"}
            more["data"] = b"some"
        star = await self._star(template)
        path = template.replace("/-", f"/{case_id}").replace("*", star)
        if template.endswith("/log/events"):
            path += f"?controller={self.house.practice.id}"
        return await who.ask(method, path, **more)

    async def _star(self, template: str) -> str:
        """What stands for the star: a fresh upload or assignment, or the case's file."""
        if template.endswith("/uploads/*"):
            address, _ = await self.people["dentist"].begin_upload(self.draft, 9)
            return address.rpartition("/")[2]
        if "/assignments" in template:
            return await self.assign(self.extra)
        if "/emergencies/" in template:
            return await self.emergency()
        if "/alerts/" in template:
            return await self.alert()
        if "/erasures/" in template:
            return await self.wait_for_a_second_person()
        numbers = {"/tile": "000.p/1", "/proof": str(self.index)}
        return next((star for part, star in numbers.items() if part in template), self.file_id)

    async def wait_for_a_second_person(self) -> str:
        """A request of the dentist's colleague that waits; its id."""
        statement = "UPDATE controllers SET erasure_second_from = :number WHERE id = :id"
        await change(self.house, statement, number=1, id=self.house.practice.id)
        body = {"cases": [await self.colleague.new_case()], "reason": "old", "confirm": 1}
        asked = await self.colleague.post(f"{API}/erasures", body, 202)
        assert asked["erasures"][0]["step"] == "waiting"
        await change(self.house, statement, number=0, id=self.house.practice.id)
        return str(asked["erasures"][0]["request_id"])

    async def alert(self) -> str:
        """An open alert; its id."""
        alert_id = new_id()
        found = alerts.Finding("tamper", alert_id, 3, now(), 0, 0, 1)
        async with self.house.rooms.main.transaction() as tx:
            await alerts.record(tx, alert_id, found, now())
        return alert_id

    async def emergency(self) -> str:
        """An emergency of another planner, over by now; its id."""
        at = now() - timedelta(hours=2)
        declared = Emergency(
            *(new_id(), self.case_id, self.house.practice.id, self.extra.id, "urgent"),
            *(at, at + timedelta(hours=1), at + timedelta(days=1)),
        )
        async with self.house.rooms.main.transaction() as tx:
            await emergencies.add(tx, declared)
        return declared.id

    async def reset(self, row: str) -> None:
        """Undo what a request of the row before did to what the next one finds."""
        statement = None
        if row.endswith(("/emergency", "/review")):
            statement = "UPDATE emergencies SET ends_at = starts_at"
        elif row.endswith("/restriction"):
            statement = "UPDATE cases SET restricted_at = NULL"
        elif row.endswith("/release"):
            statement = "UPDATE cases SET restricted_at = created_at"
        if statement is not None:
            async with self.house.rooms.main.transaction() as tx:
                await tx.execute(text(statement))

    async def assign(self, planner: Person, *, ended: bool = False) -> str:
        """Assign a planner, whatever state the case is in."""
        at = now() - timedelta(hours=2)
        until = at + timedelta(hours=1) if ended else None
        boss = self.house.coordinator.id
        assignment = Assignment(new_id(), self.case_id, planner.id, boss, at, until)
        async with self.house.rooms.main.transaction() as tx:
            await cases.assign(tx, assignment)
        return assignment.id


@pytest.fixture
async def ground(house: House) -> Ground:
    people = {
        "nobody": house.stranger,
        "disabled": await house.add_person("dentist", house.practice.id),
        "expired": await house.add_person("dentist", house.practice.id),
        "dentist": house.dentist,
        "foreign": (await house.add_practice())[1],
        "planner": house.planner,
        "other": await house.add_person("planner"),
        "ended": await house.add_person("planner"),
        "coordinator": house.coordinator,
        "officer": house.officer,
        "administrator": await house.add_person("administrator"),
    }
    await change(
        house,
        "UPDATE accounts SET disabled_at = created_at WHERE id = :id",
        id=people["disabled"].id,
    )
    await change(
        house,
        "UPDATE tokens SET expires_at = created_at WHERE account_id = :id",
        id=people["expired"].id,
    )
    case_id = await house.dentist.new_case()
    file = await house.dentist.upload(case_id, SCAN)
    extra, draft = await house.add_person("planner"), await house.dentist.new_case()
    index = await _placed_event(house, case_id)
    colleague = await house.add_person("dentist", house.practice.id)
    ground = Ground(house, people, extra, colleague, case_id, file["id"], draft, index)
    await ground.assign(house.planner)
    await ground.assign(people["ended"], ended=True)
    return ground


async def _placed_event(house: House, case_id: str) -> int:
    """The place of an event of the case, once there is a checkpoint over it."""
    places: list[int] = []

    async def is_covered() -> bool:
        seen = (await house.dentist.get(f"{API}/cases/{case_id}/events"))["events"]
        note = await house.stranger.ask("GET", f"{API}/log/checkpoint")
        places[:] = [event["index"] for event in seen if event["index"] is not None]
        return note.status == 200 and places[:1] < [int(note.text.splitlines()[1])] and bool(places)

    await until(is_covered)
    return places[0]


def routed() -> set[str]:
    """Every operation of the router, written as the tables write it."""
    starred = {f"{entry.method} {re.sub('{[^}]*}', '*', entry.path)}" for entry in OPERATIONS}
    return {row.replace("/cases/*", "/cases/-").replace("/tile/*/", "/tile/0/") for row in starred}


@SQLITE
async def test_every_cell_of_the_matrix_answers_as_the_table_says(ground: Ground) -> None:
    wrong = []
    for row, cells in EXPECTED.items():
        if row.endswith("/completion"):
            plan = b"%PDF-1.7 a plan"
            await change(
                ground.house,
                "UPDATE cases SET state = 'planning' WHERE id = :id",
                id=ground.case_id,
            )
            await ground.people["planner"].upload(ground.case_id, plan, "plan", "plan.pdf")
        if row.endswith("/submission"):
            await change(
                ground.house,
                "UPDATE files SET state = 'cancelled' WHERE case_id = :id AND state = 'receiving'",
                id=ground.case_id,
            )
        # Whoever is refused comes first: they must not have changed what the others see.
        for name in sorted(WHO, key=lambda name: cells[name] < 400):
            await ground.reset(row)
            answer = await ground.ask(ground.people[name], row, ground.case_id)
            if answer.status != cells[name]:
                wrong.append(f"{row} by {name}: {answer.status}, not {cells[name]}")

    assert wrong == []


@SQLITE
async def test_a_foreign_case_answers_like_one_that_does_not_exist(ground: Ground) -> None:
    rows = [row for row in EXPECTED if "/-" in row and "OPTIONS" not in row]
    for row in rows:
        for name in ("foreign", "other", "ended", "administrator"):
            if EXPECTED[row][name] != 404:
                continue
            foreign = await ground.ask(ground.people[name], row, ground.case_id)
            unknown = await ground.ask(ground.people[name], row, UNKNOWN)

            assert (foreign.status, foreign.body) == (unknown.status, unknown.body), row
            assert set(foreign.headers) == set(unknown.headers), row


async def test_a_file_is_found_in_its_own_case_alone(ground: Ground) -> None:
    dentist = ground.people["dentist"]
    elsewhere = f"{API}/cases/{ground.draft}/files/{ground.file_id}"

    assert (await dentist.ask("GET", elsewhere)).status == 404
    assert (await dentist.ask("GET", f"{elsewhere}/content")).status == 404
    assert (await dentist.ask("DELETE", elsewhere)).status == 404

    assert len(await dentist.download(ground.case_id, ground.file_id)) > 0
