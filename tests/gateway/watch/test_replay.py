"""Reading the log again: the same alerts, nothing written but that one looked."""

from __future__ import annotations

from datetime import timedelta

from gateway.access.actors import operator
from gateway.ids import now
from gateway.watch.replay import Replayed, replay
from gateway.watch.seen import Severity
from gateway.watch.thresholds import Thresholds
from storage import alerts
from storage.accesslog import feed
from tests.gateway.ground import SQLITE, change, logged, until
from tests.house import API, House


async def again(house: House) -> Replayed:
    access = house.rooms.services.access
    since = now() - timedelta(days=1)
    return await replay(house.rooms.main, access, operator(), Thresholds(), since)


async def watched(house: House) -> bool:
    """Whether every event has its place, and was watched."""
    async with house.rooms.main.reading() as connection:
        if await feed.waiting_since(connection) is not None:
            return False
        return await alerts.position(connection) == await feed.size(connection)


async def test_a_replay_says_what_the_watch_said_and_each_time_the_same(house: House) -> None:
    case_id = await house.dentist.new_case()
    path = f"{API}/cases/{case_id}/misuse-reports"
    await house.dentist.post(path, {"words": "nobody had a reason"}, 201)
    await until(lambda: watched(house))
    async with house.rooms.main.reading() as connection:
        kept = await alerts.list_alerts(
            connection, state=None, least_severity=1, before=None, limit=100
        )

    first, second = await again(house), await again(house)

    said = [(alert.rule, alert.key, alert.count) for alert in first.alerts]
    assert sorted(said) == sorted((alert.rule, alert.key, alert.count) for alert in kept)
    assert first.alerts == second.alerts
    assert "misuse_report" in {alert.rule for alert in first.alerts}
    assert first.user_days > 0
    assert first.noise(Severity.HIGH) >= 1000 / first.user_days
    assert len(await logged(house, "watch.replay")) == 2


@SQLITE
async def test_a_replay_leaves_altered_records_out_and_counts_them(house: House) -> None:
    await house.dentist.new_case()
    await until(lambda: watched(house))
    before = await again(house)
    await until(lambda: watched(house))
    await change(house, """UPDATE events SET record = '{' WHERE "index" = 0""")

    after = await again(house)

    assert (before.altered, after.altered) == (0, 1)
    assert after.events > 0
