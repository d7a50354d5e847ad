"""The sessions of many people at once: seen and ended by who runs their accounts."""

from __future__ import annotations

from typing import Any

from tests.gateway.ground import SQLITE, UNKNOWN, Browser, change, logged, refused, session_of
from tests.house import API, House

pytestmark = SQLITE

PATH = f"{API}/sessions"


async def runs(house: House, role: str, practice: str | None = None) -> Browser:
    """Somebody who runs accounts, in a session that has just begun."""
    return await session_of(house, (await house.add_person(role, practice)).id)


async def listed(browser: Browser, **query: Any) -> Any:
    answer = await browser.ask("GET", PATH, params=query)
    assert answer.status == 200, answer.text
    return answer.json()


async def test_an_administrator_sees_everybodys_sessions_and_a_manager_the_practices(
    house: House,
) -> None:
    south, foreign = await house.add_practice()
    for person in (house.dentist, foreign, house.planner):
        await session_of(house, person.id)
    administrator = await runs(house, "administrator")
    manager = await runs(house, "practice_manager", house.practice.id)

    everybody = (await listed(administrator))["sessions"]
    own = (await listed(manager))["sessions"]

    assert len(everybody) == 5
    assert {entry["email"] for entry in everybody} > {foreign.email, house.planner.email}
    assert {entry["controller_id"] for entry in own} == {house.practice.id}
    assert south.id in {entry["controller_id"] for entry in everybody}
    assert [entry["current"] for entry in own] == [True, False]  # the newest first
    assert administrator.cookie.partition("=")[2] not in str(everybody)


async def test_pages_of_sessions_are_the_whole_list(house: House) -> None:
    administrator = await runs(house, "administrator")
    for _ in range(4):
        await session_of(house, house.dentist.id)
    await change(
        house,
        "UPDATE sessions SET expires_at = 0 WHERE account_id = :id AND id = "
        "(SELECT max(id) FROM sessions)",
        id=house.dentist.id,
    )
    whole = [entry["id"] for entry in (await listed(administrator))["sessions"]]
    paged, following = [], None
    while True:
        page = await listed(administrator, limit=2, **({"before": following} if following else {}))
        paged += [entry["id"] for entry in page["sessions"]]
        if (following := page["next"]) is None:
            break

    assert paged == whole
    assert len(whole) == 4  # the one that is over is left out


async def test_all_sessions_but_the_own_end_at_once_and_sign_ins_with_them(house: House) -> None:
    _, foreign = await house.add_practice()
    dentist, stranger = [await session_of(house, one.id) for one in (house.dentist, foreign)]
    administrator = await runs(house, "administrator")
    manager = await runs(house, "practice_manager", house.practice.id)

    assert (await manager.ask("DELETE", PATH)).json() == {"ended": 1}
    refused(await dentist.ask("GET", f"{API}/cases"), 401, "unauthenticated")
    assert (await stranger.ask("GET", f"{API}/cases")).status == 200
    assert (await manager.ask("GET", f"{API}/session")).status == 200

    assert (await administrator.ask("DELETE", PATH)).json() == {"ended": 2}
    refused(await stranger.ask("GET", f"{API}/cases"), 401, "unauthenticated")
    refused(await manager.ask("GET", f"{API}/session"), 401, "unauthenticated")
    assert (await administrator.ask("GET", f"{API}/session")).status == 200
    assert (await house.dentist.ask("GET", f"{API}/cases")).status == 200  # a token goes on
    said = [one["event"].get("detail", {}) for one in await logged(house, "session.end_all")]
    assert [detail["ended"] for detail in said if "ended" in detail] == [1, 2]


async def test_one_session_of_another_practice_is_like_one_that_there_is_not(house: House) -> None:
    _, foreign = await house.add_practice()
    await session_of(house, foreign.id)
    theirs = await session_of(house, house.dentist.id)
    manager = await runs(house, "practice_manager", house.practice.id)
    administrator = await runs(house, "administrator")
    of = {one["account_id"]: one["id"] for one in (await listed(administrator))["sessions"]}

    beyond = await manager.ask("DELETE", f"{PATH}/{of[foreign.id]}")
    unknown = await manager.ask("DELETE", f"{PATH}/{UNKNOWN}")
    refused(beyond, 404, "not_found")
    assert beyond.body == unknown.body
    assert (await manager.ask("DELETE", f"{PATH}/{of[house.dentist.id]}")).status == 204
    refused(await theirs.ask("GET", f"{API}/cases"), 401, "unauthenticated")
    assert (await administrator.ask("DELETE", f"{PATH}/{of[foreign.id]}")).status == 204


async def test_ending_everybodys_sessions_takes_a_fresh_confirmation(house: House) -> None:
    administrator = await runs(house, "administrator")
    await change(house, "UPDATE sessions SET confirmed_at = confirmed_at - 3600000000")

    for path in (PATH, f"{PATH}/{UNKNOWN}"):
        refused(await administrator.ask("DELETE", path), 403, "confirmation_required")
