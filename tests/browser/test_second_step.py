"""The second step at sign-in, in a real browser: enrolled with a code, used, removed."""

from __future__ import annotations

import re
from datetime import timedelta

import pyotp
from playwright.async_api import expect

from gateway.ids import now
from tests.browser.conftest import Reader
from tests.gateway.ground import SQLITE, change, employee, logged
from tests.house import PASSWORD, House

pytestmark = SQLITE

STEP = timedelta(seconds=30)


async def enrol(reader: Reader) -> pyotp.TOTP:
    """Add an authenticator app on the account page; gives the app."""
    await reader.press("Add an authenticator app")
    shown = reader.page.locator("#totp [data-secret]")
    await expect(shown).to_be_visible()
    app = pyotp.TOTP((await shown.inner_text()).replace(" ", ""))
    await reader.page.get_by_label("Six digits from the app").fill(app.now())
    await reader.press("Confirm")
    return app


async def test_an_authenticator_app_is_added_and_asked_for_at_the_next_sign_in(
    house: House, reader: Reader
) -> None:
    email = await employee(house)
    await reader.sign_in(email, PASSWORD)
    app = await enrol(reader)

    await expect(reader.page.get_by_role("heading", name="Your recovery codes")).to_be_focused()
    assert await reader.page.locator("#codes code").count() == 10
    await reader.check()
    await reader.press("I have kept them")
    assert await reader.page.locator("#codes code").count() == 0
    assert app.secret not in await reader.page.content()

    await reader.press("Sign out")
    await reader.sign_in(email, PASSWORD)
    await reader.page.get_by_label("Code", exact=True).fill("000000")
    await reader.press("Go on")
    await expect(reader.alert("code")).to_be_visible()
    # Each code counts once: the one that enrolled is used.
    await reader.page.get_by_label("Code", exact=True).fill(app.at(now() + STEP))
    await reader.press("Go on")
    await expect(reader.title("Your account")).to_be_visible()


async def test_a_recovery_code_opens_the_account_once(house: House, reader: Reader) -> None:
    email = await employee(house)
    await reader.sign_in(email, PASSWORD)
    await enrol(reader)
    code = await reader.page.locator("#codes code").first.inner_text()
    await reader.press("Sign out")

    await reader.sign_in(email, PASSWORD)
    await reader.page.get_by_label("Code", exact=True).fill(code)
    await reader.press("Go on")
    await expect(reader.page.get_by_text("Recovery codes that are left: 9.")).to_be_visible()
    await reader.press("Sign out")

    await reader.sign_in(email, PASSWORD)
    await reader.page.get_by_label("Code", exact=True).fill(code)
    await reader.press("Go on")
    await expect(reader.alert("code")).to_be_visible()


async def test_who_must_have_a_second_step_is_led_to_it_and_then_let_in(
    house: House, reader: Reader
) -> None:
    email = await employee(house, "planner")
    await change(
        house, "UPDATE accounts SET confidential_at = NULL WHERE email = :email", email=email
    )
    await reader.sign_in(email, PASSWORD)
    await expect(reader.page.get_by_text("You need a second step")).to_be_visible()
    await expect(reader.page.get_by_role("heading", name="Tokens for programs")).to_be_hidden()

    await enrol(reader)

    await expect(reader.page.get_by_text("You need a second step")).to_be_hidden()
    await expect(reader.page.get_by_role("heading", name="Tokens for programs")).to_be_visible()
    await expect(reader.page.get_by_text("confirm your duty")).to_be_visible()
    await reader.press("I have read this, and keep to it")
    await expect(reader.status("You confirmed this on")).to_be_visible()
    await reader.check()


async def test_a_passkey_is_added_and_opens_the_account_alone(house: House, reader: Reader) -> None:
    await reader.with_passkeys()
    email = await employee(house)
    await reader.sign_in(email, PASSWORD)
    await reader.press("Add a passkey")
    await reader.page.get_by_label("Name of the passkey").fill("Laptop at the front desk")
    await reader.press("Go on")
    await expect(reader.page.get_by_text("Laptop at the front desk")).to_be_visible()
    await reader.check()
    await reader.press("Sign out")

    await reader.press("Sign in with a passkey")

    await reader.page.wait_for_url("**/cases")
    await reader.go("/account")
    await expect(reader.title("Your account")).to_be_visible()
    await expect(reader.page.get_by_text(email)).to_be_visible()
    used = reader.page.get_by_text(re.compile(r"last used \d\d-\d\d-\d{4}")).first
    await expect(used).to_be_visible()


async def test_a_passkey_is_the_second_step_after_a_password_and_proves_its_person_again(
    house: House, reader: Reader
) -> None:
    await reader.with_passkeys()
    email = await employee(house)
    await reader.sign_in(email, PASSWORD)
    await expect(reader.page.get_by_role("button", name="Sign out")).to_be_visible()
    await reader.go("/account")
    await reader.press("Add a passkey")
    await reader.page.get_by_label("Name of the passkey").fill("Key on the ring")
    await reader.press("Go on")
    await expect(reader.page.get_by_text("Key on the ring")).to_be_visible()
    await reader.press("Sign out")

    await reader.sign_in(email, PASSWORD)
    await reader.press("Use a passkey")
    await expect(reader.page.get_by_role("button", name="Sign out")).to_be_visible()
    opened = [one["event"] for one in await logged(house, "session.open")]
    assert opened[-1]["detail"]["proofs"] == ["passkey", "password"]

    await reader.go("/account")
    await reader.page.get_by_label("Name of the program").fill("Software")
    await change(house, "UPDATE sessions SET confirmed_at = confirmed_at - 3600000000")
    await reader.press("Make the token")
    asked = reader.page.get_by_role("dialog", name="Is it still you?")
    await asked.get_by_role("button", name="Use a passkey").click()
    await expect(reader.page.get_by_role("heading", name="Your new token")).to_be_focused()
    proved = [one["event"] for one in await logged(house, "session.confirm")]
    assert proved[-1]["detail"]["proofs"] == ["passkey"]
    await reader.check()
