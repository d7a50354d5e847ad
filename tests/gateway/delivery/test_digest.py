"""The daily digest: once a day, to every officer, counts alone, and nothing where nothing waits."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from gateway.access.notices import tell
from gateway.delivery.digest import Digest
from gateway.ids import new_id, now
from gateway.settings import Settings
from storage import alerts
from storage.alerts import Finding
from storage.schema import notices
from tests.gateway.ground import SQLITE, UNKNOWN
from tests.house import API, House
from tests.mail import house_with_mail

DAY = timedelta(days=1)


async def test_once_a_day_at_its_hour_every_officer_gets_the_counts(settings: Settings) -> None:
    at = datetime(2026, 11, 23, 5, 59, tzinfo=UTC)
    async with house_with_mail(settings) as (house, box):
        digests = [Digest(house.rooms.main, 6, lambda: at) for _ in range(3)]

        async def step() -> int:
            return sum(await asyncio.gather(*(digest.step() for digest in digests)))

        async with house.rooms.main.transaction() as tx:
            for severity in (3, 2, 2, 1):
                await alerts.record(tx, new_id(), finding(severity), now())
        await house.officer.post(f"{API}/incidents", {"title": "Stolen"}, 201)
        assert await step() == 0
        at += timedelta(minutes=2)
        assert await step() == 1
        at += timedelta(minutes=58)
        assert await step() == 0

        mail = await box.about("waits for you", house.officer.email)
        said = mail.text.splitlines()
        assert "Open alerts of high severity: 1" in said
        assert "Other open alerts: 3" in said
        assert "Incidents that are not closed: 1" in said
        assert "Messages that could not be delivered: 0" in said
        at = at.replace(hour=6) + DAY
        assert await step() == 1
        assert "waits for you" in (await box.next_to(house.officer.email, 2)).message["Subject"]


@SQLITE
async def test_where_nothing_waits_nothing_is_sent(house: House) -> None:
    at = now()
    assert await Digest(house.rooms.main, at.hour, lambda: at).step()
    found = await house.officer.get(f"{API}/deliveries?state=any")
    assert found["deliveries"] == []


@SQLITE
async def test_a_message_that_is_dead_is_counted(settings: Settings) -> None:
    async with house_with_mail(settings) as (house, box):
        async with house.rooms.main.transaction() as tx:
            await tell(tx, "password_changed", controller_id=house.practice.id)
            await tell(tx, "password_changed", controller_id=house.practice.id)
            await tx.execute(update(notices).values(dead_at=now()))
        at = now()
        assert await Digest(house.rooms.main, at.hour, lambda: at).step()

        mail = await box.about("waits for you", house.officer.email)
        assert "Messages that could not be delivered: 2" in mail.text
        assert UNKNOWN[:8] not in mail.text


def finding(severity: int) -> Finding:
    return Finding("tamper", new_id(), severity, now(), 0, 0, 1)
