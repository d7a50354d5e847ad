"""The running watch, on both databases: one process at a time, each alert once, come what may."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

import pytest
from sqlalchemy import update

from gateway.watch.engine import Engine
from gateway.watch.logcheck import LAG
from gateway.watch.seen import Seen
from gateway.watch.thresholds import Thresholds
from gateway.watch.watching import BATCH, LIFETIME, PAUSE, Watching
from storage import alerts
from storage.errors import LeaseLostError
from storage.schema import events
from storage.schema import leases as lease_rows
from tests.gateway.watch.numbered import (
    Numbered,
    alarm,
    following,
    found,
    logged,
    undisturbed,
    watch,
)
from tests.storage.accesslog.log_ground import START, event
from tests.storage.accesslog.tampering import flip_record, set_event, truncate, value


async def test_what_a_rule_says_becomes_an_alert_with_its_place(ground: Numbered) -> None:
    await logged(ground, [event(1), event(2), alarm(3)])

    await watch(ground).step()

    (alert,) = await found(ground)
    assert (alert.rule, alert.severity, alert.state) == ("tamper", 3, "open")
    assert (alert.case_id, alert.first_index, alert.last_index) == ("case-3", 2, 2)
    assert await following(ground) == 3


async def test_an_event_without_a_place_is_watched_once_it_has_one(ground: Numbered) -> None:
    watching = watch(ground)
    await ground.write([alarm(1)])
    assert await watching.step() == 0
    assert not await found(ground)

    await ground.numbering.step()
    assert await watching.step() == 1

    assert len(await found(ground)) == 1


async def test_of_two_nodes_one_watches(ground: Numbered) -> None:
    await logged(ground, [alarm(1)])

    assert await watch(ground, "node-1").step() == 1
    assert await watch(ground, "node-2").step() == 0

    assert len(await found(ground)) == 1


async def test_a_node_that_died_is_replaced_within_ten_seconds(ground: Numbered) -> None:
    assert timedelta(seconds=PAUSE) + LIFETIME < timedelta(seconds=10)
    await logged(ground, [alarm(1)])
    second = watch(ground, "node-2")
    await watch(ground, "node-1").step()  # and then never again
    await logged(ground, [alarm(2)])
    assert await second.step() == 0

    ground.time += LIFETIME
    assert await second.step() == 1

    assert [alert.case_id for alert in await found(ground)] == ["case-2", "case-1"]


async def test_a_node_that_slept_through_its_lease_writes_nothing(ground: Numbered) -> None:
    first, second = watch(ground, "node-1"), watch(ground, "node-2")
    await first.step()
    await logged(ground, [alarm(1)])
    slept = ground.time
    ground.time += LIFETIME
    await second.step()
    before = await found(ground)
    await logged(ground, [alarm(2)])

    ground.time = slept  # as the first one still believes
    with pytest.raises(LeaseLostError):
        await first.step()

    assert await found(ground) == before
    assert await following(ground) == 1


async def test_a_new_holder_knows_what_came_before_and_says_none_of_it_again(
    ground: Numbered,
) -> None:
    wrong = {"code": "session.open", "action": "E", "stage": "refused", "case_id": None}
    tries = [event(n, address="192.0.2.7", **wrong) for n in range(1, 60)]
    await logged(ground, tries[:30])
    await watch(ground, "node-1").step()
    half = await found(ground)
    ground.time += LIFETIME
    await logged(ground, tries[30:])

    await watch(ground, "node-2").step()

    whole = {(alert.rule, alert.key): alert for alert in await found(ground)}
    assert half
    assert all(
        whole[alert.rule, alert.key].id == alert.id
        and whole[alert.rule, alert.key].first_index == alert.first_index
        for alert in half
    )
    assert max(alert.count for alert in whole.values()) > max(alert.count for alert in half)


async def test_alerts_and_position_are_written_together_or_not_at_all(
    ground: Numbered, monkeypatch: pytest.MonkeyPatch
) -> None:
    await logged(ground, [alarm(1), alarm(2)])
    watching = watch(ground)

    async def fail(tx: object, place: int, of: str) -> None:
        raise OSError(f"no room for {place} of {of} in {tx}")

    with monkeypatch.context() as patch:
        patch.setattr(alerts, "move", fail)
        with pytest.raises(OSError, match="no room"):
            await watching.step()
    assert not await found(ground)

    await watching.step()

    assert len(await found(ground)) == 2


async def test_however_often_it_is_killed_every_alert_is_there_once(ground: Numbered) -> None:
    count = 4 * BATCH + 7
    await logged(ground, [alarm(n) for n in range(1, count + 1)])
    url = ground.database.url.render_as_string(hide_password=False)
    for steps in range(3):
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.gateway.watch.watch_child", url),
            stdout=asyncio.subprocess.PIPE,
        )
        assert child.stdout is not None
        for _ in range(steps):
            await child.stdout.readline()
        child.kill()
        await child.wait()
        async with ground.database.transaction() as tx:
            # By the clock that all share here, its lease never runs out by itself.
            await tx.execute(update(lease_rows).values(expires_at=START))

    watching = watch(ground)
    while await following(ground) != count:
        await watching.step()

    said = [(alert.rule, alert.key, alert.count) for alert in await found(ground)]
    assert sorted(said) == sorted(await undisturbed(ground))
    assert len(said) >= count


async def test_a_record_that_was_altered_is_an_alert(ground: Numbered) -> None:
    await logged(ground, [event(1), event(2), event(3)])
    async with ground.database.transaction() as tx:
        await flip_record(tx, 1)

    await watch(ground).step()

    altered = {alert.rule: alert for alert in await found(ground)}
    assert altered["log_altered"].severity == 3
    assert (altered["log_altered"].first_index, altered["log_altered"].last_index) == (1, 1)
    assert "log_gap" in altered


@pytest.mark.parametrize("written", ["{", "{}"])
async def test_a_record_that_was_altered_after_it_was_watched_is_an_alert_and_the_watch_goes_on(
    ground: Numbered, written: str
) -> None:
    await logged(ground, [event(n) for n in range(1, 2 * BATCH)])
    first = watch(ground, "node-1")
    while await following(ground) != 2 * BATCH - 1:
        await first.step()
    async with ground.database.transaction() as tx:
        for place in (1, 3, BATCH + 3):
            await set_event(tx, place, record=written)
    await logged(ground, [alarm(2 * BATCH)])

    for node in ("node-2", "node-3"):
        ground.time += LIFETIME
        await watch(ground, node).step()

    said = {alert.rule: alert for alert in await found(ground)}
    assert len(await found(ground)) == 2
    assert said["tamper"].first_index == 2 * BATCH - 1
    altered = said["log_altered"]
    assert (altered.first_index, altered.last_index, altered.count) == (1, BATCH + 3, 3)


async def test_forged_history_is_not_believed(ground: Numbered) -> None:
    declared = {"code": "emergency.declare", "stage": "outcome", "object_id": "emergency-1"}
    await logged(ground, [event(1, **declared)])
    await watch(ground, "node-1").step()
    async with ground.database.transaction() as tx:
        record: str = await value(tx, events.c.record, 0)
        await set_event(tx, 0, record=record.replace("emergency-1", "emergency-2"))
    ground.time += timedelta(days=10)
    await logged(ground, [event(10 * 86_400)])

    await watch(ground, "node-2").step()

    assert {alert.rule for alert in await found(ground)} == {"log_altered"}


async def test_a_record_that_was_emptied_as_if_pruned_is_an_alert(ground: Numbered) -> None:
    await logged(ground, [event(1), event(2), event(3)])
    async with ground.database.transaction() as tx:
        emptied = update(events).where(events.c.index == 1)
        await tx.execute(emptied.values(record=None, salt=None))

    await watch(ground).step()

    assert "log_gap" in {alert.rule for alert in await found(ground)}


async def test_a_log_that_became_shorter_is_an_alert_and_is_watched_on(ground: Numbered) -> None:
    await logged(ground, [event(n) for n in range(1, 8)])
    watching = watch(ground)
    await watching.step()
    async with ground.database.transaction() as tx:
        await truncate(tx, 4)

    await watching.step()

    (alert,) = await found(ground)
    assert (alert.rule, alert.first_index, alert.last_index) == ("log_shortened", 4, 6)
    assert await following(ground) == 4


async def test_events_that_wait_for_their_place_for_a_minute_are_an_alert(ground: Numbered) -> None:
    await ground.write([event(1)])
    watching = watch(ground)
    await watching.step()
    assert not await found(ground)

    ground.time = START + timedelta(seconds=1) + LAG
    await watching.step()
    await watching.step()

    (alert,) = await found(ground)
    assert (alert.rule, alert.severity) == ("log_lag", 2)


async def test_only_the_last_days_are_read_again_by_a_new_holder(
    ground: Numbered, monkeypatch: pytest.MonkeyPatch
) -> None:
    await logged(ground, [event(n) for n in range(1, 20)])
    await watch(ground, "node-1").step()
    ground.time += timedelta(days=Thresholds().history_days + 1)
    late = (ground.time - START) // timedelta(seconds=1)
    await logged(ground, [event(late + n) for n in range(3)])
    await watch(ground, "node-2").step()
    ground.time += LIFETIME
    fed: list[int] = []
    feeding = Engine.feed

    def note(engine: Engine, seen: Seen) -> object:
        fed.append(seen.index)
        return feeding(engine, seen)

    monkeypatch.setattr(Engine, "feed", note)
    await watch(ground, "node-3").step()

    assert fed == [19, 20, 21]


async def test_running_ends_when_it_is_cancelled_and_gives_the_lease_back(ground: Numbered) -> None:
    await logged(ground, [alarm(1)])
    stepped = asyncio.Event()

    class Telling(Watching):
        async def step(self) -> int:
            count = await super().step()
            stepped.set()
            return count

    watching = Telling(ground.database, Thresholds(), "node-1", lambda: ground.time)
    task = asyncio.create_task(watching.run())
    async with asyncio.timeout(30):
        await stepped.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await logged(ground, [alarm(2)])

    assert await watch(ground, "node-2").step() == 1


async def test_a_dismissed_alert_comes_back_only_when_it_gets_worse(ground: Numbered) -> None:
    finding = alerts.Finding("rule", "key", 1, START, 0, 0, 1)
    worse = alerts.Finding("rule", "key", 3, START, 0, 9, 8)
    async with ground.database.transaction() as tx:
        assert await alerts.record(tx, "alert-1", finding, START)
        assert await alerts.change(tx, "alert-1", state=alerts.DISMISSED)
        assert not await alerts.record(tx, "alert-2", finding, START)
    (dismissed,) = await found(ground)
    assert dismissed.state == alerts.DISMISSED

    async with ground.database.transaction() as tx:
        assert not await alerts.record(tx, "alert-3", worse, START)

    (back,) = await found(ground)
    assert (back.id, back.state, back.severity, back.count) == ("alert-1", "open", 3, 8)
