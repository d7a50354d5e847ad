"""A lost second factor comes back by two people, a day and a notice; never by one, or at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from gateway.ids import now
from gateway.settings import Settings
from storage import recoveries
from tests.gateway.ground import (
    SQLITE,
    UNKNOWN,
    Browser,
    change,
    logged,
    refused,
    session_of,
    signed_in,
)
from tests.house import API, PASSWORD, House
from tests.mail import Mailbox, house_with_mail

pytestmark = pytest.mark.usefixtures("cheap_passwords")

OWNER = "dentist-with-password@people.invalid"


@dataclass
class Ground:
    """A dentist with a second factor, the practice's manager and one of ours."""

    house: House
    box: Mailbox
    owner: Browser
    owner_id: str
    manager: Browser
    administrator: Browser

    async def ask(self, who: Browser | None = None) -> Any:
        return await (who or self.manager).ask(
            "POST",
            f"{API}/accounts/{self.owner_id}/factor-recovery",
            json={"reason": "lost"},
        )

    async def agree(self, recovery_id: str, who: Browser | None = None) -> Any:
        path = f"{API}/factor-recoveries/{recovery_id}/agreement"
        return await (who or self.administrator).ask("POST", path, json={})

    async def agreed(self) -> str:
        recovery_id: str = (await self.ask()).json()["id"]
        answer = await self.agree(recovery_id)
        assert answer.json()["state"] == "agreed", answer.text
        return recovery_id

    async def let_time_pass(self) -> None:
        await change(self.house, "UPDATE factor_recoveries SET due_at = asked_at")
        await self.house.rooms.services.recoveries.remove_due()

    async def sign_in(self) -> Any:
        body = {"email": OWNER, "password": PASSWORD}
        return await self.house.stranger.ask("POST", f"{API}/session", json=body)


@pytest.fixture
async def ground(settings: Settings) -> AsyncIterator[Ground]:
    async with house_with_mail(settings) as (house, box):
        owner = await signed_in(house)
        await owner.enrol(OWNER)
        # Signing in is part of what is asked; the factor was last used before.
        owner_id = (await owner.ask("GET", f"{API}/account")).json()["id"]
        yield Ground(
            house,
            box,
            owner,
            owner_id,
            await signed_in(house, "practice_manager"),
            await signed_in(house, "administrator"),
        )


async def test_two_people_and_a_day_restore_a_lost_factor_and_its_owner_is_told_each_time(
    ground: Ground,
) -> None:
    assert (await ground.sign_in()).status == 202
    asked = (await ground.ask()).json()
    await ground.box.about("asked to remove", OWNER)
    agreed = (await ground.agree(asked["id"])).json()
    assert agreed["agreed_by"] != agreed["asked_by"]
    await ground.box.about("will be removed", OWNER)

    await ground.house.rooms.services.recoveries.remove_due()
    assert (await ground.sign_in()).status == 202  # a day has not passed

    await ground.let_time_pass()
    await ground.box.about("were removed", OWNER)
    refused(await ground.owner.ask("GET", f"{API}/session"), 401, "unauthenticated")
    assert (await ground.sign_in()).status == 200
    records = await logged(ground.house, "factor_recovery.complete")
    assert records[-1]["event"]["detail"] == {"recovery": asked["id"], "removed": True}


@SQLITE
async def test_the_delay_is_a_day_at_least(ground: Ground) -> None:
    recovery_id = await ground.agreed()
    async with ground.house.rooms.main.reading() as connection:
        found = await recoveries.get(connection, recovery_id)

    assert found is not None
    assert found.due_at is not None
    assert found.due_at - now() > timedelta(hours=23, minutes=50)


@SQLITE
async def test_one_person_alone_restores_nothing(ground: Ground) -> None:
    asked = (await ground.ask()).json()["id"]

    refused(await ground.agree(asked, ground.manager), 403, "forbidden")
    refused(await ground.agree(asked, ground.owner), 403, "forbidden")
    await ground.let_time_pass()

    assert (await ground.sign_in()).status == 202


@SQLITE
async def test_nobody_asks_for_themself_or_for_another_practice(ground: Ground) -> None:
    refused(await ground.ask(ground.owner), 403, "forbidden")
    refused(await ground.ask(ground.administrator), 403, "forbidden")
    own = (await ground.manager.ask("GET", f"{API}/account")).json()["id"]
    path = f"{API}/accounts/{{}}/factor-recovery"
    body = {"reason": "lost"}
    refused(await ground.manager.ask("POST", path.format(own), json=body), 403, "forbidden")
    _, foreign = await ground.house.add_practice()
    said = [
        await ground.manager.ask("POST", path.format(one), json=body)
        for one in (foreign.id, UNKNOWN)
    ]
    assert said[0].body == said[1].body
    refused(said[0], 404, "not_found")
    officer = await signed_in(ground.house, "privacy_officer")
    refused(await ground.ask(officer), 403, "forbidden")  # it is for the practice's manager


