"""The weekly review and the canaries, over HTTP."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from gateway.ids import new_id, now
from gateway.watch import review
from gateway.watch.review import SAMPLE, Week
from storage import alerts
from storage.alerts import Finding
from storage.schema import events
from tests.gateway.ground import SQLITE, change, logged, refused, until
from tests.house import API, PATIENT, House

WORDS = "she covered for a colleague"


def the_week(weeks: int = 1) -> str:
    """The name of a week that is over."""
    return Week.at(now() - timedelta(weeks=weeks)).name


async def raised(house: House, severity: int = 3, **about: str) -> str:
    alert_id = new_id()
    found = Finding("tamper", alert_id, severity, now(), 4, 9, 3, **about)
    async with house.rooms.main.transaction() as tx:
        await alerts.record(tx, alert_id, found, now())
    return alert_id


async def queue(house: House, weeks: int = 1) -> Any:
    """The review of a week, once all that happened is let be of it, numbered and signed."""

    async def numbered() -> bool:
        async with house.rooms.main.reading() as connection:
            waiting = select(events.c.id).where(events.c.index.is_(None)).limit(1)
            return await connection.scalar(waiting) is None

    async def signed() -> bool:
        return (await house.officer.ask("GET", path)).status == 200

    path = f"{API}/reviews/{the_week(weeks)}"
    await until(numbered)
    back = timedelta(weeks=weeks) // timedelta(microseconds=1)
    await change(house, "UPDATE events SET at = at - :back", back=back)
    await change(house, "UPDATE alerts SET raised_at = raised_at - :back", back=back)
    await until(signed)
    return await house.officer.get(path)


async def looked(house: House, count: int) -> Sequence[str]:
    """Cases that their dentist opened."""
    cases = [await house.dentist.new_case() for _ in range(2)]
    for number in range(count):
        await house.dentist.get(f"{API}/cases/{cases[number % 2]}")
    return cases


async def test_a_week_has_its_alerts_by_severity_and_accesses_that_the_log_draws(
    house: House,
) -> None:
    cases = await looked(house, 3)
    notice, high = await raised(house, 1), await raised(house, 3)

    found = await queue(house)

    assert [item["item"] for item in found["queue"][:2]] == [f"alert:{high}", f"alert:{notice}"]
    drawn = found["queue"][2:]
    assert {item["case_id"] for item in drawn} <= set(cases)
    assert {item["what"] for item in drawn} == {"case.view"}
    assert len({item["item"] for item in drawn}) == len(drawn) > 0
    assert (found["items"], found["reviewed"], found["state"]) == (2 + len(drawn), 0, "open")
    # As the page says that an auditor does it.
    seed, count = f"{the_week()} {found['root']}", found["end"] - found["first"]
    places = [
        found["first"] + int(hashlib.sha256(f"{seed} {n}".encode()).hexdigest(), 16) % count
        for n in range(review.DRAWS)
    ]
    async with house.rooms.main.reading() as connection:
        rows = await connection.execute(select(events.c.index, events.c.record))
        reads = {
            index
            for index, record in rows
            if json.loads(record)["event"]["code"] == "case.view"
            and json.loads(record)["event"]["stage"] == "authorised"
        }
    order = list(dict.fromkeys(place for place in places if place in reads))
    assert [f"event:{place}" for place in order[:SAMPLE]] == [item["item"] for item in drawn]


@SQLITE
async def test_a_verdict_bears_a_name_is_in_the_log_and_stays(house: House) -> None:
    await looked(house, 1)
    alert = f"alert:{await raised(house)}"
    path = f"{API}/reviews/{the_week()}/verdicts"
    await queue(house)

    body = {"item": alert, "verdict": "explained", "words": WORDS}
    found = await house.officer.post(path, body, 201)

    said = found["queue"][0]["said"]
    assert (said["email"], said["verdict"], said["words"]) == (
        house.officer.email,
        "explained",
        WORDS,
    )
    assert found["reviewed"] == 1
    outcomes = [
        each["event"]
        for each in await logged(house, "review.judge")
        if each["event"]["stage"] == "outcome"
    ]
    assert [each["detail"] for each in outcomes] == [{"item": alert, "verdict": "explained"}]
    again = await house.officer.ask("POST", path, json={**body, "verdict": "incident"})
    refused(again, 409, "wrong_state")
    none = await house.officer.ask("POST", path, json={**body, "item": "event:0"})
    refused(none, 404, "not_found")


@SQLITE
async def test_nobody_reviews_what_is_about_themself(house: House) -> None:
    await looked(house, 1)
    alert = f"alert:{await raised(house, account_id=house.officer.id)}"
    await queue(house)

    body = {"item": alert, "verdict": "explained", "words": WORDS}
    path = f"{API}/reviews/{the_week()}/verdicts"

    refused(await house.officer.ask("POST", path, json=body), 403, "forbidden")
    colleague = await house.add_person("privacy_officer")
    assert (await colleague.post(path, body, 201))["reviewed"] == 1


@SQLITE
async def test_a_week_that_is_late_says_so_and_one_that_is_not_over_is_refused(
    house: House,
) -> None:
    await looked(house, 1)
    refused(await house.officer.ask("GET", f"{API}/reviews/{the_week(0)}"), 409, "wrong_state")
    assert (await house.officer.ask("GET", f"{API}/reviews/2026-W54")).status == 404
    assert (await house.officer.get(f"{API}/reviews"))["weeks"] == []

    await raised(house)
    await queue(house, weeks=3)

    (week,) = (await house.officer.get(f"{API}/reviews"))["weeks"]
    assert (week["week"], week["state"], week["reviewed"]) == (the_week(3), "overdue", 0)


@SQLITE
async def test_the_page_for_the_auditor_says_who_said_what_and_how_it_was_drawn(
    house: House,
) -> None:
    await looked(house, 1)
    alert = f"alert:{await raised(house)}"
    found = await queue(house)
    body = {"item": alert, "verdict": "incident", "words": WORDS}
    await house.officer.post(f"{API}/reviews/{the_week()}/verdicts", body, 201)

    path = f"{API}/reviews/{the_week()}/report"
    page = (await house.officer.ask("GET", path)).text
    dutch = await house.officer.ask("GET", path, headers={"Accept-Language": "nl"})

    assert f"an incident, by {house.officer.email}" in page
    assert WORDS in page
    assert found["root"] in page
    assert f"Looked at: 1 of {found['items']}" in page
    assert "Bekeken: 1 van" in dutch.text


@SQLITE
async def test_a_canary_is_told_by_nothing_that_its_practice_sees_and_by_whoever_opens_it(
    house: House,
) -> None:
    case_id = await house.dentist.new_case()
    consent = {"case_id": case_id, "consent": "the practice's manager, by phone"}
    before = await house.dentist.get(f"{API}/cases/{case_id}")

    made = await house.officer.post(f"{API}/canaries", consent, 201)

    assert await house.dentist.get(f"{API}/cases/{case_id}") == before
    shown = await house.dentist.get(f"{API}/cases/{case_id}/events")
    assert "canary" not in json.dumps(shown)
    again = await house.officer.ask("POST", f"{API}/canaries", json=consent)
    refused(again, 409, "wrong_state")
    assert [each["id"] for each in (await house.officer.get(f"{API}/canaries"))["canaries"]] == [
        made["id"]
    ]

    async def told() -> bool:
        listed = await house.officer.get(f"{API}/alerts?severity=high")
        about = [(each["rule"], each["account_id"]) for each in listed["alerts"]]
        return ("canary", house.dentist.id) in about

    await until(told)


@SQLITE
async def test_a_case_that_is_worked_on_becomes_no_canary_and_one_that_ended_is_none(
    house: House,
) -> None:
    worked, _ = await house.submitted_case()
    consent = {"case_id": worked, "consent": "the practice's manager"}
    refusal = await house.officer.ask("POST", f"{API}/canaries", json=consent)
    refused(refusal, 409, "wrong_state")
    unknown = {**consent, "case_id": new_id()}
    refusal = await house.officer.ask("POST", f"{API}/canaries", json=unknown)
    refused(refusal, 422, "invalid_input")

    draft = await house.dentist.post(f"{API}/cases", {"patient": PATIENT}, 201)
    body = {**consent, "case_id": draft["id"]}
    made = await house.officer.post(f"{API}/canaries", body, 201)
    gone = await house.officer.ask("DELETE", f"{API}/canaries/{made['id']}")
    assert gone.status == 204
    (ended,) = (await house.officer.get(f"{API}/canaries"))["canaries"]
    assert ended["ended_at"] is not None
    again = await house.officer.ask("DELETE", f"{API}/canaries/{made['id']}")
    refused(again, 409, "wrong_state")
