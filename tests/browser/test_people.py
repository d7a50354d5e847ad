"""The people of a practice, in real browsers: shut out, and back in after a lost second step."""

from __future__ import annotations

from playwright.async_api import Browser, expect

from tests.browser.conftest import Reader
from tests.browser.test_second_step import enrol
from tests.gateway.ground import SQLITE, change, employee, session_of
from tests.house import PASSWORD, House

pytestmark = SQLITE


async def test_a_lost_second_step_goes_when_a_manager_asks_and_one_of_ours_agrees(
    house: House, reader: Reader, chromium: Browser
) -> None:
    lost = await employee(house)
    await reader.sign_in(lost, PASSWORD)
    await enrol(reader)
    await expect(reader.page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    ours = await Reader.come(chromium, reader.url)
    await ours.sign_in(await employee(house, "administrator"), PASSWORD)
    await enrol(ours)
    await expect(ours.page.get_by_role("heading", name="Your recovery codes")).to_be_visible()

    manager = await Reader.come(chromium, reader.url)
    await manager.sign_in(await employee(house, "practice_manager"), PASSWORD)
    await manager.page.get_by_role("link", name="People").click()
    await manager.page.get_by_label("Whose").select_option(lost)
    await manager.press("Ask for its removal")
    await expect(manager.status("An administrator must agree")).to_be_visible()
    await expect(manager.page.get_by_text("nobody has agreed yet")).to_be_visible()
    await manager.check()

    await ours.go("/people")
    await ours.page.get_by_role("button", name=f"Agree for {lost}").click()
    await expect(ours.status("Agreed.")).to_be_visible()
    await expect(ours.page.get_by_text("the second step goes on")).to_be_visible()
    await ours.check()
    await change(house, "UPDATE factor_recoveries SET due_at = due_at - 90000000000")
    await house.rooms.services.recoveries.remove_due()

    await reader.page.context.clear_cookies()
    await reader.sign_in(lost, PASSWORD)
    await expect(reader.page.get_by_text("You have no second step yet.")).to_be_visible()
    for each in (ours, manager):
        await each.context.close()


async def test_whoever_is_shut_out_is_out_at_once_and_may_be_let_in_again(
    house: House, reader: Reader, chromium: Browser
) -> None:
    email = await employee(house)
    them = await Reader.come(chromium, reader.url)
    await them.sign_in(email, PASSWORD)
    await expect(them.title("Your account")).to_be_visible()

    await reader.sign_in(await employee(house, "practice_manager"), PASSWORD)
    await reader.page.get_by_role("link", name="People").click()
    await reader.page.get_by_role("button", name=f"Shut out {email}").click()
    await expect(reader.status("is shut out")).to_be_visible()
    await them.go("/account")
    await expect(them.status("Sign in to go on")).to_be_visible()

    await reader.page.get_by_role("button", name=f"Let in {email}").click()
    await expect(reader.status("may sign in again")).to_be_visible()
    await them.sign_in(email, PASSWORD)
    await expect(them.title("Your account")).to_be_visible()
    await them.context.close()


async def test_a_manager_asks_a_second_step_of_everybody_in_the_practice(
    house: House, reader: Reader
) -> None:
    await reader.sign_in(await employee(house, "practice_manager"), PASSWORD)
    await reader.page.get_by_role("link", name="People").click()
    await reader.page.locator("#practice-address").fill("Kerkstraat 1, Utrecht")
    await reader.page.get_by_label("Everybody here needs a second step").check()
    await reader.page.locator("#practice button").click()
    await expect(reader.status("Kept.")).to_be_visible()

    await reader.press("Sign out")
    await reader.sign_in(await employee(house), PASSWORD)

    await expect(reader.page.get_by_text("You need a second step")).to_be_visible()


async def test_a_manager_sees_who_is_signed_in_and_ends_one_and_all(
    house: House, reader: Reader, chromium: Browser
) -> None:
    email = await employee(house)
    them = await Reader.come(chromium, reader.url)
    await them.sign_in(email, PASSWORD)
    await expect(them.page.get_by_role("button", name="Sign out")).to_be_visible()
    account = await house.rooms.accounts.list_accounts()
    dentist = next(one.id for one in account if one.email == email)
    for _ in range(2):
        await session_of(house, dentist)

    await reader.sign_in(await employee(house, "practice_manager"), PASSWORD)
    await reader.page.get_by_role("link", name="People").click()
    section = reader.page.locator("#signed-in")
    await expect(section.get_by_role("listitem")).to_have_count(4)
    await reader.check()
    await section.get_by_role("button", name=f"End the session of {email}").first.click()
    await expect(reader.status("Its next request is refused")).to_be_visible()
    await expect(section.get_by_role("listitem")).to_have_count(3)
    await section.get_by_role("button", name="End all but this one").click()
    await expect(reader.status("Sessions that were ended: 2.")).to_be_visible()

    await them.go("/account")
    await expect(them.status("Sign in to go on")).to_be_visible()
    await them.context.close()
