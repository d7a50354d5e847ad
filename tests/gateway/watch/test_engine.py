"""The engine: the same events, the same alerts; folded, ordered, and in bounded memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.watch.engine import Engine
from gateway.watch.memory import Days, Kept, Recent
from gateway.watch.page import document
from gateway.watch.rules import RULES
from gateway.watch.seen import Seen, Severity
from gateway.watch.thresholds import Thresholds, meanings
from tests.gateway.watch.scene import AWAY, CLINIC, MONDAY, Scene, replayed

PAGE = Path(__file__).parents[3] / "docs" / "watch.md"
CODES = [
    *("session.open", "session.use", "case.view", "case.search", "file.download", "case.assign"),
    *("account.change", "case.erase", "integrity.alarm", "emergency.declare", "never.heard.of"),
]
TARGETS = st.sampled_from([(None, None), ("case", "case-9"), ("account", "dentist:1")])
HAPPENINGS = st.tuples(
    st.sampled_from(["dentist:1", "dentist:2", "planner:1", "administrator:1", "nobody:"]),
    st.sampled_from(CODES),
    st.sampled_from(["authorised", "refused", "outcome"]),
    st.sampled_from([None, "case-1", "case-2", "case-3"]),
    TARGETS,
    st.sampled_from([None, CLINIC, AWAY]),
    st.sampled_from([{}, {"disabled": True}, {"cases": ["case-1"]}, {"planner": 7}, {"cases": 1}]),
    st.integers(-600, 40_000),
)


def happened(given_: list[tuple[object, ...]]) -> list[Seen]:
    events, at = [], MONDAY
    for index, (who, code, stage, case, target, address, detail, pause) in enumerate(given_):
        at += timedelta(seconds=int(str(pause)))
        values = {
            "actor_id": who,
            "actor_role": str(who).partition(":")[0],
            "code": code,
            "stage": stage,
            "case_id": case,
            "object_type": target[0],  # type: ignore[index]
            "object_id": target[1],  # type: ignore[index]
            "address": address,
            "detail": detail,
            "ground": "own_practice",
        }
        events.append(Seen(index=index, id=f"event-{index}", at=at, **values))
    return events


@settings(max_examples=60, deadline=None)
@given(st.lists(HAPPENINGS, max_size=120))
def test_a_replay_gives_the_same_alerts_whatever_happened(
    told: list[tuple[object, ...]],
) -> None:
    events = happened(told)
    first, second = replayed(events), replayed(events)

    assert first == second
    assert all(alert.first_index <= alert.last_index < len(events) for alert in first)


@settings(max_examples=40, deadline=None)
@given(st.lists(HAPPENINGS, max_size=80), st.integers(0, 80))
def test_an_engine_that_goes_on_says_what_one_says_that_was_fed_all(
    told: list[tuple[object, ...]], cut: int
) -> None:
    events, engine = happened(told), Engine(Thresholds())
    parts = [
        alert for part in (events[:cut], events[cut:]) for e in part for alert in engine.feed(e)
    ]

    assert parts == replayed(events)


def test_events_of_one_moment_count_in_the_order_of_the_log() -> None:
    scene = Scene()
    scene.act(
        "operator",
        "account.change",
        object_type="account",
        object_id="dentist:1",
        detail={"disabled": True},
    )
    scene.event("dentist:1", "session.open", stage="refused")
    swapped = [replace(seen, index=2 - seen.index) for seen in reversed(scene.events)]

    assert [alert.rule for alert in scene.said] == ["shut_out_use"]
    assert not replayed(swapped)


def test_an_event_that_is_fed_twice_is_refused() -> None:
    scene = Scene()
    seen = scene.event("dentist:1", "case.view", case_id="case-1")
    with pytest.raises(ValueError, match="in the order of the log"):
        scene.engine.feed(seen)


def test_what_is_found_again_is_said_again_when_its_count_has_doubled() -> None:
    scene = Scene()
    for _ in range(20):
        scene.event("system:integrity", "integrity.alarm", stage="refused", case_id="case-1")

    assert [alert.count for alert in scene.said] == [1, 2, 4, 8, 16]
    assert len({(alert.rule, alert.key) for alert in scene.said}) == 1
    assert {alert.first_index for alert in scene.said} == {0}


def test_a_severity_that_rises_is_said_at_once_and_never_falls() -> None:
    scene = Scene()
    for number in range(61):
        scene.event("dentist:1", "case.erase", case_id=f"case-{number}")

    found = [alert.severity for alert in scene.said]
    assert found == sorted(found)
    assert scene.said[-1].severity is Severity.HIGH
    assert scene.said[-1].last_index == 59  # the sixtieth, three times the threshold


def test_the_next_window_is_another_alert() -> None:
    scene = Scene()
    for _ in range(2):
        scene.event("system:integrity", "integrity.alarm", stage="refused", case_id="case-1")
        scene.later(hours=1)

    assert len({alert.key for alert in scene.said}) == 2


def test_a_missing_place_and_a_missing_number_are_high() -> None:
    place, number = Scene(), Scene()
    for index, running in ((0, 0), (1, 1), (3, 2)):
        place.event("dentist:1", "case.list", index=index, number=running)
    for index, running in ((0, 0), (1, 1), (2, 3)):
        number.event("dentist:1", "case.list", index=index, number=running)

    assert place.severity("log_gap") is number.severity("log_gap") is Severity.HIGH
    assert place.said[0].facts == {"missing": 1}


def test_an_event_that_comes_late_is_a_warning_and_turns_no_clock_back() -> None:
    scene = Scene()
    scene.event("dentist:1", "case.list")
    scene.event("dentist:1", "case.list", at=scene.at - timedelta(minutes=1))
    assert not scene.said
    scene.event("dentist:1", "case.list", at=scene.at - timedelta(hours=1))

    assert scene.severity("log_gap") is Severity.WARNING


def test_memory_is_bounded_by_the_people_that_it_may_remember_and_says_what_it_dropped() -> None:
    engine = Engine(Thresholds(most_people=50, most_cases=50))
    scene = Scene(engine=engine)
    for number in range(500):
        scene.make(f"dentist:{number}", f"case-{number}")
        scene.event(f"dentist:{number}", "case.search", detail={"fields": ["name"]})

    assert len(engine._known.people) == len(engine._known.cases) == 50
    assert engine.dropped["people"] == engine.dropped["cases"] == 450
    assert engine.dropped["search_oracle"] == 450


def test_who_was_silent_for_longer_than_the_history_is_forgotten_and_not_counted() -> None:
    engine = Engine(Thresholds(history_days=10))
    scene = Scene(engine=engine)
    scene.live(400, lambda day: scene.make(f"dentist:{day}", f"case-{day}"))

    assert len(engine._known.people) <= 12
    assert not any(engine.dropped.values())


def test_a_kept_value_is_not_given_once_it_is_forgotten() -> None:
    kept: Kept[str, list[int]] = Kept(list, most=10, idle=100)
    kept.touch("a", 0).append(1)

    assert kept.get("a", 100) == [1]
    assert kept.get("a", 101) is None
    assert kept.touch("a", 101) == []


def test_a_window_counts_what_is_distinct_within_its_length() -> None:
    recent: Recent[str] = Recent(60, most=3)

    assert [recent.add(thing, at) for thing, at in (("a", 0), ("a", 10), ("b", 20))] == [1, 1, 2]
    assert recent.count(70) == 1
    assert [recent.add(thing, 79) for thing in "cdef"] == [2, 3, 3, 3]


def test_a_habit_is_of_days_before_within_its_length() -> None:
    days = Days(3)
    for day in (1, 2, 4, 5):
        days.set(day, day)

    assert days.before(5) == [2, 4]


def test_the_page_of_the_watch_is_what_the_rules_say() -> None:
    assert PAGE.read_text("utf-8") == document()


def test_every_rule_says_itself_in_both_languages_and_names_thresholds_that_there_are() -> None:
    names = [rule.about.name for rule in RULES]
    used = {limit for rule in RULES for limit in rule.about.limits}

    assert len(names) == len(set(names))
    for rule in RULES:
        for words in (rule.about.en, rule.about.nl):
            assert all(text.endswith(".") for text in (words.sees, words.why, words.act))
    assert used | {"history_days", "most_people", "most_cases"} == set(meanings())
