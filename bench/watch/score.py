"""What the rules found of what was planted, how soon, and what they said of nobody's harm."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice

from bench.watch.attacks import SCENARIOS
from bench.watch.plots import Planted
from bench.watch.scribe import BEGINNING, DAY
from bench.watch.stream import Stream
from gateway.watch.engine import Engine
from gateway.watch.seen import Alert, Seen, Severity
from storage.accesslog.reading import StoredEvent

BATCH = 5000
AFTERMATH = DAY  # seconds within which an alert is still about an attack


@dataclass(frozen=True, slots=True)
class Said:
    """One alert, folded: when it first was said, how severe it became and when it was high."""

    rule: str
    at: float
    high_at: float | None
    ids: frozenset[str]
    times: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """A stream that the rules have read."""

    said: Sequence[Said]
    planted: Sequence[Planted]
    bystanders: Sequence[str]
    user_days: int
    worked: int
    events: int
    seconds: float  # of the processor, for the rules alone


@dataclass(frozen=True, slots=True)
class Recall:
    """Of one scenario: how many variants were told in time, and how soon at the latest."""

    scenario: str
    variants: int
    told: int
    told_high: int
    by_chance: int
    delay: float  # the median, in seconds after it was evident; of those told in time


@dataclass(slots=True)
class _Folded:
    rule: str
    ids: set[str] = field(default_factory=set)
    times: list[float] = field(default_factory=list)
    high_at: float | None = None


def read(stream: Stream) -> Run:
    """Let the rules read a whole stream."""
    engine, folded, seconds, count = Engine(), dict[tuple[str, str], _Folded](), 0.0, 0
    for batch in _batches(stream):
        begun = time.process_time()
        alerts: list[Alert] = []
        for event in batch:
            seen = Seen.from_record(event.index or 0, event.number, event.record)
            alerts += engine.feed(seen)
        seconds += time.process_time() - begun
        count += len(batch)
        for alert in alerts:
            _fold(folded.setdefault((alert.rule, alert.key), _Folded(alert.rule)), alert)
    said = [
        Said(each.rule, each.times[0], each.high_at, frozenset(each.ids), tuple(each.times))
        for each in folded.values()
    ]
    return Run(
        said,
        stream.planted,
        stream.bystanders,
        stream.size.practices * stream.size.people * stream.size.days,
        stream.worked,
        count,
        seconds,
    )


def recalls(run: Run) -> Iterator[Recall]:
    """How much of each scenario was told in time; by chance: of people whom nobody attacked."""
    chance = random.Random(1)  # noqa: S311 - a control group
    for scenario, (_, limit, _) in SCENARIOS.items():
        labels = [each for each in run.planted if each.scenario == scenario]
        told = [_told(run.said, each, each.ids, limit) for each in labels]
        high = [_told(run.said, each, each.ids, limit, high=True) for each in labels]
        control = [_told(run.said, each, {chance.choice(run.bystanders)}, limit) for each in labels]
        delays = sorted(
            max(at - each.evident, 0) for at, each in zip(told, labels, strict=True) if at
        )
        yield Recall(
            scenario,
            len(labels),
            sum(at is not None for at in told),
            sum(at is not None for at in high),
            sum(at is not None for at in control),
            delays[len(delays) // 2] if delays else float("nan"),
        )


def precision(runs: Iterable[Run]) -> tuple[int, int]:
    """How many alerts became high, and how many of those were about something planted."""
    right = every = 0
    for run in runs:
        for each in run.said:
            if each.high_at is not None:
                every += 1
                right += any(_is_about(each, planted) for planted in run.planted)
    return right, every


def per_thousand(run: Run, days: int, *, high: bool) -> float:
    """Alerts in a thousand user-days: those that became high, or the others."""
    return 1000 * sum((each.high_at is not None) is high for each in run.said) / days


def _told(
    said: Sequence[Said], planted: Planted, ids: set[str], limit: timedelta, *, high: bool = False
) -> float | None:
    """When it was told first, if that was in time."""
    end = planted.evident + limit.total_seconds()
    found = [
        at
        for each in said
        if each.ids & ids
        for at in ((each.high_at,) if high else each.times)
        if at is not None and planted.first - 1 <= at <= end + 1
    ]
    return min(found, default=None)


def _is_about(said: Said, planted: Planted) -> bool:
    ends = planted.last + AFTERMATH
    at = said.high_at or said.at
    return bool(said.ids & planted.ids) and planted.first - 1 <= at <= ends


def _fold(folded: _Folded, alert: Alert) -> None:
    at = (alert.at - BEGINNING).total_seconds()
    subject = alert.subject
    # Who did it; a case alone would make an alert about anybody who opened it right.
    who = [each for each in (subject.account_id, subject.address) if each is not None]
    folded.ids.update(who or [subject.case_id or "house"])
    folded.times.append(at)
    if alert.severity is Severity.HIGH and folded.high_at is None:
        folded.high_at = at


def _batches(stream: Stream) -> Iterator[list[StoredEvent]]:
    events = iter(stream)
    while batch := list(islice(events, BATCH)):
        yield batch
