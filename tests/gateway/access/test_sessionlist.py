"""Where somebody is signed in: seen, ended, locked after a silence, renewed by a new proof."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from gateway.access.throttle import BROWSER_MAILED
from gateway.settings import Settings
from storage.schema import notices
from tests.gateway.ground import (
    SQLITE,
    UNKNOWN,
    Browser,
    change,
    employee,
    logged,
    refused,
    signed_in,
)
from tests.house import API, PASSWORD, Answer, House, open_house

pytestmark = [SQLITE, pytest.mark.usefixtures("cheap_passwords")]

PATH = f"{API}/account/sessions"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
SILENT = "UPDATE sessions SET seen_at = seen_at - :minutes * 60000000"


async def confirm(browser: Browser, password: str = PASSWORD) -> Answer:
    return await browser.ask("POST", f"{API}/session/confirmation", json={"password": password})


async def listed(browser: Browser) -> list[dict[str, Any]]:
    answer = await browser.ask("GET", PATH)
    assert answer.status == 200, answer.text
    entries: list[dict[str, Any]] = answer.json()["sessions"]
    return entries


async def test_sessions_are_listed_with_device_and_place(house: House) -> None:
    email = await employee(house)
    browser = Browser(house, house.url, {"User-Agent": FIREFOX})
    await browser.sign_in(email)
    other = Browser(house, house.url)
    await other.sign_in(email)

    entries = {entry["current"]: entry for entry in await listed(browser)}
    assert set(entries) == {True, False}
    assert entries[True]["device"] == "Firefox on Windows"
    assert entries[True]["address"] == "127.0.0.1"
    assert entries[True]["proofs"] == ["password"]
    assert entries[True]["id"] != entries[False]["id"]
    secret = browser.cookie.partition("=")[2]
    assert secret not in str(entries)


async def test_nobody_sees_or_ends_sessions_of_others(house: House) -> None:
    dentist, planner = await signed_in(house), await signed_in(house, "planner")
    (theirs,) = await listed(dentist)

    assert theirs["id"] not in str(await listed(planner))
    foreign = await planner.ask("DELETE", f"{PATH}/{theirs['id']}")
    unknown = await planner.ask("DELETE", f"{PATH}/{UNKNOWN}")
    refused(foreign, 404, "not_found")
    assert foreign.body == unknown.body
    assert len(await listed(dentist)) == 1


async def test_one_session_is_ended_and_the_others_go_on(house: House) -> None:
    email = await employee(house)
    here, there = Browser(house, house.url), Browser(house, house.url)
    await here.sign_in(email)
    await there.sign_in(email)
    (other,) = [entry for entry in await listed(here) if not entry["current"]]

    assert (await here.ask("DELETE", f"{PATH}/{other['id']}")).status == 204
    refused(await there.ask("GET", f"{API}/cases"), 401, "unauthenticated")
    assert len(await listed(here)) == 1


async def test_all_other_sessions_end_at_once(house: House) -> None:
    email = await employee(house)
    here, *others = [Browser(house, house.url) for _ in range(3)]
    for browser in (here, *others):
        await browser.sign_in(email)

    assert (await here.ask("DELETE", PATH)).json() == {"ended": 2}
    for browser in others:
        refused(await browser.ask("GET", f"{API}/cases"), 401, "unauthenticated")
    assert [entry["current"] for entry in await listed(here)] == [True]


async def test_ending_sessions_takes_a_fresh_confirmation(house: House) -> None:
    browser = await signed_in(house)
    await change(house, "UPDATE sessions SET confirmed_at = confirmed_at - 3600000000")

    refused(await browser.ask("DELETE", PATH), 403, "confirmation_required")
    assert (await confirm(browser)).status == 200
    assert (await browser.ask("DELETE", PATH)).json() == {"ended": 0}


async def test_an_administrator_ends_the_sessions_of_anybody(house: House) -> None:
    dentist, administrator = await signed_in(house), await signed_in(house, "administrator")
    account = (await dentist.ask("GET", f"{API}/session")).json()["account"]["id"]
    planner = await signed_in(house, "planner")
    path = f"{API}/accounts/{account}/sessions"

    refused(await planner.ask("DELETE", path), 403, "forbidden")
    unknown = await administrator.ask("DELETE", f"{API}/accounts/{UNKNOWN}/sessions")
    refused(unknown, 404, "not_found")
    assert (await administrator.ask("DELETE", path)).json() == {"ended": 1}
    refused(await dentist.ask("GET", f"{API}/cases"), 401, "unauthenticated")


async def test_staff_who_were_silent_for_a_quarter_of_an_hour_are_locked(house: House) -> None:
    planner = await signed_in(house, "planner")
    await change(house, SILENT, minutes=15)

    for _ in range(2):  # being refused is no sign of life
        refused(await planner.ask("GET", f"{API}/cases"), 401, "session_locked")
    view = (await planner.ask("GET", f"{API}/session")).json()
    assert (view["restricted"], view["csrf_token"]) == ("locked", planner.csrf)
    refused(await planner.ask("GET", PATH), 401, "session_locked")


async def test_a_locked_session_is_unlocked_by_its_own_person_alone(house: House) -> None:
    planner = await signed_in(house, "planner")
    await change(house, SILENT, minutes=20)

    refused(await confirm(planner, "not the right password"), 401, "login_failed")
    refused(await planner.ask("GET", f"{API}/cases"), 401, "session_locked")
    answer = await confirm(planner)
    assert (answer.status, answer.json()["restricted"]) == (200, None)
    assert (await planner.ask("GET", f"{API}/cases")).status == 200


async def test_a_locked_session_still_ends_by_time(house: House) -> None:
    planner = await signed_in(house, "planner")
    await change(house, SILENT, minutes=30)

    refused(await confirm(planner), 401, "unauthenticated")


async def elsewhere(house: House) -> None:
    """As if everybody had proved themselves in another network than the one of the next request."""
    await change(house, "UPDATE sessions SET address = '203.0.113.9'")


async def test_a_session_of_staff_that_moves_is_locked_wherever_it_is_used(house: House) -> None:
    planner = await signed_in(house, "planner")
    thief = Browser(house, house.url, {"User-Agent": FIREFOX}, planner.cookie, planner.csrf)

    refused(await thief.ask("GET", f"{API}/cases"), 401, "session_locked")
    refused(await planner.ask("GET", f"{API}/cases"), 401, "session_locked")
    (said,) = [
        one["event"]["detail"]
        for one in await logged(house, "session.use")
        if one["event"]["detail"].get("ended") == "moved"
    ]
    assert said["refusal"] == "session_locked"

    assert (await confirm(planner)).status == 200
    assert (await planner.ask("GET", f"{API}/cases")).status == 200
    refused(await thief.ask("GET", f"{API}/cases"), 401, "unauthenticated")

    await elsewhere(house)
    refused(await planner.ask("GET", f"{API}/cases"), 401, "session_locked")
    assert (await confirm(planner)).status == 200
    assert (await listed(planner))[0]["address"] == "127.0.0.1"


async def test_a_dentist_who_moves_goes_on_and_proves_themself_before_what_is_dangerous(
    house: House,
) -> None:
    dentist = await signed_in(house)
    await elsewhere(house)

    assert (await dentist.ask("GET", f"{API}/cases")).status == 200
    refused(await dentist.ask("DELETE", PATH), 403, "confirmation_required")
    assert (await confirm(dentist)).status == 200
    assert (await dentist.ask("DELETE", PATH)).status == 200


async def test_a_house_may_let_its_staff_move(settings: Settings) -> None:
    async with open_house(settings.model_copy(update={"lock_on_move": False})) as house:
        planner = await signed_in(house, "planner")
        await elsewhere(house)

        assert (await planner.ask("GET", f"{API}/cases")).status == 200
        refused(await planner.ask("DELETE", PATH), 403, "confirmation_required")


async def test_the_owner_is_told_of_a_new_browser_and_not_of_the_first(house: House) -> None:
    email, first = await employee(house), Browser(house, house.url)

    async def told() -> int:
        async with house.rooms.main.reading() as connection:
            kind = notices.c.kind == "new_browser"
            count = select(func.count()).select_from(notices).where(kind)
            return int((await connection.execute(count)).scalar_one())

    assert (await first.sign_in(email)).status == 200
    assert await told() == 0
    for _ in range(BROWSER_MAILED.free + 1):
        assert (await Browser(house, house.url).sign_in(email)).status == 200
    assert await told() == BROWSER_MAILED.free


async def test_who_is_locked_can_still_sign_out(house: House) -> None:
    planner = await signed_in(house, "planner")
    await change(house, SILENT, minutes=16)

    assert (await planner.ask("DELETE", f"{API}/session")).status == 204
    refused(await planner.ask("GET", f"{API}/session"), 401, "unauthenticated")


async def test_a_dentist_at_the_chair_is_not_locked(house: House) -> None:
    dentist = await signed_in(house)
    await change(house, SILENT, minutes=20)

    assert (await dentist.ask("GET", f"{API}/cases")).status == 200


async def test_a_new_proof_gives_the_session_another_secret(house: House) -> None:
    browser = await signed_in(house)
    stolen = Browser(house, house.url, cookie=browser.cookie, csrf=browser.csrf)
    (before,) = await listed(browser)

    answer = await confirm(browser)
    assert answer.json()["csrf_token"] != stolen.csrf
    refused(await stolen.ask("GET", f"{API}/cases"), 401, "unauthenticated")
    (after,) = await listed(browser)
    assert (after["id"], after["expires_at"]) == (before["id"], before["expires_at"])


async def test_a_browser_forgets_what_it_kept_at_sign_out(house: House) -> None:
    answer = await (await signed_in(house)).ask("DELETE", f"{API}/session")

    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
