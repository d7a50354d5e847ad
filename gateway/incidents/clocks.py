"""The two clocks of an incident, for each controller that is in it (GDPR article 33)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.incidents.timeline import Line
from storage.incidents import Entry

AUTHORITY_TERM = timedelta(hours=72)  # article 33(1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Clock:
    """How long a controller has waited to be told, and what it has left then.

    Article 33(2): we tell it without undue delay after we became aware. Article 33(1): it has
    72 hours from when it is aware, which is when it is told; that term is its own.

    Attributes:
        controller_id: The controller.
        told_at: When it was first told; None: not yet.
        waited_hours: From our awareness until then, or until now.
        authority_until: The end of its own term; None: it has not begun.
        left_hours: What is left of that, below 0 when it is over.
    """

    controller_id: str
    told_at: datetime | None
    waited_hours: float
    authority_until: datetime | None
    left_hours: float | None


def clocks(
    controllers: Iterable[str], aware_at: datetime, entries: Sequence[Entry], at: datetime
) -> list[Clock]:
    """The clocks at a moment, by controller; those that were told and are in no scope any more too.

    Args:
        controllers: Those in the scope.
        aware_at: When we became aware.
        entries: The timeline; it says who was told when.
        at: The moment.
    """
    told: dict[str, datetime] = {}
    for entry in entries:
        if entry.kind == Line.NOTICE and entry.ref is not None:
            told.setdefault(entry.ref, entry.at)
    found = []
    for controller_id in sorted({*controllers, *told}):
        told_at = told.get(controller_id)
        until = None if told_at is None else told_at + AUTHORITY_TERM
        found.append(
            Clock(
                controller_id=controller_id,
                told_at=told_at,
                waited_hours=_hours((told_at or at) - aware_at),
                authority_until=until,
                left_hours=None if until is None else _hours(until - at),
            )
        )
    return found


def _hours(span: timedelta) -> float:
    return round(span / HOUR, 1)
