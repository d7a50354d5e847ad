"""What people do about alerts, over HTTP; and what a practice reports from its own view."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from gateway.ids import new_id, now
from storage import alerts
from storage.alerts import Finding
from storage.schema import events, misuse_reports
from tests.gateway.ground import SQLITE, UNKNOWN, change, logged, refused, until
from tests.house import API, PATIENT, House

WORDS = "nobody of ours asked the planning to look at this patient"


async def raised(house: House, severity: int = 3, **about: str) -> str:
    """An open alert; its id."""
    alert_id = new_id()
    found = Finding("tamper", alert_id, severity, now(), 4, 9, 3, '{"events": 3}', **about)
    async with house.rooms.main.transaction() as tx:
        await alerts.record(tx, alert_id, found, now())
    return alert_id


async def listed(house: House, **query: str) -> list[Any]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    found: list[Any] = (await house.officer.get(f"{API}/alerts?{asked}"))["alerts"]
    return found


async def test_an_officer_sees_what_was_found_where_and_what_to_do(house: House) -> None:
    alert_id = await raised(house, account_id=house.planner.id)

    seen = await house.officer.get(f"{API}/alerts/{alert_id}")

    assert (seen["rule"], seen["severity"], seen["state"]) == ("tamper", "high", "open")
    assert (seen["first_index"], seen["last_index"], seen["count"]) == (4, 9, 3)
    assert (seen["account_id"], seen["facts"]) == (house.planner.id, {"events": 3})
    assert seen["sees"]
    assert seen["act"]
    dutch = await house.officer.ask(
        "GET", f"{API}/alerts/{alert_id}", headers={"Accept-Language": "nl"}
    )
    assert dutch.json()["act"] != seen["act"]


@SQLITE
async def test_the_list_goes_by_state_severity_and_page(house: House) -> None:
    notice, high = await raised(house, severity=1), await raised(house)
    await house.officer.post(f"{API}/alerts/{high}/dismissal", {"reason": "a test"})

    assert [alert["id"] for alert in await listed(house)] == [notice]
    assert [alert["id"] for alert in await listed(house, state="dismissed")] == [high]
    assert await listed(house, severity="warning") == []
    first = await house.officer.get(f"{API}/alerts?state=any&limit=1")
    assert ([alert["id"] for alert in first["alerts"]], first["next"]) == ([high], high)
    assert [a["id"] for a in await listed(house, state="any", before=high)] == [notice]


async def test_an_alert_is_handed_on_commented_and_dismissed_once_with_a_reason(
    house: House,
) -> None:
    alert_id = await raised(house)
    path = f"{API}/alerts/{alert_id}"
    colleague = await house.add_person("privacy_officer")

    await house.officer.post(f"{path}/assignment", {})
    taken = await house.officer.post(f"{path}/assignment", {"account_id": colleague.id})
    await colleague.post(f"{path}/comments", {"words": "asked the practice"}, 201)
    answer = await colleague.ask("POST", f"{path}/dismissal", json={"reason": "  "})
    refused(answer, 422, "invalid_input")
    done = await colleague.post(f"{path}/dismissal", {"reason": "a disk was replaced"})

    assert taken["assigned_to"] == colleague.id
    assert done["state"] == "dismissed"
    assert [(note["kind"], note["by"], note["words"]) for note in done["notes"]] == [
        ("assignment", house.officer.id, house.officer.id),
        ("assignment", house.officer.id, colleague.id),
        ("comment", colleague.id, "asked the practice"),
        ("dismissal", colleague.id, "a disk was replaced"),
    ]
    for act, body in (("dismissal", {"reason": "again"}), ("assignment", {})):
        refused(await colleague.ask("POST", f"{path}/{act}", json=body), 409, "wrong_state")


@SQLITE
async def test_only_a_privacy_officer_looks_into_alerts(house: House) -> None:
    path = f"{API}/alerts/{await raised(house)}/assignment"
    gone = await house.add_person("privacy_officer")
    await change(house, "UPDATE accounts SET disabled_at = created_at WHERE id = :id", id=gone.id)

    for account_id in (house.dentist.id, gone.id, UNKNOWN):
        answer = await house.officer.ask("POST", path, json={"account_id": account_id})
        assert refused(answer, 422, "invalid_input")["field"] == "account_id"


@SQLITE
async def test_an_alert_that_there_is_not_is_not_found_by_any_act(house: House) -> None:
    path = f"{API}/alerts/{UNKNOWN}"

    answers = [
        await house.officer.ask("GET", path),
        await house.officer.ask("POST", f"{path}/assignment", json={}),
        await house.officer.ask("POST", f"{path}/comments", json={"words": "a"}),
        await house.officer.ask("POST", f"{path}/dismissal", json={"reason": "a"}),
    ]

    for answer in answers:
        refused(answer, 404, "not_found")


@SQLITE
async def test_acts_on_an_alert_are_events_of_no_practice(house: House) -> None:
    alert_id = await raised(house, controller_id=house.practice.id)
    await house.officer.get(f"{API}/alerts/{alert_id}")
    await house.officer.post(f"{API}/alerts/{alert_id}/dismissal", {"reason": "the words"})

    for code in ("alert.view", "alert.dismiss"):
        records = await logged(house, code)
        assert records
        assert all(record["object"]["id"] == alert_id for record in records)
        assert all("controller_id" not in record["object"] for record in records)
        assert "the words" not in json.dumps(records)


async def test_a_practices_report_of_misuse_reaches_an_officer_as_an_alert(house: House) -> None:
    case_id = await house.dentist.new_case()
    path = f"{API}/cases/{case_id}/misuse-reports"
    made = await house.dentist.post(path, {"words": f"{WORDS}: {PATIENT['name']}"}, 201)
    found: list[Any] = []

    async def is_told() -> bool:
        found[:] = [a for a in await listed(house) if a["rule"] == "misuse_report"]
        return bool(found)

    await until(is_told)

    assert (found[0]["severity"], found[0]["case_id"]) == ("high", case_id)
    seen = await house.officer.get(f"{API}/alerts/{found[0]['id']}")
    (report,) = seen["reports"]
    assert (report["id"], report["by"]) == (made["id"], house.dentist.id)
    assert report["words"].startswith(WORDS)


@SQLITE
async def test_words_of_a_report_are_kept_from_the_log_and_name_no_patient(house: House) -> None:
    case_id = await house.dentist.new_case()
    said = {"words": f"{WORDS}: {PATIENT['name']}, {PATIENT['number']}"}
    await house.dentist.post(f"{API}/cases/{case_id}/misuse-reports", said, 201)

    async with house.rooms.main.reading() as connection:
        records = (await connection.execute(select(events.c.record))).scalars().all()
        kept = (await connection.execute(select(misuse_reports.c.words))).scalar_one()
    assert not [record for record in records if WORDS in (record or "")]
    assert kept.startswith(WORDS)
    assert PATIENT["name"] not in kept
    assert PATIENT["number"] not in kept
