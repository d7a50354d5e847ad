"""The privacy officer's day: an alert is understood, looked into, joined to an incident, closed."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from gateway.ids import new_id, now
from storage import alerts
from storage.alerts import Finding
from tests.browser.hands import Hand
from tests.gateway.ground import SQLITE, employee, until
from tests.gateway.watch.test_reviews import looked, queue, the_week
from tests.house import API, House

pytestmark = SQLITE

WAYS = (("en", 1440), ("nl", 360))
REPORT = "nobody of ours asked the planning to look at this patient"
ASKED = "asked the planner, who mistook one case for another"


async def raised(house: House, severity: int, rule: str) -> None:
    """An open alert of a rule."""
    found = Finding(rule, new_id(), severity, now(), 4, 9, 3, '{"events": 3}')
    async with house.rooms.main.transaction() as tx:
        await alerts.record(tx, new_id(), found, now())


async def reported(house: House) -> str:
    """The alert of a practice's own report, once the watch has read of it."""
    case_id = await house.dentist.new_case()
    await house.dentist.post(f"{API}/cases/{case_id}/misuse-reports", {"words": REPORT}, 201)
    found: list[str] = []

    async def seen() -> bool:
        listed = await house.officer.get(f"{API}/alerts?severity=high")
        found[:] = [each["id"] for each in listed["alerts"] if each["rule"] == "misuse_report"]
        return bool(found)

    await until(seen)
    return found[0]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way[0]} {way[1]}")
async def test_from_an_alert_to_an_incident(
    house: House, chromium: Browser, way: tuple[str, int]
) -> None:
    alert_id = await reported(house)
    await raised(house, 1, "out_of_hours")
    language, width = way
    hand = await Hand.come(chromium, house.settings.public_url, language=language, width=width)
    await hand.sign_in(await employee(house, "privacy_officer"))
    await hand.enrol()

    await hand.follow("Alerts", "#menu")
    for severity, number in (("high", "1"), ("warning", "0"), ("notice", "1")):
        await expect(hand.page.locator(f'[data-count="{severity}"]')).to_have_text(number)
    await expect(hand.page.locator("#noise")).to_have_text(
        hand.said(
            "How many alerts there are per 1 000 user-days stands here after the first whole week."
        )
    )
    await hand.reader.check()

    await hand.press(hand.button("Look at it", "#high"))
    panel = hand.page.locator("#alert")
    await expect(panel.locator("h2")).to_have_text(hand.said("A practice reports misuse"))
    await expect(panel.locator("h2")).to_be_focused()
    known = await house.officer.ask(
        "GET", f"{API}/alerts/{alert_id}", headers={"Accept-Language": language}
    )
    for part in ("sees", "why", "act"):
        await expect(panel).to_contain_text(known.json()[part])
    await expect(panel).to_contain_text(REPORT)
    await hand.press(hand.button("I look into it"))
    await hand.hears("You look into it.")
    await hand.fill(hand.page.locator("#comment-words"), ASKED)
    await hand.press(hand.button("Add the comment"))
    await hand.hears("The comment is added.")
    await expect(panel.locator("[data-notes]")).to_contain_text(ASKED)

    await hand.press(
        panel.locator("summary", has_text=hand.said("It is an incident, or belongs to one"))
    )
    await hand.fill(hand.page.locator("#join-title"), "A case read by mistake")
    await hand.press(hand.button("Join it to the incident"))
    await hand.hears("Joined to the incident {title}. The alert stays open until it is dismissed.")
    await hand.reader.check()
    await hand.press(panel.locator("summary").nth(2))
    await hand.fill(hand.page.locator("#dismiss-reason"), "the incident has it now")
    await hand.reader.check()
    await hand.press(hand.button("Dismiss the alert"))
    await hand.hears("Dismissed: {title}.")
    await expect(hand.page.locator("#high [data-none]")).to_be_visible()
    await hand.leave()

    done = await house.officer.get(f"{API}/alerts/{alert_id}")
    assert done["state"] == "dismissed"
    assert [note["kind"] for note in done["notes"]] == ["assignment", "comment", "dismissal"]
    [incident] = (await house.officer.get(f"{API}/incidents"))["incidents"]
    assert incident["title"] == "A case read by mistake"
    joined = await house.officer.get(f"{API}/incidents/{incident['id']}")
    assert joined["alerts"] == [alert_id]


async def test_a_week_is_gone_through_and_each_word_bears_a_name(
    house: House, chromium: Browser
) -> None:
    await looked(house, 1)
    await raised(house, 3, "strange_place")
    found = await queue(house)
    language, width = WAYS[1]
    hand = await Hand.come(chromium, house.settings.public_url, language=language, width=width)
    email = await employee(house, "privacy_officer")
    await hand.sign_in(email)
    await hand.enrol()

    await hand.follow("Alerts", "#menu")
    noise = "In week {week}: {all} alerts per 1 000 user-days, {high} of them high."
    await expect(hand.page.locator("#noise")).to_have_text(hand.said(noise, week=the_week()))
    await hand.press(hand.button("Go through it", "#reviews"))
    covered = "{reviewed} of {items} looked at, all of it before {due}"
    week = hand.page.locator("#week")
    start = hand.said(covered, reviewed=0, items=found["items"])
    await expect(week).to_contain_text(start)
    await expect(week.locator("[data-list] > li")).to_have_count(found["items"])
    await hand.reader.check()

    await hand.press(hand.button("Say what it was", "#week"))
    await hand.reader.check()
    await hand.fill(hand.page.locator("#verdict-words"), ASKED)
    await hand.press(hand.button("Sign it with your name"))
    await hand.hears("Your word is in the signed log.")
    await expect(week).to_contain_text(hand.said(covered, reviewed=1, items=found["items"]))
    first = week.locator("[data-list] > li").first
    said = hand.said("Explained: {words} ({who})", words=ASKED, who=email)
    await expect(first.locator(".said")).to_have_text(said)
    await expect(first.get_by_role("button")).to_have_count(0)
    await hand.reader.check()
    await hand.press(hand.button("Back to all alerts", "#week"))
    await expect(hand.page.locator("#overview")).to_be_visible()
    await hand.leave()
