"""Signing on at a real provider of OpenID Connect, in a real browser."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, expect

from gateway.settings import Settings
from tests.browser.conftest import Reader, free_port
from tests.gateway.ground import SQLITE
from tests.house import open_house
from tests.signon import PASSWORD, running_canaille

pytestmark = SQLITE


async def test_a_planner_signs_on_at_the_provider_and_may_change_their_mind(
    settings: Settings, chromium: Browser, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://localhost:{port}"
    with running_canaille(f"{url}/sign-on") as provider:
        more = {"public_url": url, "oidc_second_factor": ("pwd",)}
        chosen = settings.model_copy(update=provider.settings(tmp_path, **more))
        async with open_house(chosen, port) as house:
            await house.rooms.accounts.add_account(email="pat@house.invalid", role="planner")
            reader = await Reader.come(chromium, url)
            reader.elsewhere = provider.issuer
            await reader.go("/sign-in")
            await reader.press("Sign in with your organisation")
            for name, typed in (("login", "pat"), ("password", PASSWORD)):
                await reader.page.locator(f'input[name="{name}"]').fill(typed)
                await reader.page.keyboard.press("Enter")

            await reader.page.wait_for_url("**/work")
            await reader.go("/account")
            await expect(reader.title("Your account")).to_be_visible()
            await expect(reader.page.get_by_text("pat@house.invalid")).to_be_visible()
            await reader.check()

            await reader.go("/sign-on?error=access_denied&state=x")
            await expect(reader.page.get_by_text("You are not signed in")).to_be_visible()
            assert reader.page.url == f"{url}/sign-on"
            await reader.go("/sign-on?code=made-up&state=made-up")
            await expect(reader.page.get_by_role("alert").filter(has_text=".")).to_be_visible()
            assert reader.wrong == []
            await reader.context.close()
