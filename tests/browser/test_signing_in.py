"""Signing in, in a real browser."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.conftest import Reader
from tests.gateway.ground import SQLITE, employee
from tests.house import PASSWORD, House

pytestmark = SQLITE


async def test_who_gives_the_right_password_comes_to_their_account(
    house: House, reader: Reader
) -> None:
    email = await employee(house)

    await reader.sign_in(email, PASSWORD)

    await expect(reader.title("Your account")).to_be_visible()
    await expect(reader.page.get_by_text(email)).to_be_visible()
    await reader.check()


async def test_a_wrong_password_is_said_in_place_and_the_address_stays(
    house: House, reader: Reader
) -> None:
    email = await employee(house)

    await reader.sign_in(email, "not the right one at all")

    await expect(reader.alert("do not belong together")).to_be_visible()
    await expect(reader.page.get_by_label("E-mail address")).to_have_value(email)
    await reader.check()


async def test_who_signs_out_is_out(house: House, reader: Reader) -> None:
    await reader.sign_in(await employee(house), PASSWORD)
    await reader.page.get_by_role("button", name="Sign out").click()
    await expect(reader.status("signed out")).to_be_visible()

    await reader.go("/account")

    await expect(reader.status("Sign in to go on")).to_be_visible()
    await reader.check()
