"""Somebody who does a task on our pages: with a mouse or by keys alone, in either language."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyotp
from playwright.async_api import Browser, FilePayload, Locator, Page, expect

from gateway.web.catalogue import parse
from gateway.web.pages import LOCALE
from tests.browser.conftest import Reader
from tests.house import PASSWORD

FURTHEST = 150  # controls of a page, at the most
FOCUSED = "each => each === document.activeElement"
DUTCH = parse((LOCALE / "nl.po").read_text("utf-8"))


@dataclass
class Hand:
    """A reader with a way to work.

    Attributes:
        reader: At a browser.
        language: That the pages speak.
        by_keys: Without a mouse.
        acts: Clicks, or what stands for one by keys; and fields that were filled.
        typed: Characters that were typed.
    """

    reader: Reader
    language: str = "en"
    by_keys: bool = False
    acts: int = 0
    typed: int = 0

    @classmethod
    async def come(
        cls, browser: Browser, url: str, *, language: str = "en", width: int = 1440, **more: Any
    ) -> Hand:
        """Open a window of this width; a narrow one is dark, and used by keys alone."""
        is_narrow = width < 600
        reader = await Reader.come(
            browser,
            url,
            locale={"en": "en-GB", "nl": "nl-NL"}[language],
            viewport={"width": width, "height": 800},
            color_scheme="dark" if is_narrow else "light",
            **more,
        )
        return cls(reader, language, by_keys=is_narrow)

    @property
    def page(self) -> Page:
        """The page."""
        return self.reader.page

    def said(self, text: str, **values: object) -> re.Pattern[str]:
        """What stands there for this text; of a place without a value, anything."""
        text = DUTCH[text] if self.language == "nl" else text
        known = re.sub(r"\{(\w+)\}", lambda place: str(values.get(place[1], "\0")), text)
        return re.compile(re.escape(known).replace("\0", ".+"), re.IGNORECASE)

    def button(self, text: str, within: str = "body") -> Locator:
        """The button of this name, among what is shown."""
        return self.page.locator(within).get_by_role("button", name=self.said(text)).first

    async def reach(self, control: Locator) -> None:
        """Go to a control by the Tab key."""
        await expect(control).to_be_visible()
        for _ in range(FURTHEST):
            if await control.evaluate(FOCUSED):
                return
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"no key leads to {control}")

    async def press(self, control: Locator) -> None:
        """Click, or go there and press Enter."""
        self.acts += 1
        if not self.by_keys:
            await control.click()
            return
        await self.reach(control)
        await self.page.keyboard.press("Enter")

    async def tick(self, control: Locator) -> None:
        """Tick a box."""
        self.acts += 1
        if not self.by_keys:
            await control.check()
            return
        await self.reach(control)
        await self.page.keyboard.press("Space")

    async def fill(self, control: Locator, text: str) -> None:
        """Type into a field."""
        self.acts += 1
        self.typed += len(text)
        if not self.by_keys:
            await control.fill(text)
            return
        await self.reach(control)
        await self.page.keyboard.press("ControlOrMeta+a")
        await self.page.keyboard.type(text)

    async def choose_file(self, control: Locator, name: str, content: bytes) -> None:
        """Choose a file, as the browser's own dialog lets one."""
        file = FilePayload(name=name, mimeType="application/octet-stream", buffer=content)
        await self.choose_files(control, [file])

    async def choose_files(self, control: Locator, files: Sequence[FilePayload]) -> None:
        """Choose several at once."""
        self.acts += 1
        async with self.page.expect_file_chooser() as opened:
            if self.by_keys:
                await self.reach(control)
                await self.page.keyboard.press("Space")
            else:
                await control.click()
        await (await opened.value).set_files(files)

    async def saved(self, control: Locator) -> bytes:
        """Press what saves a file; its content."""
        async with self.page.expect_download() as awaited:
            await self.press(control)
        path = await (await awaited.value).path()
        with io.FileIO(path) as file:
            return file.readall()

    async def sign_in(self, email: str) -> None:
        """Give address and password."""
        await self.reader.go("/sign-in")
        await self.fill(self.page.locator("#signin-email"), email)
        await self.fill(self.page.locator("#signin-password"), PASSWORD)
        await self.page.keyboard.press("Enter")
        await self.page.wait_for_url(re.compile("/(cases|work|planning|alerts|account)$"))

    async def enrol(self) -> None:
        """Set up the second step that somebody of the house needs."""
        await self.press(self.button("Add an authenticator app"))
        shown = self.page.locator("#totp [data-secret]")
        await expect(shown).to_be_visible()
        app = pyotp.TOTP((await shown.inner_text()).replace(" ", ""))
        await self.fill(self.page.locator("#totp-code"), app.now())
        await self.page.keyboard.press("Enter")
        await self.press(self.button("I have kept them"))

    async def follow(self, text: str, within: str = "body") -> None:
        """Follow the link of this name."""
        link = self.page.locator(within).get_by_role("link", name=self.said(text)).first
        await self.press(link)

    async def hears(self, text: str, **values: object) -> None:
        """Wait until this is said to have happened."""
        said = self.page.get_by_role("status").filter(has_text=self.said(text, **values))
        await expect(said.first).to_be_visible()

    async def leave(self) -> None:
        """Close the window, of whose visit nothing is wrong."""
        await self.reader.check()
        await self.reader.context.close()
