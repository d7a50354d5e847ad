"""Breach notices: to whom they belong and nobody else, in phases, each version kept as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gateway.ids import now
from gateway.settings import Settings
from storage.schema import breach_notices
from tests.gateway.ground import SQLITE, UNKNOWN, logged, refused, session_of
from tests.house import API, House, Person
from tests.mail import PAGES, Mailbox, house_with_mail

NATURE = "Somebody signed in with the password of a planner who is on leave."
ENGLISH = {"nature": NATURE, "contact": "Privacy officer, 030 123 45 67"}
DUTCH = {"nature": "Iemand meldde zich aan als een planner.", "contact": "030 123 45 67"}
FIRST = {"phase": "first", "words": {"en": ENGLISH, "nl": DUTCH}}
ALL = {
    **ENGLISH,
    "consequences": "Patients may be approached.",
    "measures": "The account is shut out.",
}


@dataclass
class Told:
    """An incident that one practice is in, and another is not."""

    house: House
    box: Mailbox
    incident: str
    case_id: str
    foreign: Person

    async def compose(self, body: Any = FIRST) -> Any:
        """The next version for the one practice."""
        path = f"{API}/incidents/{self.incident}/notices"
        [notice] = (await self.house.officer.post(path, body, 201))["notices"]
        return notice

    async def send(self, notice: Any) -> Any:
        """The notice, sent."""
        return await self.house.officer.post(f"{API}/breach-notices/{notice['id']}/sending")


@pytest.fixture
async def told(settings: Settings) -> AsyncIterator[Told]:
    async with house_with_mail(settings) as (house, box):
        _, foreign = await house.add_practice()
        await foreign.new_case()
        case_id, file = await house.planned_case()
        await house.planner.download(case_id, file["id"])
        opened = await house.officer.post(f"{API}/incidents", {"title": "A stolen password"}, 201)
        question = {"accounts": [house.planner.id]}
        await house.officer.post(f"{API}/incidents/{opened['id']}/scope", question, 201)
        yield Told(house, box, opened["id"], case_id, foreign)


@SQLITE
async def test_sending_asks_a_session_for_a_fresh_proof(told: Told) -> None:
    house, draft = told.house, await told.compose()
    path = f"{API}/breach-notices/{draft['id']}/sending"
    old = await session_of(house, house.officer.id, confirmed_at=now() - timedelta(hours=1))
    fresh = await session_of(house, house.officer.id)

    refused(await old.ask("POST", path), 403, "confirmation_required")
    assert (await house.officer.get(f"{API}/breach-notices/{draft['id']}"))["sent_at"] is None
    assert (await fresh.ask("POST", path)).status == 200


async def test_a_notice_is_written_sent_read_and_confirmed(told: Told) -> None:
    house, dentist = told.house, told.house.dentist
    draft = await told.compose()
    assert (draft["version"], draft["phase"], draft["controller_id"]) == (
        *(1, "first"),
        house.practice.id,
    )
    assert draft["cases"] == [told.case_id]
    assert (await dentist.get(f"{API}/breach-notices"))["notices"] == []
    path = f"{API}/breach-notices/{draft['id']}"
    refused(await dentist.ask("GET", path), 404, "not_found")

    assert (await told.send(draft))["sent_at"]
    mail = await told.box.about("data of your practice", house.practice.email)
    assert f"{PAGES}/notices" in mail.text
    assert "gegevens van uw praktijk" in mail.message["Subject"]
    for secret in (told.case_id, told.incident, NATURE, house.practice.name):
        assert secret not in mail.text

    [listed] = (await dentist.get(f"{API}/breach-notices"))["notices"]
    read = await dentist.get(path)
    assert listed == read
    parts = {part["name"]: part["text"] for part in read["sections"]}
    assert parts["nature"] == NATURE
    assert parts["consequences"] == "Not known yet; it follows."
    assert "Patients: 1. Cases: 1. Files of which the content was sent: 1." in parts["numbers"]
    assert "dental scans (health data)" in parts["numbers"]
    assert "72 hours" in parts["term"]

    done = await dentist.post(f"{path}/acknowledgement")
    assert done["acknowledged_by"] == dentist.id
    colleague = await house.add_person("practice_manager", house.practice.id)
    again = await colleague.post(f"{path}/acknowledgement")
    assert again["acknowledged_by"] == dentist.id
    detail = await house.officer.get(f"{API}/incidents/{told.incident}")
    [clock] = detail["clocks"]
    assert clock["controller_id"] == house.practice.id
    assert 71 < clock["left_hours"] <= 72


@SQLITE
async def test_each_version_is_kept_and_says_what_changed(told: Told) -> None:
    first = await told.send(await told.compose())
    further = await told.compose({"phase": "final", "words": {"en": ALL}})
    assert further["changed"] == ["nature", "contact", "consequences", "measures"]
    second = await told.compose({"phase": "final", "words": {"en": ALL}})
    stale = await told.house.officer.ask("POST", f"{API}/breach-notices/{further['id']}/sending")
    refused(stale, 409, "wrong_state")
    await told.send(second)
    twice = await told.house.officer.ask("POST", f"{API}/breach-notices/{second['id']}/sending")
    refused(twice, 409, "wrong_state")
    same = await told.compose({"phase": "final", "words": {"en": ALL}})

    assert same["changed"] == []
    assert "Nothing." in [part["text"] for part in same["sections"]]
    path = f"{API}/incidents/{told.incident}/notices"
    kept = (await told.house.officer.get(path))["notices"]
    assert [each["version"] for each in kept] == [1, 2, 3, 4]
    assert kept[0]["sections"] == first["sections"]
    seen = (await told.house.dentist.get(f"{API}/breach-notices"))["notices"]
    assert [each["version"] for each in seen] == [3, 1]


@SQLITE
async def test_no_other_practice_sees_it_and_the_attempt_is_logged(told: Told) -> None:
    sent = await told.send(await told.compose())
    path = f"{API}/breach-notices/{sent['id']}"
    for method, tail in (("GET", ""), ("GET", "/document"), ("POST", "/acknowledgement")):
        refused(await told.foreign.ask(method, path + tail), 404, "not_found")
    assert (await told.foreign.get(f"{API}/breach-notices"))["notices"] == []
    assert told.foreign.id in {
        record["user"]["id"]
        for record in await logged(told.house, "breach_notice.view")
        if record["event"]["stage"] == "refused"
    }
    of_incident = f"{API}/incidents/{told.incident}/notices"
    refused(await told.house.dentist.ask("GET", of_incident), 403, "forbidden")


@SQLITE
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"phase": "final", "words": {"en": ENGLISH}}, "words.en.consequences"),
        ({"phase": "first", "words": {}}, "words"),
        ({"phase": "first", "words": {"en": {"nature": "x"}}}, "words.en.contact"),
        ({"phase": "first", "words": {"en": {**ENGLISH, "contact": " "}}}, "words.en.contact"),
        ({**FIRST, "controllers": [UNKNOWN]}, "controllers"),
    ],
)
async def test_a_notice_that_says_too_little_is_not_written(
    told: Told, body: Any, field: str
) -> None:
    path = f"{API}/incidents/{told.incident}/notices"
    answer = await told.house.officer.ask("POST", path, json=body)

    assert refused(answer, 422, "invalid_input")["field"] == field
    assert (await told.house.officer.get(path))["notices"] == []


@SQLITE
async def test_without_a_scope_nobody_can_be_told(house: House) -> None:
    opened = await house.officer.post(f"{API}/incidents", {"title": "Not clear yet"}, 201)
    path = f"{API}/incidents/{opened['id']}/notices"

    refused(await house.officer.ask("POST", path, json=FIRST), 409, "wrong_state")
    unknown = f"{API}/incidents/{UNKNOWN}/notices"
    refused(await house.officer.ask("POST", unknown, json=FIRST), 404, "not_found")


@SQLITE
async def test_it_comes_as_text_and_pdf_in_both_languages_and_lies_sealed(told: Told) -> None:
    sent = await told.send(await told.compose())
    path = f"{API}/breach-notices/{sent['id']}/document"
    english = await told.house.dentist.ask("GET", path)
    dutch = await told.house.dentist.ask("GET", f"{path}?language=nl")
    printed = await told.house.dentist.ask("GET", f"{path}?format=pdf&language=nl")

    assert english.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert NATURE[:40] in english.text
    assert told.case_id in english.text
    assert dutch.headers["Content-Language"] == "nl"
    assert DUTCH["nature"] in dutch.text
    assert "Nog niet bekend; het volgt." in dutch.text
    assert printed.body.startswith(b"%PDF-")
    assert printed.headers["Content-Type"] == "application/pdf"
    async with told.house.rooms.main.reading() as connection:
        sealed = await connection.scalar(select(breach_notices.c.sealed_body))
    assert NATURE.encode() not in (sealed or b"")
    assert NATURE[:20] not in str(await logged(told.house, "breach_notice.compose"))
