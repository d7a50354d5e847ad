"""Incidents as JSON: what comes in, and how one is shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from gateway.api.models import Given
from gateway.ids import ID_PATTERN
from gateway.incidents.clocks import Clock
from gateway.incidents.evidence import Head
from gateway.incidents.incidents import (
    TITLE_LIMIT,
    WORDS_LIMIT,
    IncidentSight,
)
from gateway.incidents.measures import MOST_SUBJECTS
from gateway.incidents.register import Registered
from gateway.incidents.scope import (
    MOST_NAMED,
    Effect,
    Kind,
    Question,
    Scope,
    ScopeOfController,
)
from gateway.incidents.timeline import Line, LineSight
from gateway.incidents.words import Remedy, Risk, Severity
from storage.incidents import Evidence, Measure

Id = Field(pattern=f"^{ID_PATTERN}$")
State = Literal["open", "contained", "closed"]


class NewIncident(Given):
    """What happened, how bad it looks, and since when one knows; none: since now."""

    title: str = Field(max_length=TITLE_LIMIT, repr=False)
    severity: Severity = Severity.MEDIUM
    aware_at: datetime | None = None


class IncidentQuery(Given):
    """Which incidents to list."""

    state: Literal["open", "any"] = "open"
    before: str | None = Field(None, pattern=f"^{ID_PATTERN}$")
    limit: int = Field(50, ge=1, le=200)


class ChangedIncident(Given):
    """What to change; what is left out stays."""

    state: State | None = None
    severity: Severity | None = None
    risk: Risk | None = None
    owner_id: str | None = Field(None, pattern=f"^{ID_PATTERN}$")
    conclusion: str | None = Field(None, max_length=WORDS_LIMIT, repr=False)


class NewNote(Given):
    """What somebody writes into the timeline."""

    words: str = Field(max_length=WORDS_LIMIT, repr=False)


class JoinedAlert(Given):
    """Which alert."""

    alert_id: str = Id


class JoiningAlert(Given):
    """Which incident the alert belongs to."""

    incident_id: str = Id


class Asked(Given):
    """What belongs to an incident: an act that fits everything that is given."""

    accounts: list[str] = Field([], max_length=MOST_NAMED)
    since: datetime | None = None
    until: datetime | None = None
    addresses: list[str] = Field([], max_length=MOST_NAMED)
    requests: list[str] = Field([], max_length=MOST_NAMED)
    keys: list[str] = Field([], max_length=MOST_NAMED)

    def question(self) -> Question:
        """The question. Raises InvalidInputError."""
        return Question(
            accounts=tuple(self.accounts),
            since=self.since,
            until=self.until,
            addresses=tuple(self.addresses),
            requests=tuple(self.requests),
            keys=tuple(self.keys),
        )


class NewMeasure(Given):
    """What to do, and to whom or what; none: to those in the scope."""

    kind: Remedy
    subjects: list[str] = Field([], max_length=MOST_SUBJECTS)


class LineView(BaseModel):
    """One line of a timeline; `by` null: the system."""

    kind: Line
    by: str | None
    at: datetime
    ref: str | None
    words: str | None


class CaseInScopeView(BaseModel):
    """One case; `files` are those of which content was sent, `subject` is a pseudonym."""

    case_id: str
    subject: str | None
    files: list[str]
    kinds: list[Kind]
    effects: list[Effect]
    content: bool
    keys_exposed: bool
    events: int


class ControllerInScopeView(BaseModel):
    """What is in an incident of one practice."""

    controller_id: str
    cases: list[CaseInScopeView]
    files: int
    subjects: int
    kinds: list[Kind]
    effects: list[Effect]
    content: bool
    keys_exposed: bool


class ScopeView(BaseModel):
    """What the log answered; `complete` is false where records were altered, lost or pruned."""

    question: Asked
    controllers: list[ControllerInScopeView]
    computed_at: datetime
    up_to: int
    acts: int
    complete: bool


class MeasureView(BaseModel):
    """One measure; `result` are numbers, once it is done."""

    id: str
    kind: Remedy
    subjects: list[str]
    state: Literal["intended", "done"]
    by: str
    at: datetime
    done_at: datetime | None
    result: dict[str, int] | None


class EvidenceView(BaseModel):
    """One attachment; `sha256` in hex."""

    id: str
    name: str
    size: int
    sha256: str
    by: str
    at: datetime


class ClockView(BaseModel):
    """The two clocks for one practice (GDPR article 33)."""

    controller_id: str
    told_at: datetime | None
    waited_hours: float
    authority_until: datetime | None
    left_hours: float | None


class IncidentView(BaseModel):
    """One incident as a list shows it."""

    id: str
    title: str
    state: State
    severity: Severity
    risk: Risk
    owner_id: str
    aware_at: datetime
    opened_by: str
    opened_at: datetime
    contained_at: datetime | None
    closed_at: datetime | None
    conclusion: str | None


class IncidentDetail(IncidentView):
    """One incident with all there is of it."""

    timeline: list[LineView]
    alerts: list[str]
    measures: list[MeasureView]
    evidence: list[EvidenceView]
    scope: ScopeView | None
    clocks: list[ClockView]


class IncidentList(BaseModel):
    """Incidents, newest first; `next` continues the list as `before`."""

    incidents: list[IncidentView]
    next: str | None


class RegisteredView(BaseModel):
    """One incident as the register has it (GDPR article 33(5))."""

    id: str
    title: str
    state: State
    severity: Severity
    risk: Risk
    aware_at: datetime
    opened_at: datetime
    contained_at: datetime | None
    closed_at: datetime | None
    practices: int
    practices_told: int
    cases: int
    files: int
    people: int
    kinds: list[Kind]
    effects: list[Effect]
    content: bool
    keys_exposed: bool
    complete: bool
    measures: list[Remedy]
    conclusion: str | None


class RegisterView(BaseModel):
    """Every incident, oldest first."""

    incidents: list[RegisteredView]


def incident_view(sight: IncidentSight) -> IncidentView:
    """One incident in a list."""
    return IncidentView.model_validate(_values(sight))


def incident_detail(sight: IncidentSight) -> IncidentDetail:
    """One incident, whole."""
    return IncidentDetail.model_validate(
        {
            **_values(sight),
            "timeline": [_line(each) for each in sight.lines],
            "alerts": list(sight.alerts),
            "measures": [measure_view(each) for each in sight.measures],
            "evidence": [evidence_view(each, Head.from_bytes(raw)) for each, raw in sight.evidence],
            "scope": None if sight.scope is None else scope_view(sight.scope),
            "clocks": [_clock(each) for each in sight.clocks],
        }
    )


def measure_view(measure: Measure) -> MeasureView:
    """One measure."""
    return MeasureView.model_validate(
        {
            **{name: getattr(measure, name) for name in ("id", "kind", "state", "by", "at")},
            "done_at": measure.done_at,
            "subjects": json.loads(measure.subjects),
            "result": None if measure.result is None else json.loads(measure.result),
        }
    )


def scope_view(scope: Scope) -> ScopeView:
    """What the log answered."""
    question = {name: getattr(scope.question, name) for name in Asked.model_fields}
    return ScopeView(
        question=Asked.model_validate(
            {name: list(it) if isinstance(it, tuple) else it for name, it in question.items()}
        ),
        controllers=[_controller(each) for each in scope.controllers],
        computed_at=scope.computed_at,
        up_to=scope.up_to,
        acts=scope.acts,
        complete=scope.complete,
    )


def register_view(rows: Sequence[Registered]) -> RegisterView:
    """The register."""
    found = [RegisteredView.model_validate(each, from_attributes=True) for each in rows]
    return RegisterView(incidents=found)


def evidence_view(evidence: Evidence, head: Head) -> EvidenceView:
    """One attachment."""
    return EvidenceView(
        id=evidence.id,
        name=head.name,
        size=head.size,
        sha256=head.sha256,
        by=evidence.by,
        at=evidence.at,
    )


def _values(sight: IncidentSight) -> dict[str, object]:
    incident = sight.incident
    names = (name for name in IncidentView.model_fields if hasattr(incident, name))
    values: dict[str, object] = {name: getattr(incident, name) for name in names}
    return {**values, "title": sight.title, "conclusion": sight.conclusion}


def _line(line: LineSight) -> LineView:
    entry = line.entry
    return LineView(
        kind=Line(entry.kind), by=entry.by, at=entry.at, ref=entry.ref, words=line.words
    )


def _controller(theirs: ScopeOfController) -> ControllerInScopeView:
    cases = [CaseInScopeView.model_validate(case, from_attributes=True) for case in theirs.cases]
    names = ControllerInScopeView.model_fields.keys() - {"cases"}
    values = {name: getattr(theirs, name) for name in names}
    return ControllerInScopeView.model_validate({**values, "cases": cases})


def _clock(clock: Clock) -> ClockView:
    return ClockView.model_validate(clock, from_attributes=True)
