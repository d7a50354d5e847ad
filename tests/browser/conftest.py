"""A real Chromium, and a reader in it of whose visit everything that is wrong is kept."""

from __future__ import annotations

import itertools
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    async_playwright,
    expect,
)

from gateway.settings import Settings
from tests.house import House, open_house
from tests.mail import Mailbox, by_mail, mail_server

FLAGS = (
    *("--headless", "--remote-debugging-port=0", "--no-sandbox"),
    *("--disable-background-networking", "--no-first-run", "--no-default-browser-check"),
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),  # no card here
)
LISTENING = re.compile(r"DevTools listening on (ws://\S+)")
PATIENCE_MS = 60_000  # as much as a busy machine may need
UNNAMED = re.compile(
    r"^\s*- '?(?:button|link|textbox|combobox|checkbox|radio|spinbutton|img|dialog|region)"
    r"(?: \[[^\]]*\])*:?'?$",
    re.MULTILINE,
)
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
VIOLATIONS = """async (tags) => {
  const { violations } = await axe.run({ runOnly: tags, resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`));
}"""
REFUSED = """addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
  console.error(`policy: ${violatedDirective} refused ${blockedURI}`));"""

expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Reader:
    """Somebody at a browser of their own."""

    context: BrowserContext
    page: Page
    url: str
    wrong: list[str] = field(default_factory=list)
    elsewhere: str = "data:"  # what the page may lead to besides: the provider of a sign-on

    @classmethod
    async def come(cls, browser: Browser, url: str, **choices: Any) -> Reader:
        """Open a window; watch it for what no page of ours may do."""
        context = await browser.new_context(**{"locale": "en-GB", **choices})
        await context.add_init_script(REFUSED)
        page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        reader = cls(context, page, url)
        page.on("pageerror", lambda error: reader.wrong.append(f"fault: {error}"))
        page.on("console", reader._hear)
        page.on("request", lambda request: reader._see(request.url))
        return reader

    def _hear(self, message: ConsoleMessage) -> None:
        # The browser itself remarks that the API refused; that is no fault of the page.
        refused = message.text.startswith("Failed to load resource")
        source = message.location["url"]
        theirs = source.startswith(self.elsewhere) or self.page.url.startswith(self.elsewhere)
        if (refused and "/api/v1/" in source) or theirs:
            return
        if message.type in {"error", "warning"}:
            self.wrong.append(f"{message.type}: {message.text}")

    def _see(self, address: str) -> None:
        if not address.startswith((self.url, f"blob:{self.url}", "data:", self.elsewhere)):
            self.wrong.append(f"asked elsewhere: {address}")

    async def go(self, path: str) -> None:
        """Open a page of ours."""
        await self.page.goto(self.url + path)

    async def sign_in(self, email: str, password: str, wanted: str = "/account") -> None:
        """Give address and password, and press the button; as one who wanted to see a page."""
        await self.go("/sign-in")
        await self.page.evaluate("wanted => sessionStorage.setItem('next', wanted)", wanted)
        await self.page.get_by_label("E-mail address").fill(email)
        await self.page.get_by_label("Password", exact=True).fill(password)
        await self.press("Sign in")

    async def with_passkeys(self) -> None:
        """Give the browser an authenticator that keeps passkeys and verifies its user."""
        devices = await self.context.new_cdp_session(self.page)
        await devices.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        await devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})

    async def press(self, name: str) -> None:
        """Press the button of this name."""
        await self.page.get_by_role("button", name=name, exact=True).click()

    def title(self, name: str) -> Locator:
        """The page's title."""
        return self.page.get_by_role("heading", level=1, name=name)

    def alert(self, text: str) -> Locator:
        """What is said to be wrong."""
        return self.page.get_by_role("alert").filter(has_text=text)

    def status(self, text: str) -> Locator:
        """What is said to have happened."""
        return self.page.get_by_role("status").filter(has_text=text)

    async def check(self) -> None:
        """Refuse what is wrong with the page as it is now: width, names, what axe-core finds.

        And what was seen of it: faults, what the page's policy refused, requests elsewhere.
        """
        assert self.wrong == []
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await self.page.evaluate(wide) <= 0
        seen = await self.page.locator("body").aria_snapshot()
        assert UNNAMED.findall(seen) == [], seen
        if not await self.page.evaluate("'axe' in globalThis"):
            await self.page.evaluate(AXE.read_text("utf-8"))
        assert await self.page.evaluate(VIOLATIONS, WCAG) == []
        assert self.wrong == []


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def devtools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's Chromium, started once; the address by which it is driven."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("no Chromium: apt-get install chromium")
    profile = tmp_path_factory.mktemp("chromium")
    process = subprocess.Popen(
        [path, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    # It would wait for a reader of what else it says.
    with process, ThreadPoolExecutor(1) as rest:
        try:
            said = itertools.chain.from_iterable(map(LISTENING.findall, process.stderr))
            address = next(said, None)
            assert address is not None, "Chromium ended"
            rest.submit(process.stderr.read)
            yield address
        finally:
            process.terminate()


@pytest.fixture
async def chromium(devtools: str) -> AsyncIterator[Browser]:
    """Chromium, with nothing left in it from another test."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(devtools)
        yield browser
        await browser.close()


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    """A real mail server."""
    async with mail_server() as opened:
        yield opened


@pytest.fixture
async def house(settings: Settings, box: Mailbox) -> AsyncIterator[House]:
    """A running Kluis that knows its own address, for links and passkeys, and sends mail."""
    port = free_port()
    # A passkey belongs to a name: an address is none (WebAuthn, "effective domain").
    known = {"public_url": f"http://localhost:{port}"}
    async with open_house(by_mail(settings, box).model_copy(update=known), port) as opened:
        yield opened


@pytest.fixture
async def reader(chromium: Browser, house: House) -> AsyncIterator[Reader]:
    """Somebody who reads English, at a wide screen."""
    come = await Reader.come(chromium, house.settings.public_url)
    yield come
    assert come.wrong == []
    await come.context.close()
