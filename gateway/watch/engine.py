"""The rules over the log, in its order: events in, alerts out.

There is no clock but the events' own and no I/O, so the same events give the same alerts, byte for
byte. What is found again of the same subject within a rule's window is folded: windows lie fixed
in time, so an engine that was rebuilt from the last days names its alerts as one that never
stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.watch.known import Known
from gateway.watch.memory import DAY, Kept
from gateway.watch.rules import RULES
from gateway.watch.rules.base import Hit, Rule
from gateway.watch.seen import Alert, Seen, Severity
from gateway.watch.thresholds import Thresholds

_MOST_OPEN = 100_000


@dataclass(slots=True)
class _Open:
    """An alert whose window is not over: how often it was found, and when to say it again."""

    first_index: int = -1
    count: int = 0
    say_at: int = 1
    severity: Severity = Severity.NOTICE


class Engine:
    """Feeds each event to the rules that want it, and folds what they find."""

    def __init__(self, thresholds: Thresholds | None = None) -> None:
        """Begin without a past; feed the last `history_days` to have one."""
        limits = thresholds or Thresholds()
        self._known = Known(limits)
        self._rules: tuple[Rule, ...] = tuple(rule(limits) for rule in RULES)
        self._open: Kept[tuple[str, str], _Open] = Kept(_Open, most=_MOST_OPEN, idle=8 * DAY)
        self._now = 0
        self._index = -1
        self._always = tuple(rule for rule in self._rules if rule.codes is None)
        codes = {code for rule in self._rules for code in rule.codes or ()}
        self._by_code = {
            code: tuple(each for each in self._rules if each.codes is None or code in each.codes)
            for code in codes
        }

    def feed(self, seen: Seen) -> Sequence[Alert]:
        """Take in the next event of the log; what to say, in the order of the rules.

        Raises:
            ValueError: The event is not behind the last one.
        """
        if seen.index <= self._index:
            raise ValueError("events are fed in the order of the log, each once")
        self._index = seen.index
        # Nodes have clocks of their own: time goes on with the latest of them, and never back.
        self._now = now = max(self._now, int(seen.at.timestamp()))
        said = []
        for rule in self._by_code.get(seen.code, self._always):
            for hit in rule.see(seen, self._known, now):
                alert = self._fold(rule, hit, seen, now)
                if alert is not None:
                    said.append(alert)
        self._known.learn(seen, now)
        return said

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many entries of its memory the caps threw away, by what they were."""
        rules = {rule.about.name: rule.dropped for rule in self._rules}
        return {**self._known.dropped, "alerts": self._open.dropped, **rules}

    def _fold(self, rule: Rule, hit: Hit, seen: Seen, now: int) -> Alert | None:
        window = now - now % rule.about.fold_seconds
        key = f"{hit.key}@{datetime.fromtimestamp(window, UTC):%Y-%m-%dT%HZ}"
        kept = self._open.touch((rule.about.name, key), now)
        if kept.first_index < 0:
            kept.first_index = seen.index
        kept.count += 1
        if kept.count < kept.say_at and hit.severity <= kept.severity:
            return None
        kept.say_at = 2 * kept.count
        kept.severity = max(kept.severity, hit.severity)
        return Alert(
            rule=rule.about.name,
            severity=kept.severity,
            at=seen.at,
            key=key,
            subject=hit.subject,
            first_index=kept.first_index,
            last_index=seen.index,
            count=kept.count,
            facts=hit.facts,
        )
