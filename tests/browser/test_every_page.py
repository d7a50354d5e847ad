"""Every page: nothing refused, cut off or fetched elsewhere; all named; by keyboard alone."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect

from gateway.web.pages import LANGUAGES, PAGES
from tests.browser.conftest import Reader
from tests.browser.hands import Hand
from tests.gateway.ground import SQLITE, employee
from tests.house import PASSWORD, House

pytestmark = SQLITE

WIDTHS = (360, 1440)  # the narrow one is dark
PATHS = sorted(page.path for page in PAGES if page.path != "/")  # that one leads elsewhere
WAYS = [(language, width) for language in LANGUAGES for width in WIDTHS]
OPEN = {"/sign-in", "/sign-on", "/welcome", "/forgotten", "/reset"}
OF_PRACTICE = "practice_manager"
OF_STAFF = {"/work": "planner", "/planning": "coordinator", "/alerts": "privacy_officer"}
KEEPING = {"/sign-in", "/forgotten"}  # no secret comes with their addresses
SMALL = """() => [...document.querySelectorAll("a, button, input, select")].filter((each) => {
  const box = each.getBoundingClientRect();
  const small = box.width < 24 || box.height < 24;
  return small && each.checkVisibility() && !each.matches(".skip, p a");
}).map((each) => each.outerHTML)"""
LOST = """() => {
  const box = document.activeElement.getBoundingClientRect();
  const style = getComputedStyle(document.activeElement);
  const seen = box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.left >= 0;
  return !seen || style.outlineStyle === "none" ? document.activeElement.outerHTML : "";
}"""


@pytest.mark.parametrize(("language", "width"), WAYS)
async def test_every_page_is_whole_in_each_language_width_and_colour(
    house: House, chromium: Browser, language: str, width: int
) -> None:
    case_id, _ = await house.planned_case()
    stranger = await Hand.come(chromium, house.url, language=language, width=width)
    for path in sorted(OPEN):
        await is_whole(stranger.reader, path, language)
    for role in (OF_PRACTICE, *sorted(set(OF_STAFF.values()))):
        hand = await Hand.come(chromium, house.url, language=language, width=width)
        await hand.sign_in(await employee(house, role))
        if role != OF_PRACTICE:
            await hand.enrol()
        for path in sorted(
            path for path in set(PATHS) - OPEN if OF_STAFF.get(path, OF_PRACTICE) == role
        ):
            await is_whole(hand.reader, path.replace("{case_id}", case_id), language)
        await hand.reader.context.close()
    await stranger.reader.context.close()


async def is_whole(reader: Reader, path: str, language: str) -> None:
    await reader.go(path + ("#" + "x" * 43 if path in OPEN else ""))
    await reader.page.wait_for_load_state("networkidle")
    assert reader.page.url == reader.url + path + ("#" + "x" * 43 if path in KEEPING else "")
    await expect(reader.page.locator("html")).to_have_attribute("lang", language)
    said = reader.page.locator(".problem:visible").filter(has_text=" ")
    assert (path, await said.all_inner_texts()) == (path, [])
    await reader.check()
    assert await reader.page.evaluate(SMALL) == []


async def test_signing_in_and_every_control_of_the_account_by_keyboard_alone(
    house: House, reader: Reader
) -> None:
    email, keys = await employee(house, "practice_manager"), reader.page.keyboard
    await reader.go("/sign-in")
    await keys.type(email)
    await keys.press("Tab")
    await keys.type(PASSWORD)
    await keys.press("Enter")
    await expect(reader.title("Cases")).to_be_visible()
    await reader.go("/account")
    await expect(reader.title("Your account")).to_be_visible()
    await reader.page.wait_for_load_state("networkidle")

    reached = set()
    for _ in range(80):
        await keys.press("Tab")
        if await reader.page.evaluate("document.activeElement === document.body"):
            break  # behind the last one
        assert await reader.page.evaluate(LOST) == ""
        reached.add(await reader.page.evaluate("document.activeElement.outerHTML"))

    shown = await reader.page.evaluate(
        """() => [...document.querySelectorAll("a, button, input, select")]
        .filter((each) => each.checkVisibility()).map((each) => each.outerHTML)"""
    )
    assert set(shown) <= reached


async def test_the_language_that_was_chosen_stays(house: House, reader: Reader) -> None:
    await reader.go("/sign-in")
    await reader.press("Nederlands")
    await expect(reader.page.get_by_role("heading", name="Aanmelden")).to_be_visible()

    await reader.go("/forgotten")

    await expect(reader.page).to_have_title(re.compile("Wachtwoord vergeten"))


async def test_a_page_gives_way_to_no_script_but_ours(house: House, reader: Reader) -> None:
    await reader.go("/sign-in")
    ran = await reader.page.evaluate(
        """() => { const made = document.createElement("script");
        try { made.textContent = "globalThis.ran = true"; document.head.append(made); }
        catch { return "refused"; }
        return globalThis.ran ? "ran" : "refused"; }"""
    )

    assert ran == "refused"
    assert reader.wrong != []
    reader.wrong.clear()
