"""The scans of a case as a picture: drawn where they should be, and said in words as well."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.async_api import Locator, Route, expect

from gateway.cli.sample import photo, scan
from gateway.inspection.scans.pose import pose
from tests.browser.conftest import Reader
from tests.gateway.ground import SQLITE, employee
from tests.house import API, PASSWORD, House

pytestmark = SQLITE

UPPER = scan(20_000, 1, missed_mm=2.0)
LOWER = scan(6_000, 2, upper=False)
MARK = (208, 2, 27)
CHOSEN = (138, 0, 200)
ROOM = 1.1  # of the picture around what it fits
NEAR_MM = 8.0
KEPT = """async () => [...await caches.keys(), ...await indexedDB.databases(),
  ...Object.keys(localStorage), ...Object.keys(sessionStorage)]"""
Pixels = npt.NDArray[np.int16]
Place = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A case with an upper and a lower jaw and a photo, at its page."""

    id: str
    upper: dict[str, Any]
    canvas: Locator


@pytest.fixture
async def case(house: House, reader: Reader) -> Case:
    case_id = await house.dentist.new_case()
    files = {}
    for slot, kind, content in (
        ("upper", "scan", UPPER),
        ("lower", "scan", LOWER),
        ("front", "photo", photo("front", 3)),
        ("smile", "photo", photo("front", 3)),
    ):
        files[slot] = await house.dentist.upload(case_id, content, kind, f"{slot}.{kind}")
        assert files[slot]["state"] == "accepted", files[slot]
        path = f"{API}/cases/{case_id}/files/{files[slot]['id']}/slot"
        await house.dentist.ask("PUT", path, json={"slot": slot})
    await reader.sign_in(await employee(house), PASSWORD)
    await reader.page.wait_for_url(re.compile("/(cases|account)$"))
    await reader.go(f"/cases/{case_id}")
    return Case(case_id, files["upper"], reader.page.locator("#viewer canvas"))


async def picture(case: Case) -> Pixels:
    """What is seen: rows of pixels, each red, green, blue."""
    content = await case.canvas.screenshot()
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=np.int16)


def where(seen: Pixels, colour: tuple[int, int, int]) -> Place:
    """The middle of what has a colour: to the right and down, in pixels from the picture's."""
    rows, columns = np.nonzero((np.abs(seen - np.array(colour)) < 40).all(axis=2))
    assert len(rows), "nothing has that colour"
    high, wide, _ = seen.shape
    return np.array((columns.mean() - wide / 2, rows.mean() - high / 2))


def expected(content: bytes, place: Place, seen: Pixels) -> Place:
    """Where a place must be, by the gateway's own sense of how an arch lies.

    The picture fits the box of the scan, along the axes of the file, as it is seen.
    """
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    corners = np.frombuffer(content, record, offset=84)["corners"]
    across, front, _ = pose(np.ascontiguousarray(corners.transpose(2, 1, 0))).axes
    points = corners.reshape(-1, 3).astype(np.float64)
    ends = np.stack((points.min(axis=0), points.max(axis=0)))
    box = np.array([[ends[i >> j & 1, j] for j in range(3)] for i in range(8)])
    right, up = box @ across, box @ front
    high, wide, _ = seen.shape
    half = ROOM / 2 * max(np.ptp(up), np.ptp(right) * high / wide)
    x = place @ across - (right.min() + right.max()) / 2
    y = place @ front - (up.min() + up.max()) / 2
    seen_at: Place = np.array((x, -y)) * high / 2 / half
    return seen_at


