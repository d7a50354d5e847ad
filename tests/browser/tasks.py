"""The ten tasks of docs/tasks.md, done in a browser; what each took is printed.

No part of the suite: `pytest -s tests/browser/tasks.py`. The seconds are those of a practised hand
by the keystroke-level model (Card, Moran and Newell, 1983): each click or field a thought and a
movement, each character a key. What the server needs is not in them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from playwright.async_api import Browser, FilePayload, expect

from tests.browser.hands import Hand
from tests.browser.test_laboratory import PLAN, WAYS, arrive, day
from tests.gateway.ground import SQLITE, change, employee
from tests.house import API, PATIENT, SCAN, House
from tests.scans import arch, binary_stl

pytestmark = SQLITE

ACT_SECONDS, KEY_SECONDS = 1.35 + 1.1 + 0.2, 0.28  # M + P + B; K of an average typist
SCANS = ("upper.stl", "lower.stl", "bite.stl")
OTHER = {"name": "B. Jansen", "birth_date": "1988-04-09", "number": "4712"}


@dataclass
class Clock:
    """What tasks took."""

    hand: Hand

    @asynccontextmanager
    async def task(self, number: int) -> AsyncIterator[Hand]:
        """Count what is done within."""
        acts, typed = self.hand.acts, self.hand.typed
        yield self.hand
        acts, typed = self.hand.acts - acts, self.hand.typed - typed
        seconds = acts * ACT_SECONDS + typed * KEY_SECONDS
        print(f"| {number} | {acts} | {typed} | {seconds:.0f} |")  # noqa: T201 - what this is for


async def test_the_dentist_s_tasks(house: House, chromium: Browser) -> None:
    draft = await house.dentist.new_case(OTHER)
    await house.dentist.upload(draft, SCAN, name="scan.stl")
    planned, _ = await house.planned_case()
    await house.planner.upload(planned, PLAN, "plan", "plan.pdf")
    await house.planner.post(f"{API}/cases/{planned}/completion")
    hand = await Hand.come(chromium, house.settings.public_url)
    await hand.sign_in(await employee(house))
    clock, page = Clock(hand), hand.page

    async with clock.task(1):
        await send_a_case(hand)
    await hand.reader.go("/cases")
    async with clock.task(2):
        await hand.fill(page.locator("#wanted"), "4711")
        await page.keyboard.press("Enter")
        await expect(page.locator("#list .state").first).to_have_text("Handed in")
    await hand.reader.go("/cases")
    async with clock.task(3):
        await hand.follow(OTHER["name"], "#list")
        hand.acts += 2  # the list, and the place in it
        await page.locator(".file select").first.select_option("lower")
        await expect(page.locator('[data-key="scan-lower"] .file')).to_be_visible()
    await hand.reader.go("/cases")
    async with clock.task(4):
        await hand.follow(PATIENT["name"], "#list")
        assert await hand.saved(page.locator("[data-plans] button")) == PLAN
    await look_and_erase(clock, house)


async def send_a_case(hand: Hand) -> None:
    """A new case with three scans, handed in."""
    page = hand.page
    await hand.follow("New case", ".bar")
    await hand.fill(page.locator("#who-name"), "A. de Vries")
    await hand.fill(page.locator("#who-birth"), "17-05-1990")
    await hand.fill(page.locator("#who-number"), "4711")
    await hand.fill(page.locator("#who-due"), day(14))
    await hand.fill(page.locator("#who-notes"), "Crowding in the lower front.")
    await hand.press(hand.button("Keep as a draft and send the files"))
    files: list[FilePayload] = [
        {"name": name, "mimeType": "model/stl", "buffer": binary_stl(arch(2_000, seed=number))}
        for number, name in enumerate(SCANS)
    ]
    await hand.choose_files(page.locator("#pick"), files)
    await expect(page.locator('.file[data-state="accepted"]')).to_have_count(len(SCANS))
    await hand.press(hand.button("Hand in for planning"))
    await expect(page.locator("#case-files .file")).to_have_count(len(SCANS))


async def look_and_erase(clock: Clock, house: House) -> None:
    """The tasks of the practice, on the case that is open."""
    hand, page = clock.hand, clock.hand.page
    async with clock.task(5):
        await hand.press(hand.button("Show who looked"))
        await hand.tick(page.locator("#looked [data-others]"))
        line = page.locator("#looked [data-timeline] li").filter(has_text=house.planner.email)
        await hand.press(line.get_by_role("button").first)
        await hand.fill(page.locator("#misuse-words"), "Nobody of ours knows this planner.")
        await hand.press(hand.button("Report it", "#misuse"))
        await hand.hears("Thank you. The report is received; the privacy officer looks into it.")
    async with clock.task(6):
        await hand.press(page.locator("#erasure summary"))
        await hand.fill(page.locator("#erasure-reason"), "asked for by the patient")
        await hand.tick(page.locator('#erasure [name="sure"]'))
        await hand.press(hand.button("Erase the case for good"))
        assert await hand.saved(hand.button("Get the certificate"))
    await hand.leave()


async def test_the_laboratory_s_tasks(house: House, chromium: Browser) -> None:
    await house.submitted_case()
    late, _ = await house.planned_case()
    await change(house, "UPDATE cases SET due_on = :day WHERE id = :id", day=day(-3), id=late)
    plans = await employee(house, "planner")
    hand = await arrive(house, chromium, await employee(house, "coordinator"), WAYS[0])
    clock = Clock(hand)
    await hand.reader.go("/planning")
    async with clock.task(7):
        await hand.press(hand.button("Give to a planner", "#waiting"))
        await hand.press(hand.button("Give the case", "#give"))
        await hand.hears("Case {reference} is given to {planner} until {day}.")
    async with clock.task(8):
        await hand.press(hand.button("Give to somebody else", "#late"))
        await hand.press(hand.button("Give the case", "#give"))
        await expect(hand.page.locator("#late [data-list]")).to_contain_text(plans)
    await hand.leave()

    hand = await arrive(house, chromium, plans, WAYS[0])
    clock = Clock(hand)
    await hand.reader.go("/work")
    async with clock.task(9):
        await hand.press(hand.page.locator("#planning li a").first)
        assert await hand.saved(hand.button("Get all files"))
    async with clock.task(10):
        await hand.choose_file(hand.page.locator("#plan-file"), "plan.pdf", PLAN)
        await hand.press(hand.button("Done: close the case"))
        await hand.hears("Done. The practice can get the plan now.")
    await hand.leave()
