"""Every webhook is told, none holds up another, and what nobody takes is seen and sent again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.access.alarms import raise_alarm
from gateway.access.notices import announce, tell
from gateway.delivery.sending import KEPT, KEPT_DEAD, Sender
from gateway.delivery.webhook import Webhooks
from gateway.ids import new_id, now
from gateway.mail.post import Post
from gateway.settings import Settings
from storage import notices
from tests.gateway.delivery.receiver import Receiver, hooked_to, receiver
from tests.gateway.ground import SQLITE, UNKNOWN, change, logged, refused, until
from tests.house import API, House, open_house
from tests.mail import by_mail, mail_server

WEEK = int(KEPT.total_seconds() * 1_000_000)


@pytest.fixture
async def told(settings: Settings, tmp_path: Path) -> AsyncIterator[tuple[House, Receiver]]:
    """A house with a hook that takes what comes, and one where nobody listens."""
    async with receiver(tmp_path) as taken:
        urls = {"siem": taken.url, "gone": "https://localhost:1/"}
        async with open_house(hooked_to(settings, tmp_path, taken.authority, **urls)) as house:
            yield house, taken


async def say(house: House, kind: str = "alert.high") -> None:
    async with house.rooms.main.transaction() as tx:
        await announce(tx, kind, id=UNKNOWN)


async def listed(house: House, state: str) -> list[dict[str, Any]]:
    found = await house.officer.get(f"{API}/deliveries?state={state}")
    return list(found["deliveries"])


async def test_every_hook_is_told_and_one_that_fails_holds_up_nobody(
    told: tuple[House, Receiver],
) -> None:
    house, taken = told
    await say(house)
    async with asyncio.timeout(60):
        await taken.came.wait()

    async def one_is_left() -> bool:
        found = await listed(house, "waiting")
        return [(each["hook"], each["failure"]) for each in found] == [("gone", "unreachable")]

    await until(one_is_left)
    [(headers, body)] = taken.arrived
    assert json.loads(body)["data"] == {"id": UNKNOWN}
    assert json.loads(body)["type"] == "alert.high"
    done = (await logged(house, "notice.send"))[-1]["event"]["detail"]
    assert (done["to"], done["sent"], done["kind"]) == ("siem", True, "alert.high")
    assert headers["webhook-id"] not in {each["id"] for each in await listed(house, "any")}


@SQLITE
async def test_what_was_refused_for_a_week_is_dead_until_somebody_asks_and_then_leaves(
    told: tuple[House, Receiver],
) -> None:
    house, taken = told
    taken.status = 503
    sender = house.rooms.sender
    await say(house)

    async def was_tried() -> bool:
        return [each["failure"] for each in await listed(house, "waiting")].count("status 503") == 1

    await until(was_tried)
    await change(
        house,
        f"UPDATE notices SET created_at = created_at - {WEEK}, due_at = 0 WHERE hook = 'siem'",
    )

    async def is_dead() -> bool:
        await sender.send_one("siem")
        return len(await listed(house, "dead")) == 1

    await until(is_dead)
    [dead] = await listed(house, "dead")
    assert (dead["channel"], dead["failure"], dead["state"]) == ("webhook", "status 503", "dead")
    assert (await logged(house, "notice.send"))[-1]["event"]["detail"]["sent"] is False
    taken.status = 204
    came = len(taken.arrived)
    assert not await sender.send_one("siem")

    again = await house.officer.post(f"{API}/deliveries/{dead['id']}/retry", status=202)
    assert again["state"] == "waiting"

    async def has_left() -> bool:
        return dead["id"] not in {each["id"] for each in await listed(house, "any")}

    await until(has_left)
    assert taken.arrived[came][0]["webhook-id"] == dead["id"]
    refused(
        await house.officer.ask("POST", f"{API}/deliveries/{dead['id']}/retry"), 404, "not_found"
    )


@SQLITE
async def test_a_mail_that_nobody_takes_is_in_the_same_list_without_its_address(
    settings: Settings,
) -> None:
    async with mail_server() as box, open_house(by_mail(settings, box)) as house:
        box.answer = "550 no such box"
        async with house.rooms.main.transaction() as tx:
            await tell(tx, "password_changed", account_id=house.dentist.id)

        async def was_tried() -> bool:
            return [each["failure"] for each in await listed(house, "waiting")] == ["mail"]

        await until(was_tried)
        waiting = await house.officer.ask("GET", f"{API}/deliveries?state=waiting")
        [view] = waiting.json()["deliveries"]
        assert (view["channel"], view["account_id"]) == ("mail", house.dentist.id)
        assert house.dentist.email not in waiting.text
        still = await house.officer.ask("POST", f"{API}/deliveries/{view['id']}/retry")
        refused(still, 409, "wrong_state")

        long_ago = WEEK + int(KEPT_DEAD.total_seconds() * 1_000_000)
        await change(
            house,
            f"UPDATE notices SET created_at = created_at - {long_ago}, due_at = 0,"
            f" dead_at = created_at - {long_ago}",
        )

        async def is_forgotten() -> bool:
            return await listed(house, "any") == []

        await until(is_forgotten)


@SQLITE
async def test_a_hook_that_the_settings_name_no_more_is_never_told_again(
    told: tuple[House, Receiver],
) -> None:
    house, taken = told
    notice = notices.Notice(new_id(), "alert.high", now(), now(), hook="removed")
    async with house.rooms.main.transaction() as tx:
        await notices.add(tx, notice)

    async def is_dead() -> bool:
        return [each["id"] for each in await listed(house, "dead")] == [notice.id]

    await until(is_dead)
    assert (await listed(house, "dead"))[0]["failure"] == "unknown"
    assert taken.arrived == []


@SQLITE
async def test_without_hooks_what_is_announced_is_dropped(house: House) -> None:
    await say(house)

    async def is_dropped() -> bool:
        return await listed(house, "any") == []

    await until(is_dropped)


@SQLITE
async def test_of_a_hundred_high_alerts_a_person_gets_one_mail(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rest(_: Sender) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Sender, "run", rest)
    async with mail_server() as box, open_house(settings) as house:
        async with house.rooms.main.transaction() as tx:
            for number in range(100):
                await raise_alarm(tx, f"{UNKNOWN[:-3]}{number:03}", "tamper")
        chosen = by_mail(settings, box)
        access = house.rooms.services.access
        sender = Sender(house.rooms.main, access, Post(chosen), Webhooks(chosen))
        while await sender.send_one():
            pass

        [mail] = box.to(house.officer.email)
        assert "cannot wait" in mail.message["Subject"]
        assert UNKNOWN[:8] not in mail.text


@SQLITE
async def test_the_watch_tells_of_a_high_alert_by_its_id_and_rule_alone(
    told: tuple[House, Receiver],
) -> None:
    house, taken = told
    case_id = await house.dentist.new_case()
    words = {"words": "nobody had a reason"}
    await house.dentist.post(f"{API}/cases/{case_id}/misuse-reports", words, 201)
    async with asyncio.timeout(60):
        await taken.came.wait()

    told_of = json.loads(taken.arrived[0][1])["data"]
    assert set(told_of) == {"id", "rule"}
    alert = await house.officer.get(f"{API}/alerts/{told_of['id']}")
    assert (alert["severity"], alert["rule"]) == ("high", told_of["rule"])
    assert case_id not in taken.arrived[0][1].decode()
