"""Writes records as the access log would hold them, a day at a time, in the order of the clock."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

from gateway.access.policy import POLICY
from storage.accesslog.reading import StoredEvent

BEGINNING = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
DAY = 86400.0  # seconds
HOUR = 3600.0
_LETTERS = {action.value: rule.letter for action, rule in POLICY.items()}


def moment(seconds: float) -> datetime:
    """The time so many seconds after the beginning."""
    return BEGINNING + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Who:
    """As whom, of which practice, and from where an event is written."""

    id: str
    role: str
    controller_id: str | None
    address: str | None


def _point(who: Who) -> str:
    if who.role == "operator":
        return "cli"
    return "api" if who.address else "system"


class Scribe:
    """Collects events in any order; gives them out in the order of their times."""

    def __init__(self) -> None:
        """Begin an empty log."""
        self._written: list[tuple[float, int, dict[str, Any]]] = []
        self._ids = 0
        self._index = 0
        self._numbers: dict[str | None, int] = defaultdict(int)

    def write(
        self,
        at: float,
        who: Who,
        code: str,
        *,
        stage: str = "authorised",
        ground: str = "none",
        case: tuple[str, str] | None = None,
        target: tuple[str, str] | None = None,
        cause: str | None = None,
        **detail: object,
    ) -> str:
        """Write one event.

        Args:
            at: Seconds since the beginning.
            who: By whom.
            code: Of the act.
            stage: As in the log.
            ground: Why it was allowed.
            case: The case's id and its practice's.
            target: Type and id of the object; the case if there is one and none is given.
            cause: Of an outcome.
            detail: As in the log.

        Returns:
            The event's id.
        """
        self._ids += 1
        event_id = f"e{self._ids:010d}"
        event: dict[str, object] = {
            "id": event_id,
            "code": code,
            "action": _LETTERS.get(code, "E"),
            "stage": stage,
            "request_id": f"r{self._ids}" if cause is None else f"r{cause[1:]}",
        }
        if cause is not None:
            event["cause"] = cause
        if detail:
            event["detail"] = detail
        user: dict[str, object] = {"id": who.id, "role": who.role, "access_point": _point(who)}
        if who.address is not None:
            user["address"] = who.address
        thing: dict[str, object] = {"authorisation": ground}
        controller_id = case[1] if case else who.controller_id
        if controller_id is not None:
            thing["controller_id"] = controller_id
        if case is not None:
            thing["case_id"] = case[0]
            target = target or ("case", case[0])
        if target is not None:
            thing["type"], thing["id"] = target
        record = {"event": event, "user": user, "object": thing, "source": {"id": "node-1"}}
        self._written.append((at, self._ids, record))
        return event_id

    def act(
        self,
        at: float,
        who: Who,
        code: str,
        ground: str,
        *,
        case: tuple[str, str] | None = None,
        target: tuple[str, str] | None = None,
        **detail: object,
    ) -> None:
        """Write an act and its outcome, which has the details."""
        cause = self.write(at, who, code, ground=ground, case=case, target=target)
        self.write(
            at + 0.05,
            who,
            code,
            stage="outcome",
            ground=ground,
            case=case,
            target=target,
            cause=cause,
            **detail,
        )

    def lose(self, count: int, share: float) -> tuple[float, float]:
        """Take events of today away, as somebody with the database could.

        Args:
            count: How many in a row, at the most.
            share: Where in the day's events, from 0 to 1.

        Returns:
            When the first of them had happened, and when the first behind them.
        """
        self._written.sort(key=itemgetter(0, 1))
        place = int(share * (len(self._written) - 2))
        behind = min(place + count, len(self._written) - 1)
        first = self._written[place][0]
        for n in range(place, behind):
            self._written[n] = (*self._written[n][:2], {})
        return first, self._written[behind][0]

    def until(self, end: float) -> Iterator[StoredEvent]:
        """Give out what was written for before `end`; what is later waits."""
        self._written.sort(key=itemgetter(0, 1))
        due = bisect_left(self._written, end, key=itemgetter(0))
        for at, _, record in self._written[:due]:
            index, self._index = self._index, self._index + 1
            if not record:
                continue
            record["event"]["at"] = f"{moment(at):%Y-%m-%dT%H:%M:%S.%f}Z"
            controller_id = record["object"].get("controller_id")
            number = self._numbers[controller_id] = self._numbers[controller_id] + 1
            yield StoredEvent(index, number, record)
        del self._written[:due]
