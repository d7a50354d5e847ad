"""The rules over the log, in its order: events in, alerts out.

There is no clock but the events' own and no I/O, so the same events give the same alerts, byte for
byte. What is found again of the same subject within a rule's window is folded: windows lie fixed
in time, so an engine that was rebuilt from the last days names its alerts as one that never
stopped.

A rule that fails is switched off for the rest of the day, and begins anew on the next; that is an
alert of its own, and the others go on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from gateway.watch.known import Known
from gateway.watch.logcheck import RULE_FAILED
from gateway.watch.memory import DAY, Kept
from gateway.watch.rules import RULES
from gateway.watch.rules.base import About, Hit, Rule
from gateway.watch.seen import Alert, Seen, Severity, Subject
from gateway.watch.thresholds import Thresholds

_MOST_OPEN = 100_000
_BEGINNING = date(1970, 1, 1)


@dataclass(slots=True)
class _Open:
    """An alert whose window is not over: how often it was found, and when to say it again."""

    first_index: int = -1
    count: int = 0
    say_at: int = 1
    severity: Severity = Severity.NOTICE


class Engine:
    """Feeds each event to the rules that want it, and folds what they find."""

    def __init__(
        self,
        thresholds: Thresholds | None = None,
        *,
        rules: Sequence[type[Rule]] = RULES,
        canaries: Collection[str] = (),
    ) -> None:
        """Begin without a past; feed the last `history_days` to have one.

        Args:
            thresholds: The numbers that rules compare with.
            rules: Which ones.
            canaries: The cases that are some, however long ago they were made.
        """
        self._limits = limits = thresholds or Thresholds()
        self._known = Known(limits, canaries)
        self._rules = {rule.about.name: rule(limits) for rule in rules}
        self._open: Kept[tuple[str, str], _Open] = Kept(_Open, most=_MOST_OPEN, idle=8 * DAY)
        self._now = 0
        self._index = -1
        self._off: dict[str, int] = {}  # rules that failed, and on what day
        self._always = tuple(name for name, rule in self._rules.items() if rule.codes is None)
        codes = {code for rule in rules for code in rule.codes or ()}
        self._by_code = {
            code: tuple(
                name
                for name, rule in self._rules.items()
                if rule.codes is None or code in rule.codes
            )
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
        said: list[Alert] = []
        for name in self._by_code.get(seen.code, self._always):
            if self._off and self._is_off(name, now):
                continue
            rule = self._rules[name]
            try:
                hits = tuple(rule.see(seen, self._known, now))
            except Exception:  # noqa: BLE001 - one rule's fault silences no other
                said += self._switch_off(name, seen, now)
                continue
            for hit in hits:
                said += self._fold(rule.about, hit, seen, now)
        try:
            self._known.learn(seen, now)
        except Exception:  # noqa: BLE001 - what one event told is lost, no more
            said += self._fold(RULE_FAILED, _failure("known"), seen, now)
        return said

    def _switch_off(self, name: str, seen: Seen, now: int) -> Iterator[Alert]:
        self._off[name] = now // DAY
        yield from self._fold(RULE_FAILED, _failure(name), seen, now)

    def _is_off(self, name: str, now: int) -> bool:
        day = self._off.get(name)
        if day is None or day == now // DAY:
            return day is not None
        del self._off[name]
        # What it remembers may be half written: it begins without a past.
        self._rules[name] = type(self._rules[name])(self._limits)
        return False

    def people_on(self, day: date) -> int:
        """How many accounts did something on a day (UTC) of the last five weeks."""
        return self._known.acted.get((day - _BEGINNING).days, 0)

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many entries of its memory the caps threw away, by what they were."""
        rules = {name: rule.dropped for name, rule in self._rules.items()}
        return {**self._known.dropped, "alerts": self._open.dropped, **rules}

    def _fold(self, about: About, hit: Hit, seen: Seen, now: int) -> Iterator[Alert]:
        window = now - now % about.fold_seconds
        key = f"{hit.key}@{datetime.fromtimestamp(window, UTC):%Y-%m-%dT%HZ}"
        kept = self._open.touch((about.name, key), now)
        if kept.first_index < 0:
            kept.first_index = seen.index
        kept.count += 1
        if kept.count < kept.say_at and hit.severity <= kept.severity:
            return
        kept.say_at = 2 * kept.count
        kept.severity = max(kept.severity, hit.severity)
        yield Alert(
            rule=about.name,
            severity=kept.severity,
            at=seen.at,
            key=key,
            subject=hit.subject,
            first_index=kept.first_index,
            last_index=seen.index,
            count=kept.count,
            facts=hit.facts,
        )


def _failure(name: str) -> Hit:
    return Hit(severity=Severity.HIGH, key=name, subject=Subject(), facts={name: 1})
