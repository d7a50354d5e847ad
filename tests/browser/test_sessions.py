"""Sessions in real browsers: seen, ended from elsewhere, and what was typed meanwhile."""

from __future__ import annotations

from playwright.async_api import Browser, expect

from tests.browser.conftest import Reader
from tests.browser.test_second_step import enrol
from tests.gateway.ground import SQLITE, change, employee
from tests.house import PASSWORD, House, serving

pytestmark = SQLITE


async def test_a_session_that_is_ended_is_over_at_its_next_request_on_another_node(
    house: House, reader: Reader, chromium: Browser
) -> None:
    email = await employee(house)
    await reader.sign_in(email, PASSWORD)
    async with serving(house.settings) as (_, url, _session):
        there = await Reader.come(chromium, url.replace("127.0.0.1", "localhost"))
        await there.sign_in(email, PASSWORD)
        await expect(there.title("Your account")).to_be_visible()

        await reader.go("/account")
        await reader.page.get_by_role("button", name="End the session of").click()
        await expect(reader.status("Ended. Its next request is refused.")).to_be_visible()

        await there.go("/account")
        await expect(there.status("Sign in to go on")).to_be_visible()
        await there.context.close()


async def test_what_was_typed_stays_when_the_session_ends(house: House, reader: Reader) -> None:
    email = await employee(house)
    await reader.sign_in(email, PASSWORD)
    await reader.page.get_by_label("Name of the program").fill("The practice's own software")
    await change(house, "DELETE FROM sessions")

    await reader.press("Make the token")
    again = reader.page.get_by_role("dialog", name="Your session ended")
    await expect(again).to_be_visible()
    await expect(again.get_by_label("E-mail address")).to_have_value(email)
    await reader.check()
    await again.get_by_label("Password", exact=True).fill(PASSWORD)
    await again.get_by_role("button", name="Sign in", exact=True).click()

    await expect(reader.page.get_by_role("heading", name="Your new token")).to_be_focused()
    await expect(reader.page.get_by_text("The practice's own software")).to_be_visible()


async def test_what_one_person_typed_is_not_done_in_the_name_of_another(
    house: House, reader: Reader
) -> None:
    await reader.sign_in(await employee(house), PASSWORD)
    await reader.page.get_by_label("Name of the program").fill("Software of the first")
    other = Reader(reader.context, await reader.context.new_page(), reader.url)
    await other.sign_in(await employee(house, "coordinator"), PASSWORD)
    await expect(other.title("Your account")).to_be_visible()

    await reader.press("Make the token")
    await expect(reader.alert("Nothing was changed")).to_contain_text("coordinator")
    await expect(reader.page.get_by_text("Your new token")).to_be_hidden()


async def test_what_cannot_be_undone_asks_who_one_is_and_then_goes_on(
    house: House, reader: Reader
) -> None:
    await reader.sign_in(await employee(house), PASSWORD)
    await reader.page.get_by_label("Name of the program").fill("Software")
    await change(house, "UPDATE sessions SET confirmed_at = confirmed_at - 3600000000")

    await reader.press("Make the token")
    asked = reader.page.get_by_role("dialog", name="Is it still you?")
    await reader.check()
    await asked.get_by_label("Password, or six digits").fill("not the right one")
    await reader.press("Confirm")
    await expect(asked.get_by_role("alert")).not_to_be_empty()
    await asked.get_by_label("Password, or six digits").fill(PASSWORD)
    await reader.press("Confirm")

    await expect(reader.page.get_by_role("heading", name="Your new token")).to_be_focused()


async def test_a_locked_session_opens_by_the_password_and_shows_nothing_before(
    house: House, reader: Reader
) -> None:
    await reader.sign_in(await employee(house, "planner"), PASSWORD)
    await enrol(reader)
    await expect(reader.page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    await change(house, "UPDATE sessions SET seen_at = seen_at - 1200000000")

    await reader.go("/account")
    asked = reader.page.get_by_role("dialog", name="Is it still you?")
    await expect(asked.get_by_text("Your session was locked")).to_be_visible()
    await expect(reader.page.get_by_text("Authenticator app, added")).to_be_hidden()
    await asked.get_by_label("Password, or six digits").fill(PASSWORD)
    await reader.press("Confirm")

    await expect(reader.page.get_by_text("This session")).to_be_visible()
    await expect(reader.page.get_by_text("Authenticator app, added")).to_be_visible()
