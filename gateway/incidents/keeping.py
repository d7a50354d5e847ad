"""A question and its answer as they are kept: JSON and rows, and back."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from gateway.incidents.scope import (
    CaseInScope,
    Effect,
    Kind,
    Question,
    Scope,
    ScopeOfController,
)
from storage.incidents import ScopeCase, ScopeRow


def question_text(question: Question) -> str:
    """A question as JSON: what it gives, and nothing else."""
    given: dict[str, object] = {}
    for name in Question.__dataclass_fields__:
        value = getattr(question, name)
        if value:
            given[name] = value.isoformat() if isinstance(value, datetime) else list(value)
    return json.dumps(given, sort_keys=True)


def read_question(text: str) -> Question:
    """What `question_text` wrote."""
    given = json.loads(text)
    return Question(
        accounts=tuple(given.get("accounts", ())),
        since=_moment(given.get("since")),
        until=_moment(given.get("until")),
        addresses=tuple(given.get("addresses", ())),
        requests=tuple(given.get("requests", ())),
        keys=tuple(given.get("keys", ())),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def rows_of(
    scope: Scope, scope_id: str, incident_id: str, by: str
) -> tuple[ScopeRow, list[ScopeCase]]:
    """An answer as rows."""
    row = ScopeRow(
        id=scope_id,
        incident_id=incident_id,
        question=question_text(scope.question),
        by=by,
        computed_at=scope.computed_at,
        up_to=scope.up_to,
        acts=scope.acts,
        complete=scope.complete,
    )
    found = [
        ScopeCase(
            scope_id=scope_id,
            case_id=case.case_id,
            controller_id=theirs.controller_id,
            subject=case.subject,
            files=json.dumps(case.files),
            kinds=json.dumps(case.kinds),
            effects=json.dumps(case.effects),
            keys_exposed=case.keys_exposed,
            events=case.events,
        )
        for theirs in scope.controllers
        for case in theirs.cases
    ]
    return row, found


def read_scope(row: ScopeRow, found: Sequence[ScopeCase]) -> Scope:
    """What `rows_of` wrote."""
    by_controller: dict[str, list[CaseInScope]] = defaultdict(list)
    for each in found:
        case = CaseInScope(
            case_id=each.case_id,
            subject=each.subject,
            files=tuple(json.loads(each.files)),
            kinds=tuple(map(Kind, json.loads(each.kinds))),
            effects=tuple(map(Effect, json.loads(each.effects))),
            keys_exposed=each.keys_exposed,
            events=each.events,
        )
        by_controller[each.controller_id].append(case)
    answers = [
        ScopeOfController(controller_id, tuple(theirs), row.computed_at, row.up_to, row.complete)
        for controller_id, theirs in sorted(by_controller.items())
    ]
    return Scope(
        read_question(row.question),
        tuple(answers),
        row.computed_at,
        row.up_to,
        row.complete,
        row.acts,
    )