async def test_a_scan_is_drawn_and_each_mark_is_where_its_finding_is(
    case: Case, reader: Reader
) -> None:
    page = reader.page
    await expect(page.get_by_text(re.compile("19,8.. triangles, .* borders: 2"))).to_be_visible()
    await page.get_by_role("button", name="Show in 3-D: Upper jaw").click()
    await expect(reader.status("Upper jaw is drawn.")).to_be_visible()

    seen = await picture(case)
    (hole,) = (each for each in case.upper["report"]["findings"] if each["code"] == "hole")
    drawn = is_drawn(seen)
    assert 0.15 < drawn.mean() < 0.6
    assert not drawn[len(drawn) // 2, drawn.shape[1] // 2]  # the palate was not scanned
    # The page's sample of triangles is not the gateway's: two degrees apart at the most.
    assert np.abs(where(seen, MARK) - expected(UPPER, np.array(hole["places"][0]), seen)).max() < 12
    await reader.check()

    await page.get_by_role("button", name="Show the place: Hole of").click()
    await expect(reader.status("in the middle of the picture: Hole of")).to_be_visible()
    await expect(case.canvas).to_be_focused()
    near = await picture(case)
    assert np.abs(where(near, CHOSEN)).max() < 3
    # The border of the hole is drawn around its centre, about two millimetres away.
    millimetre = near.shape[0] / 2 / NEAR_MM
    rows, columns = np.nonzero((near[:, :, 0] > 150) & (near[:, :, 1] < 90) & (near[:, :, 2] < 100))
    away = np.hypot(columns - near.shape[1] / 2, rows - near.shape[0] / 2) / millimetre
    assert 1.0 < np.median(away) < 3.0
    assert reader.wrong == []
    assert await page.evaluate(KEPT) == []


async def test_jaws_are_shown_hidden_cut_and_measured_by_keyboard_or_by_hand(
    case: Case, reader: Reader
) -> None:
    page, keys = reader.page, reader.page.keyboard

    async def press(control: Locator, key: str = "Enter") -> Pixels:
        await control.focus()
        await keys.press(key)
        return await picture(case)

    await press(page.get_by_role("button", name="Show all in 3-D"))
    await expect(reader.status("Lower jaw is drawn.")).to_be_visible()
    both = await press(page.get_by_role("button", name="The front", exact=True))
    hidden = await press(page.get_by_role("checkbox", name="Shown: Lower jaw"), "Space")
    assert differ(both, hidden) > 0.1
    assert (
        differ(both, await press(page.get_by_role("checkbox", name="Shown: Lower jaw"), "Space"))
        < 0.01
    )
    opaque = await press(page.get_by_role("slider", name="Opacity: Lower jaw"), "Home")
    assert differ(both, opaque) > 0.1
    await press(page.get_by_role("slider", name="Opacity: Lower jaw"), "End")

    await page.get_by_label("Cut away").select_option("level")
    cut = await picture(case)
    assert differ(both, cut) > 0.1
    other = await press(page.get_by_role("checkbox", name="Cut the other side"), "Space")
    assert differ(cut, other) > 0.2
    await page.get_by_label("Cut away").select_option("")
    turned = await press(case.canvas, "ArrowRight")
    assert differ(both, turned) > 0.05

    await press(page.get_by_role("checkbox", name="Shown: Upper jaw"), "Space")
    seen = await press(page.get_by_role("button", name=re.compile("^Above")))
    await press(page.get_by_role("checkbox", name=re.compile("^Measure")), "Space")
    await press(case.canvas, "Enter")
    await expect(reader.status("There is no surface at that point.")).to_be_visible()
    row = int(0.7 * len(seen))  # across both molars
    columns = np.nonzero(is_drawn(seen)[row])[0]
    left, right = int(columns[0]) + 8, int(columns[-1]) - 8
    for x in (left, right):
        await case.canvas.click(position={"x": x, "y": row})
    await expect(reader.status("Distance: ")).to_be_visible()
    # Both lie at the same height of a symmetric arch: what is seen across is what is measured.
    wide = expected(LOWER, np.zeros(3), seen) - expected(LOWER, np.array((1.0, 0, 0)), seen)
    measured = float(re.sub("[^0-9.]", "", await page.locator("[data-distance]").inner_text()))
    assert measured == pytest.approx((right - left) / np.abs(wide).max(), rel=0.05)
    await reader.check()


async def test_garbage_is_said_to_be_unreadable_and_the_page_goes_on(
    case: Case, reader: Reader
) -> None:
    page = reader.page
    no_numbers = UPPER[:84] + b"\xff" * (len(UPPER) - 84)
    lies = [b"", b"<html>", UPPER[:-7], UPPER[:80] + b"\xff\xff\xff\xff" + UPPER[84:], no_numbers]
    for content in lies:
        await page.route(f"**/files/{case.upper['id']}/content", partial(lying, content))
        await page.get_by_role("button", name="Show in 3-D: Upper jaw").click()
        await expect(reader.alert("This scan cannot be drawn here")).to_be_visible()
    await page.get_by_role("button", name="Show in 3-D: Lower jaw").click()
    await expect(reader.status("Lower jaw is drawn.")).to_be_visible()
    assert reader.wrong == []


async def test_photos_are_shown_side_by_side_and_as_large_as_one_likes(
    case: Case, reader: Reader
) -> None:
    page = reader.page
    for name in ("Front, teeth closed", "Face, smiling"):
        await page.get_by_role("button", name=f"Show: {name}").click()
        await expect(page.get_by_role("img", name=name)).to_be_visible()
    boxes = [await each.bounding_box() for each in await page.locator("#photos img").all()]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    assert boxes[0]["y"] == boxes[1]["y"]
    await reader.check()

    await page.get_by_role("slider", name="Size: Face, smiling").fill("400")
    larger = await page.get_by_role("img", name="Face, smiling").bounding_box()
    assert larger is not None
    assert larger["width"] > 3.9 * boxes[1]["width"] - 100
    await page.get_by_role("button", name="Show: Face, smiling").click()
    await expect(page.get_by_role("img", name="Face, smiling")).to_have_count(0)
    assert await page.evaluate(KEPT) == []


async def lying(content: bytes, route: Route) -> None:
    """Answer with something else than the server would."""
    await route.fulfill(status=200, body=content, content_type="model/stl")


def is_drawn(seen: Pixels) -> npt.NDArray[np.bool_]:
    """Which pixels are not the ground, which the corners show; the frame around left out."""
    drawn: npt.NDArray[np.bool_] = (np.abs(seen - seen[9, 9]) > 30).any(axis=2)
    drawn[:, :9] = drawn[:, -9:] = False
    return drawn


def differ(one: Pixels, other: Pixels) -> float:
    """The part of the pixels that are clearly others."""
    return float((np.abs(one - other) > 30).any(axis=2).mean())
