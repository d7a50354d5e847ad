"""What the watch goes on after: records that are none, rules that fail, a past that is long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from gateway.watch import watching as module
from gateway.watch.known import Known
from gateway.watch.rules.house import MisuseReport
from gateway.watch.rules.reading import NoRelation
from gateway.watch.seen import Seen, Severity
from gateway.watch.watching import LIFETIME
from storage import alerts
from tests.gateway.watch.numbered import (
    Numbered,
    alarm,
    following,
    found,
    logged,
    undisturbed,
    watch,
)
from tests.gateway.watch.scene import Scene
from tests.storage.accesslog.log_ground import event
from tests.storage.accesslog.tampering import change_number, set_event

MANAGER = "practice_manager:1"
ON_SQLITE = ("CAST(X'7BFF7D' AS TEXT)", "X'00FF'", "CAST(record AS BLOB) || X'FF'", "42")


async def write(ground: Numbered, column: str, value: str, place: int) -> None:
    """Put into a column what no program of ours puts there."""
    statement = f'UPDATE events SET {column} = {value} WHERE "index" = :place'
    async with ground.database.transaction() as tx:
        await tx.execute(text(statement), {"place": place})


def hostile(ground: Numbered) -> list[tuple[str, str]]:
    """Columns and what they could hold: SQLite keeps anything anywhere."""
    if ground.database.url.get_backend_name() != "sqlite":
        return [("record", "'{'"), ("record", "'[]'"), ("salt", "NULL"), ("number", "77")]
    return [
        *(("record", value) for value in ON_SQLITE),
        *(("salt", "'text'"), ("salt", "7"), ("number", "'x'"), ("number", "X'FF'")),
    ]


async def test_whatever_stands_in_a_record_is_an_alert_and_no_stop(ground: Numbered) -> None:
    written = hostile(ground)
    await logged(ground, [*(event(n) for n in range(1, 2 * len(written) + 1)), alarm(99)])
    for turn, (column, value) in enumerate(written):
        await write(ground, column, value, 2 * turn)

    await watch(ground).step()

    said = {alert.rule: alert for alert in await found(ground)}
    assert said["log_altered"].count == len(written)
    assert said["tamper"].case_id == "case-99"
    assert await following(ground) == 2 * len(written) + 1


async def test_a_time_that_is_none_stops_neither_the_watch_nor_its_rebuild(
    ground: Numbered,
) -> None:
    await logged(ground, [event(n) for n in range(1, 9)])
    await watch(ground, "node-1").step()
    await ground.write([event(9)])
    async with ground.database.transaction() as tx:
        where = '"index" IS NULL OR "index" IN (1, 3, 4)'
        await tx.execute(text(f"UPDATE events SET at = {-(2**62)} WHERE {where}"))
    ground.time += LIFETIME

    assert await watch(ground, "node-2").step() == 0
    assert {alert.rule for alert in await found(ground)} == {"log_lag"}


async def test_a_number_that_is_not_the_records_own_is_an_alert(ground: Numbered) -> None:
    await logged(ground, [event(1), event(2), event(3)])
    async with ground.database.transaction() as tx:
        await change_number(tx, 2)

    await watch(ground).step()

    assert "log_altered" in {alert.rule for alert in await found(ground)}


class Failing:
    """Fails at every event of one kind."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.calls = 0

    def see(self, seen: Seen, _known: Known, _now: int) -> Iterator[object]:
        self.calls += seen.code == self.code
        if seen.code == self.code:
            raise RuntimeError("a fault")
        return iter(())


def test_a_rule_that_fails_is_off_for_the_day_and_said_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing = Failing("case.view")
    monkeypatch.setattr(NoRelation, "see", lambda _, *given: failing.see(*given))
    scene = Scene()
    for _ in range(3):
        scene.read(MANAGER, "case-1")
    scene.event(MANAGER, "misuse.report", case_id="case-1")

    (failed,) = [alert for alert in scene.said if alert.rule == "rule_failed"]
    assert failed.severity is Severity.HIGH
    assert failed.facts == {"no_relation": 1}
    assert failing.calls == 1
    assert "misuse_report" in scene.rules()

    scene.later(days=1)
    scene.read(MANAGER, "case-1")
    assert failing.calls == 2
    assert len([alert for alert in scene.said if alert.rule == "rule_failed"]) == 2


