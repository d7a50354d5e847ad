"""The laboratory's day: a coordinator hands a case out, a planner plans it and closes it."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Browser, expect

from tests.browser.hands import Hand
from tests.browser.tour import picture
from tests.gateway.ground import SQLITE, change, employee
from tests.house import API, PATIENT, House

pytestmark = SQLITE

PLAN = b"%PDF-1.7 a plan"
WAYS = (("en", 1440), ("nl", 360))


def day(days: int) -> str:
    return str(datetime.now(UTC).date() + timedelta(days=days))


async def arrive(house: House, chromium: Browser, email: str, way: tuple[str, int]) -> Hand:
    """Somebody of the house, signed in for the first time."""
    language, width = way
    hand = await Hand.come(chromium, house.settings.public_url, language=language, width=width)
    await hand.sign_in(email)
    await hand.enrol()
    return hand


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way[0]} {way[1]}")
async def test_from_handed_in_to_planned(
    house: House, chromium: Browser, way: tuple[str, int]
) -> None:
    case_id, _ = await house.submitted_case()
    late, _ = await house.planned_case()
    await change(house, "UPDATE cases SET due_on = :day WHERE id = :id", day=day(-3), id=late)

    coordinates, plans = await employee(house, "coordinator"), await employee(house, "planner")

    await hand_out(await arrive(house, chromium, coordinates, way), case_id, late)
    planner = await arrive(house, chromium, plans, way)
    await plan(planner, case_id)

    case = await house.dentist.get(f"{API}/cases/{case_id}")
    assert case["state"] == "completed"
    [sent] = [file for file in case["files"] if file["kind"] == "plan"]
    assert await house.dentist.download(case_id, sent["id"]) == PLAN


async def hand_out(hand: Hand, case_id: str, late: str) -> None:
    """Give the case that waits to who has nothing to do, and find the one that is late."""
    await hand.follow("Planning", "#menu")
    await expect(hand.page.locator('[data-count="waiting"]')).to_have_text("1")
    await expect(hand.page.locator(f'#late a[href="/cases/{late}"]')).to_be_visible()
    await hand.reader.check()
    await picture(
        hand.page, "planning", "A coordinator sees what waits, what is late, and who has time"
    )

    await hand.press(hand.button("Give to a planner", "#waiting"))
    chosen = hand.page.locator("#give-planner option").first
    await expect(chosen).to_have_attribute("value", "planner-with-password@people.invalid")
    await hand.reader.check()
    await hand.press(hand.button("Give the case", "#give"))
    await hand.hears("Case {reference} is given to {planner} until {day}.")
    await expect(hand.page.locator(f'#planned a[href="/cases/{case_id}"]')).to_be_visible()

    await hand.press(hand.page.locator(f'#late a[href="/cases/{late}"]'))
    await expect(hand.page.locator("#case-coordinator")).to_be_visible()
    await expect(hand.page.locator("#looked")).to_be_hidden()
    await hand.press(hand.button("Take away from {planner}"))
    await hand.hears("{planner} can no longer open the case.")
    await hand.leave()


async def plan(hand: Hand, case_id: str) -> None:
    """Read what is asked, get the files, deliver the plan, close the case."""
    await hand.follow("My cases", "#menu")
    await hand.press(hand.page.locator(f'#planning a[href="/cases/{case_id}"]'))
    await expect(hand.page.locator("#case-brief")).to_contain_text("crowding of the lower front")
    await hand.reader.check()
    await picture(hand.page, "brief", "A planner sees what is asked, and not whose it is")
    archive = await hand.saved(hand.button("Get all files"))
    assert zipfile.ZipFile(io.BytesIO(archive)).namelist() == ["scan-1.stl"]
    await hand.hears(
        "{name} is in your downloads, whole: {received}. Delete it when you no longer need it."
    )
    scan = await hand.saved(hand.button("Get {name}"))
    assert zipfile.ZipFile(io.BytesIO(archive)).read("scan-1.stl") == scan

    await hand.choose_file(hand.page.locator("#plan-file"), "plan.pdf", PLAN)
    await hand.hears("The plan is accepted. Close the case when it is complete.")
    await hand.press(hand.button("Done: close the case"))
    await hand.hears("Done. The practice can get the plan now.")
    await expect(hand.page.locator("#case-plan [data-over]")).to_be_visible()
    seen = await hand.page.content()
    assert PATIENT["name"] not in seen
    assert PATIENT["number"] not in seen
    await hand.follow("My cases", "#menu")
    await expect(hand.page.locator(f'#done a[href="/cases/{case_id}"]')).to_be_visible()
    await hand.leave()


async def test_a_plan_that_is_none_is_refused_in_plain_words_and_may_be_sent_again(
    house: House, chromium: Browser
) -> None:
    case_id, _ = await house.submitted_case()
    email = await employee(house, "planner")
    hand = await arrive(house, chromium, email, WAYS[0])
    given = {"email": email, "until": day(3)}
    await house.coordinator.post(f"{API}/cases/{case_id}/assignments", given, 201)
    colleague = await house.add_person("planner")

    # Who has not confirmed their duty of confidentiality is led to it, and nowhere else.
    await change(house, "UPDATE accounts SET confidential_at = NULL WHERE role = 'planner'")
    await hand.follow("My cases", "#menu")
    await hand.press(hand.button("I have read this, and keep to it"))
    await expect(hand.page.locator("#confidentiality .done")).not_to_be_empty()
    await hand.reader.go(f"/cases/{case_id}")
    await hand.choose_file(hand.page.locator("#plan-file"), "plan.stl", b"no scan at all")
    await expect(hand.reader.alert("The plan was refused")).to_be_visible()
    listed = hand.page.locator("#case-plan [data-list] li")
    await expect(listed).to_contain_text("refused: ")
    await expect(listed).not_to_contain_text("undefined")
    await expect(hand.button("Done: close the case")).to_have_count(0)
    await hand.reader.check()

    await hand.press(hand.page.locator("#case-plan summary"))
    await hand.fill(hand.page.locator("#colleague"), colleague.email)
    await hand.press(hand.button("Hand over", "#case-plan form"))
    await hand.hears("Handed over. The case is with your colleague now.")
    await expect(hand.page.locator("#planning [data-none]")).to_be_visible()
    await hand.leave()
