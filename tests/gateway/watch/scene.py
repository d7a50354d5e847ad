"""A log that a test tells event by event, with an engine that reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.watch.engine import Engine
from gateway.watch.seen import Alert, Seen, Severity
from gateway.watch.thresholds import Thresholds

MONDAY = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
CLINIC, HOME, AWAY = "10.1.1.10", "10.2.2.20", "198.51.100.7"


@dataclass(slots=True)
class Scene:
    """What happened so far, and what the watch said of it."""

    at: datetime = MONDAY
    engine: Engine = field(default_factory=lambda: Engine(Thresholds()))
    events: list[Seen] = field(default_factory=list)
    said: list[Alert] = field(default_factory=list)

    def later(self, **length: float) -> None:
        """Let time pass."""
        self.at += timedelta(**length)

    def event(self, who: str, code: str, **facts: Any) -> Seen:
        """Let one event be logged, and be read; `who` is role:name."""
        role, _, _ = who.partition(":")
        given = {"address": CLINIC, "stage": "authorised", "controller_id": "practice-1", **facts}
        index = given.pop("index", self.events[-1].index + 1 if self.events else 0)
        seen = Seen(
            index=index,
            id=f"event-{index}",
            at=given.pop("at", self.at),
            code=code,
            actor_id=who,
            actor_role=role,
            **given,
        )
        self.events.append(seen)
        self.said.extend(self.engine.feed(seen))
        return seen

    def act(self, who: str, code: str, case: str | None = None, **facts: Any) -> None:
        """An act and its outcome."""
        cause = self.event(who, code, case_id=case, **facts)
        self.event(who, code, case_id=case, cause=cause.id, **{**facts, "stage": "outcome"})

    def make(self, who: str, case: str) -> None:
        """Somebody makes a case: the act names none, its outcome does."""
        cause = self.event(who, "case.create", ground="own_practice")
        self.event(who, "case.create", case_id=case, stage="outcome", cause=cause.id)

    def read(self, who: str, case: str, **facts: Any) -> None:
        """Somebody opens a case."""
        self.event(who, "case.view", case_id=case, **{"ground": "own_practice", **facts})

    def take(self, who: str, case: str, **facts: Any) -> None:
        """Somebody downloads a case."""
        self.event(who, "file.download", case_id=case, **{"ground": "own_practice", **facts})

    def assign(self, case: str, planner: str, by: str = "coordinator:1") -> None:
        """A coordinator hands out a case."""
        self.event(by, "case.assign", case_id=case, ground="supervisor")
        assignment = {"object_type": "assignment", "object_id": f"{case}/{planner}"}
        detail = {"planner": planner}
        self.event(by, "case.assign", case_id=case, stage="outcome", detail=detail, **assignment)

    def live(self, days: int, daily: Callable[[int], None]) -> None:
        """Let days of ordinary work pass, each told by `daily`."""
        for day in range(days):
            start = self.at
            daily(day)
            self.at = start + timedelta(days=1)

    def rules(self, least: Severity = Severity.NOTICE) -> set[str]:
        """The names of the rules that spoke."""
        return {alert.rule for alert in self.said if alert.severity >= least}

    def severity(self, rule: str) -> Severity | None:
        """The highest that a rule said."""
        return max((alert.severity for alert in self.said if alert.rule == rule), default=None)


def replayed(events: Sequence[Seen]) -> list[Alert]:
    """What a fresh engine says of the same events."""
    engine = Engine(Thresholds())
    return [alert for seen in events for alert in engine.feed(seen)]
