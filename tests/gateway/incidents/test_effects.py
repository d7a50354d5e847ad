"""Every act of the policy that is about a case has its place in the table of what acts do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gateway.access.policy import Action
from gateway.incidents.acts import Act
from gateway.incidents.effects import ALTERS, DESTROYS, SHOWS_CASE, SHOWS_STATE, Harm, weigh
from gateway.incidents.records import CaseRecord, FileRecord
from gateway.incidents.scope import Kind
from storage.accesslog.event import AccessEvent, Stage

ABOUT_CASES = frozenset({"case", "file", "plan", "assignment", "emergency", "erasure", "log"})
NOTHING = {
    Action.ASSIGNMENT_END: "the system's own, to contain an incident",
    Action.FILE_INSPECT: "the system's own; what came in was somebody's upload",
    Action.EMERGENCY_REVIEW: "says what to think of an emergency; nothing of the case",
    Action.LOG_PRUNE: "the log's records, not a case's",
}


def test_every_act_about_a_case_says_what_it_shows_or_changes() -> None:
    known = SHOWS_CASE | SHOWS_STATE | ALTERS | DESTROYS | {Action.LOG_VIEW}
    about = {action for action in Action if action.partition(".")[0] in ABOUT_CASES}

    assert about - known == NOTHING.keys()
    assert known - about == {Action.CONTROLLER_ERASE}
    assert not DESTROYS & (ALTERS | SHOWS_CASE | SHOWS_STATE)


AT = datetime(2026, 11, 20, 8, tzinfo=UTC)


def event(
    stage: Stage = "authorised", code: str = "file.download", file: str | None = None, **detail: Any
) -> AccessEvent:
    return AccessEvent(
        id="event",
        at=AT,
        code=code,
        action="R",
        stage=stage,
        actor_id="planner",
        actor_role="planner",
        ground="assignment:a",
        request_id="request",
        access_point="api",
        source="node",
        case_id="case",
        object_type=None if file is None else "file",
        object_id=file,
        detail=detail,
    )


def two_files() -> CaseRecord:
    files = {name: FileRecord(Kind.SCAN, AT.replace(hour=1)) for name in ("first", "second")}
    files["photo"] = FileRecord(Kind.PHOTO, AT.replace(hour=9))  # accepted later
    return CaseRecord("case", "practice", files=files)


def test_an_archive_that_broke_off_counts_for_the_files_that_it_came_to() -> None:
    expected: list[tuple[dict[str, Any], set[str]]] = [
        ({"bytes": 900, "ended": False, "files": ["first"]}, {"first"}),
        ({"bytes": 900, "ended": True, "files": ["first", "second"]}, {"first", "second"}),
        ({"bytes": 900, "ended": False}, {"first", "second"}),
        ({"bytes": 0, "ended": False, "files": []}, set()),
    ]
    for detail, files in expected:
        harm = Harm()
        weigh(Act(event(), 0, [event("outcome", **detail)]), two_files(), harm)
        assert harm.files == files
        assert (Kind.SCAN in harm.kinds) == bool(files)

    harm = Harm()
    weigh(Act(event(), 0), two_files(), harm)
    assert harm.files == {"first", "second"}


def test_what_did_not_open_was_not_shown_but_for_what_was_sent_before() -> None:
    for code in ("case.view", "file.view", "file.thumbnail", "file.download"):
        harm = Harm()
        file = None if code == "case.view" else "first"
        weigh(Act(event(code=code, file=file), 0, broke=True), two_files(), harm)
        assert not harm.effects, code

    sent = event("outcome", bytes=10, ended=False)
    harm = Harm()
    weigh(Act(event(file="first"), 0, [sent], broke=True), two_files(), harm)
    assert harm.files == {"first"}
