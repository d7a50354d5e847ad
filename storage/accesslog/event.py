"""One access event, with the fields of NEN 7513:2018.

Each attribute names its NEN 7513 field. The record is what the log commits to: nested groups
`event`, `user`, `object`, `source`, no empty values, so that its canonical JSON is unambiguous.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, get_args

Action = Literal["C", "R", "U", "D", "E"]
Stage = Literal["authorised", "refused", "outcome"]
AccessPoint = Literal["api", "cli", "system"]
Detail = Mapping[str, str | int | bool | list[str]]

_ACTIONS, _STAGES, _ACCESS_POINTS = map(get_args, (Action, Stage, AccessPoint))
MAX_INTEGER = 2**53 - 1  # the largest that RFC 8785 writes: beyond it a double is not exact

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z:._-]{0,127}")
# attribute -> group and name in the record
_FIELDS = {
    "id": ("event", "id"),
    "at": ("event", "at"),
    "code": ("event", "code"),
    "action": ("event", "action"),
    "stage": ("event", "stage"),
    "cause": ("event", "cause"),
    "request_id": ("event", "request_id"),
    "detail": ("event", "detail"),
    "actor_id": ("user", "id"),
    "actor_role": ("user", "role"),
    "access_point": ("user", "access_point"),
    "address": ("user", "address"),
    "ground": ("object", "authorisation"),
    "controller_id": ("object", "controller_id"),
    "case_id": ("object", "case_id"),
    "object_type": ("object", "type"),
    "object_id": ("object", "id"),
    "source": ("source", "id"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessEvent:
    """Who did, or was refused, what to which object, when, from where and on what ground.

    Attributes:
        id: UUIDv7 of this event.
        at: Event date and time; aware, kept in UTC to the microsecond.
        code: Event code, e.g. `case.view`.
        action: Action code: create, read, update, delete, execute (as in DICOM PS3.15 A.5).
        stage: Event result: `authorised` before the effect, `refused`, or `outcome` after it.
        actor_id: User id; a system actor has a name, e.g. `system:inspection`.
        actor_role: User role at that moment.
        ground: Authorisation protocol: why it was allowed, e.g. `own_practice`,
            `assignment:<id>`, `system:retention`; `none` where it was refused.
        request_id: Ties the events of one request together.
        access_point: Type of access point.
        source: Id of the log source: the node that wrote this.
        address: Id of the access point: the network address, where there is one.
        controller_id: The client (practice) whose data it is.
        case_id: Object id of the case.
        object_type: Object type, where it is not the case itself, e.g. `file`.
        object_id: Object id of that.
        cause: For an outcome: id of the event that authorised it.
        detail: Nature of the event: ids, field names, counts, whole numbers within 2^53. Never
            a search term, a name or a note.

    Raises:
        ValueError: A naive time, an unknown code, or an id that no database would keep as it is.
    """

    id: str
    at: datetime
    code: str
    action: Action
    stage: Stage
    actor_id: str
    actor_role: str
    ground: str
    request_id: str
    access_point: AccessPoint
    source: str
    address: str | None = None
    controller_id: str | None = None
    case_id: str | None = None
    object_type: str | None = None
    object_id: str | None = None
    cause: str | None = None
    detail: Detail = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what would fail the others of a batch, or be ambiguous later."""
        if self.at.tzinfo is None:
            raise ValueError("the time of an event is aware")
        # These become columns: a NUL in one, from a hostile request, would fail its whole batch.
        for name in ("id", "controller_id", "case_id"):
            value = getattr(self, name)
            if value is not None and not _ID.fullmatch(value):
                raise ValueError(f"{name} is not an id")
        for value, allowed in (
            (self.action, _ACTIONS),
            (self.stage, _STAGES),
            (self.access_point, _ACCESS_POINTS),
        ):
            if value not in allowed:
                raise ValueError("an event has an unknown action, stage or access point")

    def to_record(self) -> dict[str, Any]:
        """Give the record as the log commits to it (without its running number)."""
        record: dict[str, Any] = {"event": {}, "user": {}, "object": {}, "source": {}}
        for attribute, (group, name) in _FIELDS.items():
            value = getattr(self, attribute)
            if value is not None:
                record[group][name] = value
        event = record["event"]
        # RFC 3339; always with microseconds, so that one moment has one text.
        event["at"] = (
            f"{self.at.astimezone(UTC).replace(tzinfo=None).isoformat('T', 'microseconds')}Z"
        )
        if self.detail:
            event["detail"] = dict(self.detail)
        else:
            del event["detail"]
        return record

    def canonical(self) -> str:
        """Give the record as RFC 8785 canonical JSON.

        For what a record can hold (ASCII names, text, booleans, whole numbers) that is what the
        standard library writes, compact and sorted, at a tenth of the cost of a general one.

        Raises:
            ValueError: It has no canonical form.
        """
        for name, value in self.detail.items():
            if not name.isascii() or not _is_plain(value):
                raise ValueError("a detail of an event has no canonical form")
        text = _encode(self.to_record())
        text.encode()  # an unpaired surrogate is no text
        return text

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> AccessEvent:
        """Read what `to_record` wrote; the running number is not part of the event."""
        values = {
            attribute: record[group][name]
            for attribute, (group, name) in _FIELDS.items()
            if name in record.get(group, {})
        }
        values["at"] = datetime.fromisoformat(values["at"])
        return cls(**values)


def numbered(canonical: str, number: int) -> str:
    """Give a record with its controller's running number, canonical as well.

    Names are sorted, so `number` comes between `event` and `object`. Inside a text the quotes of
    `"object"` would be escaped, and no detail is an object: the first match is the place.
    """
    event, following, rest = canonical.partition('},"object":{')
    return f'{event}}},"number":{number}{following[1:]}{rest}'


def commitment(salt: bytes, record: str) -> bytes:
    """HMAC-SHA256 of a record in canonical JSON under its salt: what the tree holds of it."""
    return hmac.digest(salt, record.encode(), "sha256")


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(each, str) for each in value)
    return isinstance(value, str) or (isinstance(value, int) and abs(value) <= MAX_INTEGER)
