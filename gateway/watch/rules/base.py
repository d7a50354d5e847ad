"""What a rule is: a declaration that people read, and a function of the log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from gateway.watch.known import Known
from gateway.watch.memory import DAY
from gateway.watch.seen import Seen, Severity, Subject
from gateway.watch.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Words:
    """A rule in one language: what it sees, why that matters, and what to do."""

    sees: str
    why: str
    act: str


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The declaration of a rule; docs/watch.md is written from it.

    Attributes:
        name: API; it never changes.
        severities: What it may say, lowest first.
        limits: The thresholds that it compares with, by name.
        fold_seconds: What it finds again of the same subject within such a window is one alert.
    """

    name: str
    severities: tuple[Severity, ...]
    limits: tuple[str, ...] = ()
    fold_seconds: int = DAY
    en: Words
    nl: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """What a rule found. `key` names the subject that duplicates fold by."""

    severity: Severity
    key: str
    subject: Subject
    facts: Mapping[str, int] = field(default_factory=dict)


class Rule(ABC):
    """One rule with its state, which is a function of the events that it has seen.

    `codes` are those of the events that it wants; None: all.
    """

    about: ClassVar[About]
    codes: ClassVar[frozenset[str] | None] = None

    def __init__(self, limits: Thresholds) -> None:
        """Begin without a past."""
        self.limits = limits

    @abstractmethod
    def see(self, seen: Seen, known: Known, now: int) -> Iterable[Hit]:
        """Look at one event.

        Args:
            seen: The event.
            known: What all events before it told.
            now: Its time in seconds since 1970; never before that of an earlier event.
        """

    @property
    def dropped(self) -> int:
        """How many entries of its memory its caps threw away."""
        return 0


def of_account(seen: Seen) -> Subject:
    """The subject of what an account did."""
    return Subject(
        account_id=seen.actor_id,
        controller_id=seen.controller_id,
        case_id=seen.case_id,
        address=seen.address,
    )


def above_habit(days: Sequence[int], limits: Thresholds) -> int:
    """The number that is unusual for somebody who did so many on days of late."""
    return limits.percent_of_habit * max(days, default=0) // 100
