"""What a practice can see and ask for: who looked at a case, and that it is erased for good."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import Browser, expect

from tests.browser.hands import Hand
from tests.browser.tour import picture
from tests.gateway.ground import SQLITE, change, employee
from tests.house import API, PASSWORD, House

pytestmark = SQLITE

WAYS = (("en", 1440), ("nl", 360))


@pytest.mark.parametrize(("language", "width"), WAYS)
async def test_who_looked_is_seen_and_reported_and_the_case_erased_with_its_proof(
    house: House, chromium: Browser, language: str, width: int
) -> None:
    case_id, file = await house.planned_case()
    await house.planner.download(case_id, file["id"])
    hand = await Hand.come(chromium, house.settings.public_url, language=language, width=width)
    await hand.sign_in(await employee(house))
    await hand.press(hand.page.locator(f'a[href="/cases/{case_id}"]'))

    await hand.press(hand.button("Show who looked"))
    await expect(hand.page.locator("#looked [data-people]")).to_contain_text(house.planner.email)
    await hand.tick(hand.page.locator("#looked [data-others]"))
    line = hand.page.locator("#looked [data-timeline] li").filter(has_text=house.planner.email)
    await expect(line).to_have_count(1)
    await hand.reader.check()
    await picture(hand.page, "looked", "The practice sees who looked at its case")
    await hand.press(line.get_by_role("button"))
    await expect(hand.page.locator("#misuse-words")).to_have_value(re.compile(house.planner.email))
    await hand.press(hand.button("Report it", "#misuse"))
    await hand.hears("Thank you. The report is received; the privacy officer looks into it.")

    # What cannot be undone asks for the password once more, where it was given a while ago.
    await change(house, "UPDATE sessions SET confirmed_at = confirmed_at - 90000000000")
    await hand.press(hand.page.locator("#erasure summary"))
    await hand.fill(hand.page.locator("#erasure-reason"), "asked for by the patient")
    await hand.tick(hand.page.locator('#erasure [name="sure"]'))
    await hand.press(hand.button("Erase the case for good"))
    await hand.fill(hand.page.locator("#confirm-proof"), PASSWORD)
    await hand.page.keyboard.press("Enter")
    await expect(hand.button("Get the certificate")).to_be_visible()
    await hand.reader.check()
    proof = json.loads(await hand.saved(hand.button("Get the certificate")))
    assert proof["body"]["case_id"] == case_id
    assert proof == (await house.dentist.get(f"{API}/cases/{case_id}/erasure"))["certificate"]
    await hand.leave()


async def test_an_erasure_that_waits_is_agreed_to_by_a_colleague(
    house: House, chromium: Browser
) -> None:
    await change(house, "UPDATE controllers SET erasure_second_from = 1")
    case_id, _ = await house.submitted_case()
    asked = {"reason": "old", "confirm": case_id}
    await house.dentist.post(f"{API}/cases/{case_id}/erasure", asked, 202)
    hand = await Hand.come(chromium, house.settings.public_url)
    await hand.sign_in(await employee(house))
    await hand.reader.go(f"/cases/{case_id}")

    await hand.press(hand.page.locator("#erasure summary"))
    await expect(hand.page.locator("#erasure [data-waits]")).to_contain_text("A colleague asked")
    await hand.press(hand.button("Agree as the second person"))
    await expect(hand.button("Get the certificate")).to_be_visible()
    await hand.leave()


async def test_an_erasure_that_waits_is_taken_back_and_may_be_asked_for_again(
    house: House, chromium: Browser
) -> None:
    await change(house, "UPDATE controllers SET erasure_second_from = 1")
    case_id, _ = await house.submitted_case()
    asked = {"reason": "old", "confirm": case_id}
    await house.dentist.post(f"{API}/cases/{case_id}/erasure", asked, 202)
    hand = await Hand.come(chromium, house.settings.public_url)
    await hand.sign_in(await employee(house))
    await hand.reader.go(f"/cases/{case_id}")
    await hand.press(hand.page.locator("#erasure summary"))

    await hand.press(hand.button("Take it back"))
    await hand.hears("Taken back. Nothing was erased.")
    await expect(hand.page.locator("#erasure-title")).to_be_focused()
    await expect(hand.page.locator("#erasure [data-waits]")).to_be_hidden()
    await expect(hand.page.locator("#erasure summary")).to_be_visible()
    await hand.leave()


async def test_the_description_of_the_api_is_readable_without_signing_in(
    house: House, chromium: Browser
) -> None:
    hand = await Hand.come(chromium, house.settings.public_url)
    await hand.reader.go("/api-docs")
    found = hand.page.locator("#operations details:visible")
    described = await house.stranger.get(f"{API}/openapi.json")
    number = sum(len(methods) for methods in described["paths"].values())
    await expect(found).to_have_count(number)

    await hand.fill(hand.page.locator("#apidocs-find"), "assignments")
    await hand.press(found.filter(has_text="Give a planner access").locator("summary"))
    await expect(found.filter(has_text="email string")).to_have_count(1)
    assert await found.count() < number
    await hand.leave()
