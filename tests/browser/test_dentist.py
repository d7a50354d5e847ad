"""The dentist's day: a case from the first name to the plan, and uploads that break on the way."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, FilePayload, Locator, Request, Route, expect

from tests.browser.conftest import Reader
from tests.browser.cutting import line_to
from tests.browser.hands import Hand
from tests.browser.tour import picture
from tests.gateway.ground import SQLITE, employee
from tests.house import API, PASSWORD, SCAN, House
from tests.scans import arch, binary_stl

pytestmark = SQLITE

WAYS = (("en", 1440), ("nl", 360))
PLAN = b"%PDF-1.7 a plan"
LOWER = binary_stl(arch(1_500, seed=3))
LARGE = binary_stl(arch(60_000, seed=5))  # 3 MB
SOME = 1_500_000  # bytes, half of it
NAME, BORN, NUMBER = "A. de Vries", "17-05-1990", "4711"


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way[0]} {way[1]}")
async def test_from_a_new_case_to_its_plan(
    house: House, chromium: Browser, way: tuple[str, int]
) -> None:
    language, width = way
    url = house.settings.public_url
    hand = await Hand.come(chromium, url, language=language, width=width)
    await hand.sign_in(await employee(house))
    await expect(hand.page.get_by_text(hand.said("No case yet."))).to_be_visible()
    await hand.reader.check()

    case_id = await begin(hand)
    await send(hand)
    await picture(hand.page, "new-case", "A dentist sends the files of a new case")
    await hand.press(hand.button("Hand in for planning"))
    await expect(hand.page.locator("#case-files [data-list] li")).to_have_count(2)
    await hand.reader.check()

    await planned(house, case_id)
    await find(hand)
    await picture(hand.page, "plan", "The plan comes back to the same page")
    [got] = [await hand.saved(hand.page.locator("[data-plans] button"))]
    assert got == PLAN
    await hand.leave()


async def begin(hand: Hand) -> str:
    """Type who it is, and keep the draft."""
    await hand.press(hand.page.locator('.bar a[href="/cases/new"]'))
    await hand.fill(hand.page.locator("#who-name"), NAME)
    await hand.fill(hand.page.locator("#who-birth"), "31-02-1990")
    await hand.fill(hand.page.locator("#who-number"), NUMBER)
    await hand.fill(hand.page.locator("#who-notes"), "Crowding in the lower front.")
    await hand.press(hand.button("Keep as a draft and send the files"))
    wrong = hand.page.get_by_role("alert").filter(
        has_text=hand.said("This is no day. Write it as 17-05-1990.")
    )
    await expect(wrong).to_be_visible()
    await hand.fill(hand.page.locator("#who-birth"), BORN)
    await hand.press(hand.button("Keep as a draft and send the files"))
    await hand.page.wait_for_url("**/cases/*-*")
    return hand.page.url.rpartition("/")[2]


async def send(hand: Hand) -> None:
    """Choose two scans; the name of one says what it shows, the other is told by hand."""
    page = hand.page
    await hand.choose_file(page.locator("#pick"), "Upper jaw.stl", SCAN)
    await expect(
        page.locator('[data-key="scan-upper"] .file[data-state="accepted"]')
    ).to_be_visible()
    await hand.choose_file(page.locator("#pick"), "scan-2.stl", LOWER)
    loose = page.locator('[data-rest-list] .file[data-state="accepted"]')
    await expect(loose).to_be_visible()
    await hand.choose_file(page.locator("#pick"), "letter.docx", b"a letter")
    await expect(page.locator("[data-left-out]")).to_contain_text("letter.docx")
    if hand.by_keys:
        await hand.reach(loose.locator("select"))
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("ArrowDown")
    else:
        await loose.locator("select").select_option("lower")
    await expect(
        page.locator('[data-key="scan-lower"] .file[data-state="accepted"]')
    ).to_be_visible()
    await expect(page.locator("[data-missing]")).to_contain_text(
        hand.said("Scan: {name}", name=page_word(hand))
    )
    await hand.reader.check()


def page_word(hand: Hand) -> str:
    """What the page calls the scan that is missing."""
    return {"en": "Bite", "nl": "Beet"}[hand.language]


async def planned(house: House, case_id: str) -> None:
    """The house plans the case."""
    body = {"email": house.planner.email}
    await house.coordinator.post(f"{API}/cases/{case_id}/assignments", body, 201)
    file = await house.planner.upload(case_id, PLAN, name="plan.pdf", kind="plan")
    assert file["state"] == "accepted"
    await house.planner.post(f"{API}/cases/{case_id}/completion")


async def find(hand: Hand) -> None:
    """Find the patient among the cases, and open the case."""
    await hand.press(hand.page.locator('#menu a[href="/cases"]'))
    await hand.fill(hand.page.locator("#wanted"), "nobody at all")
    await hand.page.keyboard.press("Enter")
    await expect(hand.page.locator('[data-empty="search"]')).to_be_visible()
    await hand.fill(hand.page.locator("#wanted"), BORN)
    await hand.page.keyboard.press("Enter")
    await hand.hears("1 case found.")
    await expect(hand.page.locator(".state")).to_have_text(hand.said("Plan ready"))
    await hand.reader.check()
    await picture(hand.page, "cases", "The cases of a practice, one patient's found")
    await hand.press(hand.page.get_by_role("link", name=NAME))
    await expect(hand.page.locator("h1")).to_have_text(NAME)


async def test_an_upload_goes_on_after_a_cut_connection_and_after_a_reload(
    house: House, chromium: Browser
) -> None:
    port = urlsplit(house.url).port
    assert port is not None
    async with line_to(port) as (line, url):
        reader = await Reader.come(chromium, url)
        reader.page.on("dialog", lambda dialog: dialog.accept())
        began: list[int] = []
        reader.page.on("request", lambda request: began.extend(offsets(request)))
        await draft(reader, await employee(house))

        line.cut_in(SOME)
        await choose(reader, "upper.stl")
        await expect(row(reader, "broken")).to_contain_text("What was sent is kept")
        assert line.is_cut
        line.mend()
        await expect(row(reader, "accepted")).to_contain_text("upper.stl")

        line.cut_in(SOME, silent=True)
        await choose(reader, "lower.stl")
        await reader.page.get_by_role("button", name="Pause: lower.stl").click()
        await expect(row(reader, "paused")).to_contain_text("Nothing that was sent is lost")
        line.mend()
        await reader.page.reload()
        await expect(row(reader, "stopped")).to_contain_text("Choose the same file again")
        await choose(reader, "lower.stl")
        await expect(row(reader, "accepted")).to_have_count(2)

        begun = [offset for offset in began if offset > 0]
        assert began.count(0) == 2  # none began again
        assert len(begun) >= 2  # each went on, in as many tries as it took
        await reader.page.get_by_role("button", name="Hand in for planning").click()
        await expect(reader.page.locator("#case-files [data-list] li")).to_have_count(2)
        failed = [each for each in reader.wrong if "ERR_" not in each]  # the browser's own words
        assert failed == []
        await reader.context.close()


async def test_what_is_typed_is_kept_when_the_reader_takes_the_other_language(
    house: House, reader: Reader
) -> None:
    page = reader.page
    await reader.sign_in(await employee(house), PASSWORD, "/cases/new")
    await page.get_by_label("Name of the patient").fill(NAME)
    await page.get_by_label("Birth date").fill(BORN)
    await reader.press("Nederlands")
    await expect(page.get_by_label("Your own patient number")).to_be_focused()
    await page.keyboard.type(NUMBER)
    await reader.press("Nederlands")

    await expect(page.get_by_role("heading", level=1, name=NAME)).to_be_visible()
    await expect(page.get_by_role("heading", name="Bestanden")).to_be_visible()
    await reader.check()


async def test_a_file_that_is_removed_while_the_server_makes_room_for_it_is_not_sent(
    house: House, reader: Reader
) -> None:
    await draft(reader, await employee(house))
    removed = asyncio.Event()

    async def late(route: Route) -> None:
        await removed.wait()
        await route.continue_()

    await reader.page.route("**/api/v1/cases/*/files", late)
    await choose(reader, "upper.stl")
    await reader.page.get_by_role("button", name="Remove upper.stl").click()
    await expect(reader.page.locator(".file")).to_have_count(0)
    async with reader.page.expect_response(
        lambda answer: answer.request.method in {"DELETE", "PATCH"}
    ) as first:
        removed.set()

    answer = await first.value
    assert (answer.request.method, answer.status) == ("DELETE", 204)


async def draft(reader: Reader, email: str) -> None:
    """A kept draft of a retainer."""
    await reader.sign_in(email, PASSWORD, "/cases/new")
    await reader.page.get_by_label("Name of the patient").fill(NAME)
    await reader.page.get_by_label("Birth date").fill(BORN)
    await reader.page.get_by_label("Your own patient number").fill(NUMBER)
    await reader.page.get_by_label("Treatment", exact=True).select_option("retainer")
    await reader.press("Keep as a draft and send the files")
    await expect(reader.status("kept as draft")).to_be_visible()


async def choose(reader: Reader, name: str) -> None:
    """Choose the large scan under a name."""
    file = FilePayload(name=name, mimeType="application/octet-stream", buffer=LARGE)
    await reader.page.locator("#pick").set_input_files(file)


def offsets(request: Request) -> list[int]:
    """Where in its file what this request sends begins."""
    return [int(request.headers["upload-offset"])] if request.method == "PATCH" else []


def row(reader: Reader, state: str) -> Locator:
    """The files that stand so."""
    return reader.page.locator(f'#intake .file[data-state="{state}"]')
