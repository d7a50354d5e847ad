"""The policy as a table: default deny, every act decided, every operation declared."""

from __future__ import annotations

import itertools

import pytest

from gateway.access.limits import AFTER_ERASURE
from gateway.access.policy import POLICY, PRACTICE_ROLES, Action, Relation, Role, allowing
from gateway.api.server import OPERATIONS

PUBLIC = {
    "GET /healthz",
    "GET /readyz",
    "GET /api/v1/openapi.json",
    "GET /api/v1/keys",
    "GET /api/v1/sign-on",
    "GET /api/v1/log/checkpoint",
    "GET /api/v1/log/tile/entries/{tile}",
    "GET /api/v1/log/tile/{level}/{tile}",
    "OPTIONS /api/v1/cases/{case_id}/files",
    "OPTIONS /api/v1/uploads/{capability}",
}
BEFORE_SIGN_IN = {
    Action.SESSION_OPEN,
    Action.INVITATION_ACCEPT,
    Action.PASSWORD_RESET_ASK,
    Action.PASSWORD_RESET,
}
CLINICAL = {
    Action.CASE_VIEW,
    Action.FILE_VIEW,
    Action.FILE_DOWNLOAD,
    Action.FILE_UPLOAD,
    Action.FILE_REMOVE,
    Action.PLAN_UPLOAD,
    Action.CASE_SEARCH,
    Action.CASE_CREATE,
    Action.CASE_LIST,
}


def test_every_act_has_a_rule_and_no_rule_is_without_an_act() -> None:
    assert set(POLICY) == set(Action)


def test_every_operation_declares_its_act_or_is_known_to_be_public() -> None:
    public = {f"{entry.method} {entry.path}" for entry in OPERATIONS if entry.action is None}

    assert public == PUBLIC


@pytest.mark.parametrize("action", Action)
def test_whoever_stands_in_no_relation_is_denied(action: Action) -> None:
    for role in Role:
        assert allowing(action, role, ()) is None


@pytest.mark.parametrize("action", sorted(set(Action) - BEFORE_SIGN_IN))
def test_who_has_not_signed_in_may_do_nothing_but_sign_in(action: Action) -> None:
    assert allowing(action, Role.NOBODY, Relation) is None


def test_what_is_not_in_the_table_is_denied() -> None:
    cells = list(itertools.product(Action, Role, Relation))
    allowed = [
        (action, role, relation)
        for action, role, relation in cells
        if allowing(action, role, [relation]) is not None
    ]

    assert allowed == [cell for cell in cells if cell[1:] in POLICY[cell[0]].who]
    assert len(allowed) < len(cells) / 8


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.PRIVACY_OFFICER, Role.OPERATOR])
@pytest.mark.parametrize("action", sorted(CLINICAL))
def test_those_who_run_the_house_never_see_a_case(role: Role, action: Action) -> None:
    assert allowing(action, role, Relation) is None


@pytest.mark.parametrize("role", sorted(set(Role) - PRACTICE_ROLES - {Role.SERVICE, Role.PLANNER}))
def test_nobody_but_the_practice_and_its_planner_downloads(role: Role) -> None:
    relations = set(Relation) - {Relation.EMERGENCY}

    assert allowing(Action.FILE_DOWNLOAD, role, relations) is None


def test_in_an_emergency_planners_and_coordinators_read_and_nobody_else() -> None:
    emergency = {
        (action, role)
        for action, role in itertools.product(Action, Role)
        if allowing(action, role, [Relation.EMERGENCY]) is not None
    }
    reading = {Action.CASE_VIEW, Action.FILE_VIEW, Action.FILE_DOWNLOAD, Action.FILE_THUMBNAIL}

    assert emergency == set(itertools.product(reading, {Role.PLANNER, Role.COORDINATOR}))


def test_a_dentist_has_nothing_in_a_case_of_another_practice() -> None:
    theirs = {action for action in Action if allowing(action, Role.DENTIST, [Relation.HOUSE])}

    assert theirs == BEFORE_SIGN_IN


def test_the_first_relation_that_allows_an_act_is_its_ground() -> None:
    relations = [Relation.ASSIGNED, Relation.EMERGENCY, Relation.HOUSE]

    assert allowing(Action.CASE_VIEW, Role.PLANNER, relations) is Relation.ASSIGNED


def test_an_erased_case_shows_its_log_its_certificate_and_its_state_alone() -> None:
    asking_again = Action.CASE_ERASE
    coming_to_its_end = {Action.FILE_ERASE, Action.CASE_RECTIFY}

    assert {
        *(Action.LOG_VIEW, Action.ERASURE_VIEW, Action.CASE_VIEW, asking_again),
        *(Action.EMERGENCY_REVIEW, Action.MISUSE_REPORT),
        *coming_to_its_end,
    } == AFTER_ERASURE
