"""From an invitation in a mailbox to work, and back in after a forgotten password."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.async_api import Browser, expect

from tests.browser.conftest import Reader
from tests.gateway.ground import SQLITE, employee
from tests.house import PASSWORD, House
from tests.mail import Arrived, Mailbox

pytestmark = SQLITE

OTHER = "quite another sentence for the tests"


def link(mail: Arrived) -> str:
    """The path and fragment in a mail."""
    found = re.search(r"http://localhost:\d+(/\w+#\S+)", mail.text)
    assert found, mail.text
    return found[1]


async def test_a_manager_invites_a_dentist_who_chooses_a_password_and_signs_in(
    house: House, box: Mailbox, reader: Reader, chromium: Browser
) -> None:
    invited = "new-dentist@people.invalid"
    await reader.sign_in(await employee(house, "practice_manager"), PASSWORD)
    await reader.page.get_by_role("link", name="People").click()
    await reader.page.locator("#invite-email").fill(invited)
    await reader.press("Invite")
    await expect(reader.status("is invited; the mail is sent")).to_be_visible()
    listed = reader.page.get_by_role("listitem").filter(has_text=invited)
    await expect(listed).to_contain_text("Dentist · invited")

    them = await Reader.come(chromium, reader.url)
    sought = link(await box.next_to(invited))
    await them.go(sought)
    await them.page.get_by_label("Your name").fill("A. Tandarts")
    assert them.page.url == f"{them.url}/welcome"
    await them.page.get_by_label("Password", exact=True).fill("password1234")
    await them.press("Begin")
    await expect(them.alert("password")).to_be_visible()
    await them.page.get_by_label("Password", exact=True).fill(OTHER)
    await them.press("Begin")
    await expect(them.status("Your password is set")).to_be_visible()
    await them.page.go_back()
    assert "#" not in them.page.url.removesuffix("#set")

    await them.sign_in(invited, OTHER)
    await expect(them.title("Your account")).to_be_visible()
    await expect(them.page.get_by_role("link", name="People")).to_be_hidden()
    await them.go(sought)
    await them.page.get_by_label("Password", exact=True).fill(OTHER)
    await them.press("Begin")
    await expect(them.alert("link")).to_be_visible()
    await them.check()


async def test_who_forgot_their_password_chooses_another_by_mail(
    house: House, box: Mailbox, reader: Reader
) -> None:
    email = await employee(house)
    await reader.go("/sign-in")
    await reader.page.get_by_role("link", name="Forgotten your password?").click()
    await reader.page.get_by_label("E-mail address").fill(email)
    await reader.press("Send the link")
    await expect(reader.status("a mail is on its way")).to_be_visible()

    await reader.go(link(await box.next_to(email)))
    await reader.page.get_by_label("New password").fill(OTHER)
    await reader.press("Set the password")
    await expect(reader.status("Your password is set")).to_be_visible()

    await reader.sign_in(email, OTHER)
    await expect(reader.title("Your account")).to_be_visible()


async def test_who_leaves_takes_along_what_is_held_and_closes_the_account(
    house: House, reader: Reader
) -> None:
    email = await employee(house)
    await reader.sign_in(email, PASSWORD)
    await reader.page.get_by_label("Name", exact=True).fill("A. Tandarts")
    await reader.page.get_by_label("Language of mails and pages").select_option("nl")
    await reader.press("Keep")
    await expect(reader.title("Uw account")).to_be_visible()

    async with reader.page.expect_download() as download:
        await reader.press("Downloaden")
    held = json.loads(Path(await (await download.value).path()).read_text("utf-8"))
    assert (held["account"]["email"], held["account"]["name"]) == (email, "A. Tandarts")

    await reader.page.get_by_label("Ik wil dit, en weet dat").check()
    await reader.press("Mijn account sluiten")
    await expect(reader.status("Uw account is gesloten")).to_be_visible()
    await reader.go("/account")
    await expect(reader.page.get_by_role("heading", name="Aanmelden")).to_be_visible()
