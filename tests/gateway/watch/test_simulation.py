"""The simulated town (bench/watch) on a small seed, and what the rules find of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from bench.watch.attacks import SCENARIOS
from bench.watch.score import read, recalls
from bench.watch.stream import JUDGING, SMALL, TUNING, Stream
from gateway.access.policy import Action
from storage.accesslog.event import AccessEvent

SEED = 5  # neither for tuning nor for judging
HAMLET = replace(SMALL, practices=2, planners=4, days=40)
INSTANT = frozenset(
    {"stuffing", "enumeration", "oracle", "self-grant", "disabled use", "tampering"}
)


def test_seeds_for_tuning_judge_nothing() -> None:
    assert not set(TUNING) & set(JUDGING)


def test_a_seed_gives_the_same_log_each_time_and_another_one_another_log() -> None:
    size = replace(HAMLET, days=3)
    first, again, other = (list(Stream(seed, size, 0)) for seed in (SEED, SEED, SEED + 1))

    assert first == again
    assert first != other


def test_every_event_is_one_that_the_log_could_hold_in_its_place() -> None:
    events = list(Stream(SEED, replace(HAMLET, days=8), 0))

    assert [event.index for event in events] == list(range(len(events)))
    known = {action.value for action in Action}
    for event in events:
        read_back = AccessEvent.from_record(event.record)
        assert read_back.code in known
        assert read_back.to_record() == event.record
    assert all(
        one.record["event"]["at"] <= other.record["event"]["at"] for one, other in pairwise(events)
    )


def test_every_scenario_is_planted_and_says_when_it_was_evident() -> None:
    stream = Stream(SEED, HAMLET, 2)
    assert list(stream)

    # Sixty days of slow exfiltration do not fit into so small a town.
    assert {each.scenario for each in stream.planted} == set(SCENARIOS) - {"slow exfiltration"}
    for planted in stream.planted:
        assert planted.first <= planted.evident <= planted.last
        assert planted.ids
    assert stream.bystanders


@pytest.mark.slow
def test_what_must_be_told_at_once_is_told_within_a_minute() -> None:
    run = read(Stream(SEED, HAMLET, 2))

    found = {each.scenario: each for each in recalls(run)}
    for scenario in INSTANT:
        assert found[scenario].told == found[scenario].variants > 0, scenario
    assert run.events / run.seconds > 0