def test_a_rule_that_failed_begins_anew_on_the_next_day(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    with monkeypatch.context() as patch:
        patch.setattr(MisuseReport, "see", lambda _, *given: Failing("misuse.report").see(*given))
        scene.event(MANAGER, "misuse.report", case_id="case-1")
    scene.event(MANAGER, "misuse.report", case_id="case-1")
    assert "misuse_report" not in scene.rules()

    scene.later(days=1)
    scene.event(MANAGER, "misuse.report", case_id="case-1")
    assert "misuse_report" in scene.rules()


def test_an_event_that_cannot_be_remembered_is_said_and_no_stop() -> None:
    scene = Scene()
    looked = {"stage": "outcome", "detail": {"cases": [["case-1"]]}}
    scene.event(MANAGER, "case.list", **looked)
    scene.event(MANAGER, "misuse.report", case_id="case-1")

    assert scene.rules() == {"rule_failed", "misuse_report"}


async def test_a_detail_that_no_rule_expects_stops_nothing(ground: Numbered) -> None:
    """What the log holds by right, and is still not what rules know."""
    await logged(ground, [event(1, detail={"cases": "no list", "planner": 7}), alarm(2)])

    await watch(ground).step()

    assert {alert.rule for alert in await found(ground)} == {"tamper"}


@pytest.fixture
def long_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a past of twenty events be long, and read in steps of ten."""
    monkeypatch.setattr(module, "BATCH", 5)
    monkeypatch.setattr(module, "AT_ONCE", 10)


@pytest.mark.usefixtures("long_past")
async def test_who_takes_over_says_at_once_what_needs_no_past(ground: Numbered) -> None:
    await logged(ground, [event(n) for n in range(1, 101)])
    first = watch(ground, "node-1")
    while await following(ground) != 100:
        await first.step()
    await logged(ground, [alarm(101)])
    ground.time += LIFETIME

    second = watch(ground, "node-2")
    assert await second.step() == 1

    assert [alert.rule for alert in await found(ground)] == ["tamper"]
    assert await following(ground) == 100  # the others are still in the past
    async with ground.database.reading() as connection:
        assert await alerts.position(connection, "instant") == 101


@pytest.mark.usefixtures("long_past")
async def test_what_needs_the_past_is_said_when_it_is_known_however_often_nodes_die(
    ground: Numbered,
) -> None:
    # A cluster of ten erasures needs no past; that they are more than usual does.
    await logged(ground, [event(n) for n in range(1, 101)])
    first = watch(ground, "node-1")
    while await following(ground) != 100:
        await first.step()
    erased = [event(100 + n, code="case.erase", action="D") for n in range(1, 26)]
    await logged(ground, [*erased, alarm(126)])
    for node in range(2, 5):
        ground.time += LIFETIME
        await watch(ground, f"node-{node}").step()  # and dies
    assert "erasures" not in {alert.rule for alert in await found(ground)}

    ground.time += LIFETIME
    last = watch(ground, "node-5")
    for _ in range(60):
        await last.step()
        ground.time += timedelta(seconds=1)

    assert await following(ground) == 126
    said = [(alert.rule, alert.key, alert.count) for alert in await found(ground)]
    assert sorted(said) == sorted(await undisturbed(ground))


@pytest.mark.usefixtures("long_past")
async def test_a_row_that_was_altered_while_nobody_watched_is_said_by_who_goes_ahead(
    ground: Numbered,
) -> None:
    await logged(ground, [event(n) for n in range(1, 101)])
    first = watch(ground, "node-1")
    while await following(ground) != 100:
        await first.step()
    await logged(ground, [event(101), event(102)])
    async with ground.database.transaction() as tx:
        await set_event(tx, 100, record="{}")
    ground.time += LIFETIME

    await watch(ground, "node-2").step()

    assert "log_altered" in {alert.rule for alert in await found(ground)}
