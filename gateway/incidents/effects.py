"""What one act of the log did to one case: which data somebody got, and what they changed.

This is the one table that says what each act shows. A route that shows more of a case than it did
must be told here; tests/gateway/incidents holds every act of the policy against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway.access.policy import PRACTICE_ROLES, Action, Role
from gateway.incidents.acts import Act
from gateway.incidents.records import CaseRecord
from gateway.incidents.scope import Effect, Kind

_PRACTICE = frozenset({*PRACTICE_ROLES, Role.SERVICE})
_SENDS = frozenset({Action.FILE_UPLOAD, Action.PLAN_UPLOAD})
_PATIENT = frozenset({Kind.STATE, Kind.AGE, Kind.IDENTITY, Kind.NOTES})

SHOWS_CASE = frozenset({Action.CASE_VIEW, Action.CASE_SUBMIT, Action.CASE_COMPLETE})
"""Acts that answer with the whole case, as far as who asks may see it."""

SHOWS_STATE = frozenset(
    {
        *(Action.CASE_LIST, Action.CASE_SEARCH, Action.ASSIGNMENT_LIST, Action.EMERGENCY_LIST),
        *(Action.ERASURE_VIEW, Action.FILE_VIEW, Action.FILE_DOWNLOAD, Action.FILE_THUMBNAIL),
    }
)
"""Acts that answer with a case's state at the least."""

_BY_FILE = frozenset({Action.FILE_VIEW, Action.FILE_DOWNLOAD, Action.FILE_THUMBNAIL})
_BY_COMMIT = SHOWS_CASE - {Action.CASE_VIEW}  # they answer only once they are committed

ALTERS = frozenset(
    {
        *(Action.CASE_CREATE, Action.CASE_SUBMIT, Action.CASE_ASSIGN, Action.CASE_HAND_OVER),
        *(Action.CASE_COMPLETE, Action.CASE_RECTIFY, Action.CASE_RESTRICT, Action.CASE_RELEASE),
        *(Action.EMERGENCY_DECLARE, Action.ERASURE_WITHDRAW, Action.FILE_PLACE),
        *_SENDS,
    }
)
DESTROYS = frozenset(
    {
        *(Action.CASE_ERASE, Action.ERASURE_APPROVE, Action.FILE_ERASE, Action.FILE_REMOVE),
        Action.CONTROLLER_ERASE,
    }
)


@dataclass(slots=True)
class Harm:
    """What acts did to one case, so far."""

    kinds: set[Kind] = field(default_factory=set)
    effects: set[Effect] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    events: int = 0


def weigh(act: Act, case: CaseRecord, harm: Harm) -> None:
    """Add what an act did to a case; nothing, if it broke off before it did anything."""
    shown = _shown(act, case, harm.files)
    effects = _effects(act, case)
    if not shown and not effects:
        return
    harm.events += 1
    harm.kinds |= shown or {Kind.STATE}
    harm.effects |= effects | ({Effect.DISCLOSED} if shown else set())


def _effects(act: Act, case: CaseRecord) -> set[Effect]:
    """What was changed: only what was committed, and that has an outcome.

    Bytes of an upload have none; that the upload is there shows that it could be written to.
    """
    if act.event.code in _SENDS and act.event.object_id in case.files:
        return {Effect.ALTERED}
    if not act.outcomes:
        return set()
    if act.event.code in DESTROYS:
        waits = all(event.detail.get("step") == "waiting" for event in act.outcomes)
        return {Effect.ALTERED if waits else Effect.LOST}
    return {Effect.ALTERED} if act.event.code in ALTERS else set()


def _shown(act: Act, case: CaseRecord, files: set[str]) -> set[Kind]:
    code = act.event.code
    if code in _BY_FILE:
        return _of_file(act, case, files)
    if code in {Action.CASE_LIST, Action.CASE_SEARCH}:
        return _of_list(act, case)  # one case that did not open keeps no other out of a list
    if act.broke or (code in _BY_COMMIT and not act.outcomes):
        return set()
    if code in SHOWS_CASE:
        return _of_case(act, case)
    if code == Action.LOG_VIEW:
        return {Kind.LOG}
    is_there = code != Action.ERASURE_VIEW or case.is_asked_for(act.event.at)
    return {Kind.STATE} if code in SHOWS_STATE and is_there else set()


def _of_list(act: Act, case: CaseRecord) -> set[Kind]:
    """What a list shows: a practice its patients, but those of frozen cases."""
    event, seen = act.event, {Kind.STATE}
    if event.actor_role in _PRACTICE and not case.is_frozen(event.at):
        seen.add(Kind.IDENTITY)
    return seen | ({Kind.MATCH} if event.code == Action.CASE_SEARCH else set())


def _of_case(act: Act, case: CaseRecord) -> set[Kind]:
    """What the view of a case shows: as gateway.privacy.cases.Cases.sight does."""
    event = act.event
    if event.ground == "supervisor" or case.is_frozen(event.at):
        return {Kind.STATE}
    seen = {Kind.STATE, Kind.AGE, Kind.NOTES}
    if case.files:
        seen.add(Kind.DETAILS)
    return seen | _PATIENT if event.ground == "own_practice" else seen


def _of_file(act: Act, case: CaseRecord, files: set[str]) -> set[Kind]:
    event, named = act.event, act.event.object_type == "file"
    # Either it did not open, or they named a file that the case does not have: nothing was sent.
    if (act.broke and not act.outcomes) or (named and event.object_id not in case.files):
        return set()
    if event.code == Action.FILE_VIEW:
        return {Kind.STATE} if event.ground == "supervisor" else {Kind.STATE, Kind.DETAILS}
    # Without an outcome everything counts as sent.
    if act.outcomes and not any(_sent(outcome.detail) for outcome in act.outcomes):
        return {Kind.STATE}
    if named:
        there = case.files[event.object_id or ""]
        taken = [(event.object_id, there)] if there.is_there(event.at) else []
    else:
        taken = [it for it in case.files_at(event.at) if _is_begun(act, it[0])]
    files.update(name for name, _ in taken if name is not None)
    if event.code == Action.FILE_THUMBNAIL:
        return {Kind.STATE, Kind.THUMBNAIL} if taken else set()
    return {Kind.STATE, *(file.kind for _, file in taken)} if taken else set()


def _is_begun(act: Act, file_id: str) -> bool:
    """Whether an archive came as far as this file; where nothing says so, it did."""
    lists = [event.detail["files"] for event in act.outcomes if "files" in event.detail]
    return not lists or any(isinstance(each, list) and file_id in each for each in lists)


def _sent(detail: Mapping[str, object]) -> bool:
    return detail.get("bytes") != 0


def whole(case: CaseRecord, harm: Harm, since: datetime | None) -> None:
    """Add everything that there was of a case since then: its key is known to somebody else."""
    harm.kinds |= _PATIENT
    harm.effects.add(Effect.DISCLOSED)
    for file_id, file in case.files.items():
        if since is not None and file.gone_at is not None and file.gone_at <= since:
            continue
        harm.kinds.add(Kind.DETAILS)
        if file.accepted_at is not None:
            harm.files.add(file_id)
            harm.kinds |= {file.kind, Kind.THUMBNAIL}
