"""The pages over HTTP: the same for everybody, under a strict policy, in the reader's language."""

from __future__ import annotations

import re

from gateway.web.pages import PAGES
from tests.gateway.ground import SQLITE, UNKNOWN, refused, signed_in
from tests.house import House

pytestmark = SQLITE


async def test_every_page_is_the_same_for_everybody_and_under_a_strict_policy(house: House) -> None:
    somebody = await signed_in(house)
    for page in PAGES:
        path = page.path.replace("{case_id}", UNKNOWN)
        answer = await house.stranger.ask("GET", path)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        policy = answer.headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy)
        assert "unsafe" not in str(policy)
        # Those that show scans and photos have a worker, of one address, and pictures in memory.
        assert ("worker-src 'self'" in policy) == page.shows
        assert ("trusted-types worker" if page.shows else "trusted-types 'none'") in policy
        assert (await somebody.ask("GET", path)).body == answer.body


async def test_what_pages_load_is_kept_for_ever_and_has_another_address_when_it_changes(
    house: House,
) -> None:
    shown = (await house.stranger.ask("GET", "/sign-in")).text
    loaded = re.findall(r'(?:src|href)="(/assets/[^"]+)"', shown)
    assert len(loaded) >= 3
    for path in loaded:
        answer = await house.stranger.ask("GET", path)
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"

    another = re.sub(r"/assets/\w+/", f"/assets/{'0' * 16}/", loaded[0])
    answer = await house.stranger.ask("GET", another)
    refused(answer, 404, "not_found")
    assert answer.headers["Cache-Control"] == "no-store"


async def test_the_language_is_the_reader_s_choice_before_their_browser_s(house: House) -> None:
    for cookie, accepted, language in (
        ("", "nl-NL,nl;q=0.9", "nl"),
        ("", "de-DE,en;q=0.5", "en"),
        ("language=en", "nl-NL", "en"),
        ("language=nl", "en", "nl"),
        ("language=xx", "nl", "nl"),
    ):
        headers = {"Accept-Language": accepted, "Cookie": cookie}
        answer = await house.stranger.ask("GET", "/sign-in", headers=headers)
        assert answer.headers["Content-Language"] == language
        assert f'<html lang="{language}">' in answer.text
