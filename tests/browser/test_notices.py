"""A practice reads what it was told of a breach, confirms it, and takes it home, in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.async_api import Browser, expect

from tests.browser.conftest import Reader
from tests.gateway.ground import SQLITE, employee
from tests.house import API, PASSWORD, House

pytestmark = SQLITE

ENGLISH = {"nature": "A password was stolen.\nIt was used.", "contact": "Call 030 123 45 67."}
DUTCH = {"nature": "Een wachtwoord is gestolen.", "contact": "Bel 030 123 45 67."}


async def told(house: House) -> str:
    """Tell the practice of a breach that one of its cases is in; the case's id."""
    officer, case_id = house.officer, await house.dentist.new_case()
    opened = await officer.post(f"{API}/incidents", {"title": "A stolen password"}, 201)
    incident = f"{API}/incidents/{opened['id']}"
    await officer.post(f"{incident}/scope", {"accounts": [house.dentist.id]}, 201)
    body: dict[str, Any] = {"phase": "first", "words": {"en": ENGLISH, "nl": DUTCH}}
    [notice] = (await officer.post(f"{incident}/notices", body, 201))["notices"]
    await officer.post(f"{API}/breach-notices/{notice['id']}/sending")
    return case_id


async def test_a_practice_reads_a_notice_confirms_it_and_saves_it(
    house: House, reader: Reader, chromium: Browser
) -> None:
    case_id, email = await told(house), await employee(house)
    await reader.sign_in(email, PASSWORD)
    await reader.page.get_by_role("link", name="Notices").click()
    await expect(reader.page.get_by_role("heading", name="Notice 1 of")).to_be_visible()
    await expect(reader.page.get_by_text("A password was stolen.")).to_be_visible()
    await expect(reader.page.get_by_text("Not known yet; it follows.").first).to_be_visible()
    await expect(reader.page.get_by_text("Patients: 1. Cases: 1.")).to_be_visible()
    await reader.page.get_by_text("Which cases (1)").click()
    link = reader.page.locator("[data-cases] a")
    await expect(link).to_have_attribute("href", f"/cases/{case_id}")
    await reader.check()

    async with reader.page.expect_download() as begun:
        await reader.page.get_by_role("button", name="Save as PDF").click()
    saved = Path(await (await begun.value).path())
    assert saved.read_bytes().startswith(b"%PDF-")
    await expect(reader.page.get_by_text("Not confirmed yet")).to_be_visible()
    await reader.page.get_by_role("button", name="Confirm that we read").click()
    await expect(reader.status("You confirmed")).to_be_visible()
    await expect(reader.page.get_by_text("Confirmed on")).to_be_visible()
    await expect(reader.page.get_by_role("button", name="Confirm that we read")).to_be_hidden()
    await reader.check()

    colleague = await employee(house, "practice_manager")
    narrow = {"width": 360, "height": 800}
    dutch = await Reader.come(chromium, reader.url, locale="nl-NL", viewport=narrow)
    await dutch.go("/sign-in")
    await dutch.page.locator("#signin-email").fill(colleague)
    await dutch.page.locator("#signin-password").fill(PASSWORD)
    await dutch.page.keyboard.press("Enter")
    await dutch.page.get_by_role("link", name="Meldingen").click()
    await expect(dutch.page.get_by_text("Een wachtwoord is gestolen.")).to_be_visible()
    await expect(dutch.page.get_by_text("Nog niet bekend; het volgt.").first).to_be_visible()
    await expect(dutch.page.get_by_text("Bevestigd op")).to_be_visible()
    await dutch.check()
    await dutch.context.close()
