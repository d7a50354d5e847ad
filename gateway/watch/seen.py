"""What the watch sees of the log, and what it says: one event in, alerts out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any


class Severity(IntEnum):
    """How much an alert asks of people; a higher one outranks a lower one."""

    NOTICE = 1  # for the weekly review
    WARNING = 2  # look at it within a day
    HIGH = 3  # look at it now


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One event of the log, as its stored record has it.

    Attributes:
        index: Its place in the log.
        number: Its running number within its practice, where it has one.
        id: Its own id, which an outcome names as its `cause`.
        at: When it happened, in UTC.
        detail: Nature of the event. What a key means is up to who wrote it; whatever a rule does
            not know, or knows of another type, it takes for absent.
    """

    index: int
    number: int | None = None
    id: str
    at: datetime
    code: str
    stage: str
    actor_id: str
    actor_role: str
    ground: str = "none"
    controller_id: str | None = None
    case_id: str | None = None
    object_type: str | None = None
    object_id: str | None = None
    access_point: str = "api"
    address: str | None = None
    source: str = ""
    cause: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_record(cls, index: int, number: int | None, record: Mapping[str, Any]) -> Seen:
        """Read a stored record (storage.accesslog): an unknown code, detail or field is no fault.

        Raises:
            KeyError: The record lacks what every event has: its id, time, code, stage or user.
            ValueError: Its time is none.
        """
        event, user = record["event"], record["user"]
        target = record.get("object", {})
        return cls(
            index=index,
            number=number,
            id=event["id"],
            at=datetime.fromisoformat(event["at"]),
            code=event["code"],
            stage=event["stage"],
            actor_id=user["id"],
            actor_role=user["role"],
            ground=target.get("authorisation", "none"),
            controller_id=target.get("controller_id"),
            case_id=target.get("case_id"),
            object_type=target.get("type"),
            object_id=target.get("id"),
            access_point=user.get("access_point", ""),
            address=user.get("address"),
            source=record.get("source", {}).get("id", ""),
            cause=event.get("cause"),
            detail=event.get("detail", {}),
        )

    @property
    def is_refused(self) -> bool:
        """Whether the act was refused."""
        return self.stage == "refused"

    def text(self, name: str) -> str | None:
        """A detail that is a text, if it is there and is one."""
        value = self.detail.get(name)
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom and what an alert is about; ids alone."""

    account_id: str | None = None
    controller_id: str | None = None
    case_id: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that people should look at.

    Alerts of the same rule and key are one alert, said again: what is said later replaces what
    was said before, its severity never falls, and `first_index` stays. It is said again when its
    severity rises and whenever its count has doubled, so a flood of evidence is no flood of alerts.

    Attributes:
        rule: Name of the rule, which is API.
        severity: The highest that was found.
        at: When the last of what was found happened.
        key: What folds duplicates: the subject and the beginning of the rule's window.
        first_index: Place in the log of the first of what was found.
        last_index: Place of the last, when this was said.
        count: How often it was found within the window.
        facts: Numbers that explain it, by name.
    """

    rule: str
    severity: Severity
    at: datetime
    key: str
    subject: Subject
    first_index: int
    last_index: int
    count: int
    facts: Mapping[str, int]