@SQLITE
async def test_for_our_own_people_an_officer_asks_and_an_administrator_agrees(
    ground: Ground,
) -> None:
    house = ground.house
    planner = await signed_in(house, "planner")
    own = (await planner.ask("GET", f"{API}/account")).json()["id"]
    officer = await signed_in(house, "privacy_officer")
    path = f"{API}/accounts/{own}/factor-recovery"

    asked = await officer.ask("POST", path, json={"reason": "broken"})

    assert asked.status == 202
    listed = (await officer.ask("GET", f"{API}/factor-recoveries")).json()["recoveries"]
    assert [one["id"] for one in listed] == [asked.json()["id"]]
    assert (await ground.manager.ask("GET", f"{API}/factor-recoveries")).json() == {
        "recoveries": []
    }
    assert (await ground.agree(asked.json()["id"])).status == 200


@SQLITE
@pytest.mark.parametrize("who", ["owner", "manager", "administrator"])
async def test_whoever_sees_that_it_is_not_so_stops_it(ground: Ground, who: str) -> None:
    recovery_id = await ground.agreed()
    path = f"{API}/factor-recoveries/{recovery_id}/objection"
    browser: Browser = getattr(ground, who)

    assert (await browser.ask("POST", path, json={})).status == 204

    await ground.let_time_pass()
    assert (await ground.sign_in()).status == 202
    await ground.box.about("stays", OWNER)
    refused(await browser.ask("POST", path, json={}), 409, "wrong_state")


@SQLITE
async def test_a_factor_that_is_used_meanwhile_was_not_lost(ground: Ground) -> None:
    await ground.agreed()
    await change(
        ground.house,
        "UPDATE factors SET used_at = (SELECT MAX(asked_at) + 1 FROM factor_recoveries)",
    )

    await ground.let_time_pass()

    assert (await ground.sign_in()).status == 202
    records = await logged(ground.house, "factor_recovery.complete")
    assert records[-1]["event"]["detail"]["removed"] is False


@SQLITE
@pytest.mark.parametrize("back", ["factors SET activated_at", "recovery_codes SET used_at"])
async def test_an_owner_who_came_back_by_a_code_or_set_up_a_factor_stops_it(
    ground: Ground, back: str
) -> None:
    await ground.agreed()
    moment = "(SELECT MAX(asked_at) + 1 FROM factor_recoveries)"
    await change(ground.house, f"UPDATE {back} = {moment}")

    await ground.let_time_pass()

    assert (await ground.sign_in()).status == 202
    records = await logged(ground.house, "factor_recovery.complete")
    assert records[-1]["event"]["detail"]["removed"] is False


@SQLITE
@pytest.mark.parametrize("way", ["asker by agreer", "agreer by asker"])
async def test_who_invited_who_asks_or_was_invited_by_them_does_not_agree(
    ground: Ground, way: str
) -> None:
    asked = (await ground.ask()).json()
    agreer = (await ground.administrator.ask("GET", f"{API}/account")).json()["id"]
    pair = {"made": asked["asked_by"], "by": agreer}
    if way == "agreer by asker":
        pair = {"made": agreer, "by": asked["asked_by"]}
    await change(ground.house, "UPDATE accounts SET invited_by = :by WHERE id = :made", **pair)

    refused(await ground.agree(asked["id"]), 403, "forbidden")

    other = await session_of(ground.house, (await ground.house.add_person("administrator")).id)
    assert (await ground.agree(asked["id"], other)).status == 200


async def test_an_agreement_an_objection_and_the_end_at_one_moment_leave_one_answer(
    ground: Ground,
) -> None:
    recovery_id = await ground.agreed()
    await change(ground.house, "UPDATE factor_recoveries SET due_at = asked_at")
    path = f"{API}/factor-recoveries/{recovery_id}/objection"

    async with asyncio.TaskGroup() as tasks:
        objection = tasks.create_task(ground.owner.ask("POST", path, json={}))
        tasks.create_task(ground.house.rooms.services.recoveries.remove_due())
        again = tasks.create_task(ground.agree(recovery_id))

    refused(again.result(), 409, "wrong_state")
    stopped = objection.result().status == 204
    assert (await ground.sign_in()).status == (202 if stopped else 200)
    async with ground.house.rooms.main.reading() as connection:
        found = await recoveries.get(connection, recovery_id)
    assert found is not None
    assert found.state == ("stopped" if stopped else "done")


@SQLITE
async def test_a_request_that_is_open_is_not_made_twice_and_needs_a_factor(
    ground: Ground,
) -> None:
    first, second = (await ground.ask()).json(), (await ground.ask()).json()
    assert first["id"] == second["id"]
    async with ground.house.rooms.main.reading() as connection:
        assert len(await recoveries.every_open(connection)) == 1

    path = f"{API}/accounts/{ground.house.dentist.id}/factor-recovery"
    answer = await ground.manager.ask("POST", path, json={"reason": "lost"})
    refused(answer, 409, "wrong_state")
