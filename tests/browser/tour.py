"""Pictures of the stories for docs/tour.md: `make tour` takes them, any other run does not."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.async_api import Page

FOLDER = os.environ.get("KLUIS_TOUR")
SMALLEST, LARGEST = 40, 300_000  # quality of a JPEG; bytes that a picture may have
HEAD = """# A tour

The stories of `tests/browser`, as a browser showed them.
`make tour` writes this page and its pictures anew.
Everybody in them is made up.
"""


async def picture(page: Page, name: str, said: str) -> None:
    """Keep what the page shows, and what is to be seen there, if this run is for the tour."""
    if FOLDER is None or await page.locator("html").get_attribute("lang") != "en":
        return
    folder = Path(FOLDER)
    folder.mkdir(exist_ok=True)
    quality, taken = 90, b""
    while not taken or (len(taken) > LARGEST and quality >= SMALLEST):
        taken = await page.screenshot(full_page=True, type="jpeg", quality=quality)
        quality -= 10
    (folder / f"{name}.jpg").write_bytes(taken)
    tour = folder.with_suffix(".md")
    before = tour.read_text("utf-8") if tour.exists() else HEAD
    tour.write_text(f"{before}\n## {said}\n\n![{said}]({folder.name}/{name}.jpg)\n", "utf-8")
