"""Who may do what, by HTTP: every operation times every identity, against a table of its own.

The table was written from the promises (docs, issue), not from the policy. `-` stands for the case
of the dentist's own practice, to which the planner is assigned; "other" is a planner without an
assignment, "ended" one whose assignment is over, "foreign" a dentist of another practice.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from gateway.api.routing import Operation
from gateway.api.server import OPERATIONS
from gateway.ids import ID_PATTERN, new_id, now
from storage import alerts, canaries, cases, emergencies, notices
from storage.canaries import Canary
from storage.cases import Assignment
from storage.emergencies import Emergency
from storage.notices import Notice
from tests.gateway.access.matrix_table import BODIES, TABLE
from tests.gateway.ground import SQLITE, UNKNOWN, change, until
from tests.house import API, BYTES, SCAN, TUS, Answer, House, Person

WHO = (
    *("nobody", "disabled", "expired", "dentist", "foreign", "planner", "other", "ended"),
    *("coordinator", "officer", "administrator"),
)
METADATA = "filename eA==,kind c2Nhbg=="


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
    notice: str = ""

    async def ask(self, who: Person, row: str, case_id: str, star: str | None = None) -> Answer:
        """One request of the table; where no star is given, a fresh thing stands for it."""
        method, template = row.split()
        more: dict[str, Any] = {}
        body = BODIES[row] if row in BODIES else self._body(method, template, case_id)
        if body is not None:
            more["json"] = body
        if "/uploads" in template or (template.endswith("/files") and method == "POST"):
            more["headers"] = {**TUS, "Upload-Length": "9", "Upload-Metadata": METADATA}
        if template.endswith("/evidence"):
            more["headers"] = {"Content-Type": "application/octet-stream", "Kluis-Name": "a.eml"}
            more["data"] = b"some"
        if method == "PATCH" and "/uploads" in template:
            more["headers"] |= {**BYTES, "Upload-Offset": "0"}
            more["data"] = b"some"
        star = star or await self.star(template)
        path = template.replace("/-", f"/{case_id}").replace("*", star)
        if template.endswith("/log/events"):
            path += f"?controller={self.house.practice.id}"
        return await who.ask(method, path, **more)

    def _body(self, method: str, template: str, case_id: str) -> Mapping[str, Any] | None:
        """The body of a request that names somebody or something of the ground."""
        confirm = self.file_id if "/files/" in template else case_id
        consent = "the practice's manager, by phone"
        bodies: Mapping[str, Mapping[str, Any]] = {
            "assignments": {"email": self.extra.email},
            "canaries": {"case_id": case_id, "consent": consent},
            "measures": {"kind": "sessions", "subjects": [self.extra.id]},
            "handover": {"email": self.house.planner.email},
            "slot": {"slot": "upper"},
            "erasure": {"reason": "asked for", "confirm": confirm},
            "erasures": {"cases": [case_id], "reason": "asked for", "confirm": 1},
        }
        return None if method == "GET" else bodies.get(template.rpartition("/")[2])

    async def star(self, template: str) -> str:
        """What stands for the star: a fresh upload or assignment, or the case's file."""
        if template.endswith("/uploads/*"):
            address, _ = await self.people["dentist"].begin_upload(self.draft, 9)
            return address.rpartition("/")[2]
        makers: Mapping[str, Callable[[], Awaitable[str]]] = {
            "/assignments": partial(self.assign, self.extra),
            "/emergencies/": self.emergency,
            "/alerts/": self.alert,
            "/incidents/*": self.incident,
            "/canaries/": self.canary,
            "/reviews/": self.week,
            "/deliveries/": self.dead_letter,
            "/breach-notices/": self.breach_notice,
            "/erasures/": self.wait_for_a_second_person,
        }
        make = next((make for part, make in makers.items() if part in template), None)
        if make is not None:
            return await make()
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

    async def incident(self) -> str:
        """An open incident; its id."""
        body = {"title": "a stolen token"}
        return str((await self.people["officer"].post(f"{API}/incidents", body, 201))["id"])

    async def breach_notice(self) -> str:
        """A notice that the practice was sent; always the same."""
        officer = self.people["officer"]
        if not self.notice:
            incident = f"{API}/incidents/{await self.incident()}"
            await officer.post(f"{incident}/scope", {"keys": [self.house.practice.id]}, 201)
            body = BODIES[f"POST {API}/incidents/*/notices"]
            [written] = (await officer.post(f"{incident}/notices", body, 201))["notices"]
            self.notice = str(written["id"])
            await officer.post(f"{API}/breach-notices/{self.notice}/sending")
        return self.notice

    async def evidence(self, incident_id: str) -> str:
        """Evidence of an incident; its id."""
        headers = {"Content-Type": "application/octet-stream", "Kluis-Name": "a.eml"}
        path = f"{API}/incidents/{incident_id}/evidence"
        answer = await self.people["officer"].ask("POST", path, headers=headers, data=b"some")
        return str(answer.json()["id"])

    async def canary(self) -> str:
        """A draft that is one; its id as a canary."""
        case_id = await self.colleague.new_case()
        canary = Canary(new_id(), case_id, self.house.officer.id, now(), "the practice's manager")
        async with self.house.rooms.main.transaction() as tx:
            await canaries.add(tx, canary)
        return canary.id

    async def week(self) -> str:
        """The week that is not over."""
        return f"{now():%G-W%V}"

    async def dead_letter(self) -> str:
        """A notice that was given up; its id."""
        letter = Notice(new_id(), "alert.high", now(), now(), hook="gone", dead_at=now())
        async with self.house.rooms.main.transaction() as tx:
            await notices.add(tx, letter)
        return letter.id

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


def row_of(entry: Operation) -> str:
    """An operation of the router, written as the tables write it."""
    row = f"{entry.method} {re.sub('{[^}]*}', '*', entry.path)}"
    return row.replace("/cases/*", "/cases/-").replace("/tile/*/", "/tile/0/")


def routed() -> set[str]:
    """Every operation of the router."""
    return set(map(row_of, OPERATIONS))


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


@SQLITE
async def test_whatever_is_of_others_answers_like_what_does_not_exist(ground: Ground) -> None:
    compared = 0
    for row, cells in EXPECTED.items():
        if "*" not in row or "/cases/-" in row:
            continue
        star = await ground.star(row)
        for who in ("foreign", "other", "ended", "administrator"):
            if cells[who] < 400 or not re.fullmatch(ID_PATTERN, star):
                continue
            foreign = await ground.ask(ground.people[who], row, ground.case_id, star)
            unknown = await ground.ask(ground.people[who], row, UNKNOWN, UNKNOWN)
            assert (foreign.status, foreign.body) == (unknown.status, unknown.body), (row, who)
            compared += 1
    assert compared > 40


async def test_a_file_is_found_in_its_own_case_alone(ground: Ground) -> None:
    dentist = ground.people["dentist"]
    elsewhere = f"{API}/cases/{ground.draft}/files/{ground.file_id}"

    assert (await dentist.ask("GET", elsewhere)).status == 404
    assert (await dentist.ask("GET", f"{elsewhere}/content")).status == 404
    assert (await dentist.ask("DELETE", elsewhere)).status == 404

    assert len(await dentist.download(ground.case_id, ground.file_id)) > 0
