"""Incidents by HTTP: opened, run, evidenced, clocked, closed, registered."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from sqlalchemy import select, text

from gateway.ids import new_id, now
from gateway.incidents.timeline import Line, add_line
from gateway.intake.sweep import Sweeper
from gateway.inventory.tally import Tally
from storage.schema import incident_entries, incident_evidence_parts, incidents
from tests.gateway.ground import SQLITE, UNKNOWN, change, logged, refused
from tests.gateway.watch.test_triage import raised
from tests.house import API, House
from tests.leaks import planted

TITLE = planted("the title of an incident", "a token of Wilhelmina was stolen")
WORDS = planted("the words of a note", "called the practice about Wilhelmina")
EVIDENCE = planted("evidence", "From: thief@evil.invalid\nI have Wilhelmina's scans")


async def opened(house: House, **more: Any) -> str:
    body = {"title": TITLE, "severity": "high", **more}
    return str((await house.officer.post(f"{API}/incidents", body, 201))["id"])


async def test_an_incident_has_a_timeline_an_owner_and_an_end_that_says_what_came_of_it(
    house: House,
) -> None:
    incident_id, alert_id = await opened(house), await raised(house)
    path, colleague = f"{API}/incidents/{incident_id}", await house.add_person("privacy_officer")

    await house.officer.post(f"{path}/entries", {"words": WORDS}, 201)
    await house.officer.post(f"{path}/alerts", {"alert_id": alert_id}, 201)
    joined = f"{API}/alerts/{alert_id}/incident"
    again = await house.officer.post(joined, {"incident_id": incident_id}, 201)
    handed = await house.officer.ask("PATCH", path, json={"owner_id": colleague.id})
    contained = await colleague.ask("PATCH", path, json={"state": "contained"})
    early = await colleague.ask("PATCH", path, json={"state": "closed", "risk": "unlikely"})
    vague = await colleague.ask("PATCH", path, json={"state": "closed", "conclusion": "all well"})
    end = {"state": "closed", "risk": "risk", "conclusion": "one scan was read"}
    closed = await colleague.ask("PATCH", path, json=end)
    late = await colleague.ask("PATCH", path, json={"severity": "low"})
    again_closed = {"state": "closed", "risk": "unknown", "conclusion": "nothing happened"}
    twice = await colleague.ask("PATCH", path, json=again_closed)
    seen = await house.officer.get(path)

    assert again["alerts"] == [alert_id]
    assert (handed.json()["owner_id"], contained.json()["state"]) == (colleague.id, "contained")
    assert refused(early, 422, "invalid_input")["field"] == "conclusion"
    assert refused(vague, 422, "invalid_input")["field"] == "risk"
    assert closed.status == 200
    refused(late, 409, "wrong_state")
    refused(twice, 409, "wrong_state")
    assert (seen["title"], seen["conclusion"]) == (TITLE, "one scan was read")
    assert seen["risk"] == "risk"
    assert [
        (line["kind"], line["by"], line["ref"], line["words"]) for line in seen["timeline"]
    ] == [
        ("opened", house.officer.id, None, None),
        ("note", house.officer.id, None, WORDS),
        ("alert", house.officer.id, alert_id, None),
        ("owner", house.officer.id, colleague.id, None),
        ("state", colleague.id, "contained", None),
        ("state", colleague.id, "closed", "one scan was read"),
    ]
    listed = (await house.officer.get(f"{API}/incidents"))["incidents"]
    assert listed == []
    whole = (await house.officer.get(f"{API}/incidents?state=any"))["incidents"]
    assert [each["title"] for each in whole] == [TITLE]


@SQLITE
async def test_nothing_that_people_wrote_stands_in_a_row_or_in_the_log(house: House) -> None:
    incident_id = await opened(house)
    path = f"{API}/incidents/{incident_id}"
    await house.officer.post(f"{path}/entries", {"words": WORDS}, 201)
    headers = {"Content-Type": "application/octet-stream", "Kluis-Name": quote("brief é.eml")}
    raw = EVIDENCE.encode() * 30_000  # several parts
    answer = await house.officer.ask(
        "POST", f"{path}/evidence", headers=headers, data=io.BytesIO(raw)
    )
    assert answer.status == 201, answer.text
    kept = answer.json()
    taken = await house.officer.ask("GET", f"{path}/evidence/{kept['id']}")
    other = await house.officer.ask("GET", f"{API}/incidents/{await opened(house)}")

    assert (kept["name"], kept["size"]) == ("brief é.eml", len(raw))
    assert taken.body == raw
    assert taken.headers["Content-Type"] == "application/octet-stream"
    assert "attachment" in taken.headers["Content-Disposition"]
    async with house.rooms.main.reading() as connection:
        for table in (incidents, incident_entries, incident_evidence_parts):
            for row in await connection.execute(select(table)):
                assert b"Wilhelmina" not in b"".join(v for v in row if isinstance(v, bytes))
                assert "Wilhelmina" not in str([v for v in row if isinstance(v, str)])
    records = [
        r
        for code in ("incident.open", "incident.note", "evidence.add")
        for r in await logged(house, code)
    ]
    assert "Wilhelmina" not in json.dumps(records)
    assert all("controller_id" not in record["object"] for record in records)
    # What is altered, or of another incident, does not open.
    strange = await house.officer.ask(
        "GET", f"{API}/incidents/{other.json()['id']}/evidence/{kept['id']}"
    )
    refused(strange, 404, "not_found")
    await change(house, "DELETE FROM incident_evidence_parts WHERE number > 0")
    refused(
        await house.officer.ask("GET", f"{path}/evidence/{kept['id']}"), 500, "integrity_failed"
    )


@SQLITE
async def test_evidence_has_a_size_a_name_and_a_form(house: House) -> None:
    path = f"{API}/incidents/{await opened(house)}/evidence"
    octets = {"Content-Type": "application/octet-stream"}
    named = {**octets, "Kluis-Name": "a.eml"}

    large = io.BytesIO(b"x" * (8 * 1024 * 1024 + 1))
    big = await house.officer.ask("POST", path, headers=named, data=large)
    empty = await house.officer.ask("POST", path, headers=named, data=b"")
    nameless = await house.officer.ask("POST", path, headers=octets, data=b"x")
    odd = await house.officer.ask(
        "POST", path, headers={**octets, "Kluis-Name": "a%0Ab"}, data=b"x"
    )
    text = await house.officer.ask("POST", path, json={"words": "x"})

    refused(big, 413, "too_large")
    for answer in (empty, nameless, odd, text):
        refused(answer, 422, "invalid_input")


@SQLITE
async def test_the_clocks_run_from_awareness_for_us_and_from_being_told_for_the_practice(
    house: House,
) -> None:
    aware = now() - timedelta(hours=5)
    incident_id = await opened(house, aware_at=aware.isoformat())
    path = f"{API}/incidents/{incident_id}"
    case_id = await house.dentist.new_case()
    question = {"accounts": [house.dentist.id]}

    scope = await house.officer.post(f"{path}/scope", question, 201)
    waiting = (await house.officer.get(path))["clocks"]
    unlocked = await house.rooms.services.incidents.unlocked(incident_id)
    async with house.rooms.main.transaction() as tx:
        for _ in range(2):  # told again is told at the first time
            await add_line(tx, unlocked, Line.NOTICE, by=house.officer.id, ref=house.practice.id)
    await change(
        house,
        "UPDATE incident_entries SET at = at - 7200000000 WHERE kind = 'notice' AND id ="
        " (SELECT min(id) FROM incident_entries WHERE kind = 'notice')",
    )
    told = (await house.officer.get(path))["clocks"]

    assert [each["case_id"] for each in scope["controllers"][0]["cases"]] == [case_id]
    assert [(one["controller_id"], one["told_at"]) for one in waiting] == [
        (house.practice.id, None)
    ]
    assert waiting[0]["waited_hours"] == 5.0
    assert waiting[0]["left_hours"] is None
    assert told[0]["waited_hours"] == 3.0
    assert told[0]["left_hours"] == 70.0
    future = {"title": "x", "aware_at": (now() + timedelta(hours=1)).isoformat()}
    answer = await house.officer.ask("POST", f"{API}/incidents", json=future)
    assert refused(answer, 422, "invalid_input")["field"] == "aware_at"


@SQLITE
async def test_the_register_has_every_incident_with_its_numbers_and_no_formula(
    house: House,
) -> None:
    await house.dentist.new_case()
    first = await opened(house)
    second = await opened(house, title="=HYPERLINK(1)", severity="low")
    await house.officer.post(
        f"{API}/incidents/{first}/scope", {"accounts": [house.dentist.id]}, 201
    )

    found = (await house.officer.get(f"{API}/incidents/register"))["incidents"]
    answer = await house.officer.ask("GET", f"{API}/incidents/register.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))

    assert [one["id"] for one in found] == [first, second]
    assert (found[0]["practices"], found[0]["cases"], found[0]["people"]) == (1, 1, 1)
    assert (found[0]["effects"], found[0]["complete"]) == (["altered"], True)
    assert [row["title"] for row in rows] == [TITLE, "'=HYPERLINK(1)"]
    assert [row["cases"] for row in rows] == ["1", "0"]


@SQLITE
async def test_what_is_not_there_is_not_found_by_any_act_and_a_lost_start_leaves_nothing(
    house: House,
) -> None:
    path = f"{API}/incidents/{UNKNOWN}"
    asks: list[tuple[str, str, Any]] = [
        ("GET", path, None),
        ("PATCH", path, {}),
        ("POST", f"{path}/entries", {"words": "x"}),
        ("POST", f"{path}/alerts", {"alert_id": UNKNOWN}),
        ("POST", f"{path}/scope", {"accounts": ["x"]}),
        ("POST", f"{path}/measures", {"kind": "keys", "subjects": ["x"]}),
        ("GET", f"{path}/evidence/{UNKNOWN}", None),
        ("POST", f"{API}/alerts/{UNKNOWN}/incident", {"incident_id": await opened(house)}),
    ]
    for method, where, body in asks:
        answer = await house.officer.ask(method, where, json=body)
        refused(answer, 404, "not_found")
    # A key whose incident never came is swept; that of a living one is not.
    keys = house.rooms.services.incidents.keys
    await keys.create(new_id())
    sweeper: Sweeper = house.rooms.sweeper
    async with house.rooms.keystore.transaction() as tx:
        await tx.execute(text("UPDATE wrapped_keys SET created_at = 0"))
    swept = await sweeper.sweep()
    assert swept.orphan_keys == 1
    (left,) = (await house.officer.get(f"{API}/incidents"))["incidents"]
    # And one whose key is gone is found by whoever looks at the house.
    assert [tally for tally in await _looked(house) if tally.faults] == []
    async with house.rooms.keystore.transaction() as tx:
        await tx.execute(text("DELETE FROM wrapped_keys WHERE purpose = 'incident-key'"))
    found = [fault for tally in await _looked(house) for fault in tally.faults]
    assert [fault.where for fault in found] == [f"incident-key {left['id']}"]
    answer = await house.officer.ask("GET", f"{API}/incidents/{left['id']}")
    refused(answer, 500, "integrity_failed")


async def _looked(house: House) -> list[Tally]:
    return await house.rooms.inventory.take(lambda _: None)
