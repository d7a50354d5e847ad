"""Duties that one person never has together, as sentences; and that the chokepoint keeps them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.actors import Actor
from gateway.access.grants import Access, Target
from gateway.access.limits import AFTER_ERASURE, ON_RESTRICTED_CASE
from gateway.access.policy import POLICY, STAFF, Action, Relation, Role, allowing
from gateway.access.relations import Standing
from gateway.errors import ForbiddenError, NotFoundError
from gateway.ids import new_id
from storage.cases import Case
from tests.gateway.ground import SQLITE, UNKNOWN, refused
from tests.house import API, House

AT = datetime(2026, 11, 22, tzinfo=UTC)
CASE = Case(UNKNOWN, UNKNOWN, "key", "P-1", "draft", "aligner", UNKNOWN, AT)
STATES = ["draft", "submitted", "planning", "completed", "erased"]


def rooms_of(role: Role) -> set[str]:
    """What somebody of this role has acts on, by whatever relation."""
    return {a.partition(".")[0] for a in Action if allowing(a, role, Relation) is not None}


def test_an_administrator_runs_accounts_and_has_no_act_on_anything_clinical() -> None:
    rooms = rooms_of(Role.ADMINISTRATOR)

    assert "account" in rooms
    assert not rooms & {"case", "file", "plan", "assignment", "emergency", "erasure", "log"}


def test_a_privacy_officer_sees_log_and_requests_and_never_a_scan() -> None:
    acts = {a for a in Action if allowing(a, Role.PRIVACY_OFFICER, Relation) is not None}

    assert {Action.LOG_VIEW, Action.ERASURE_VIEW, Action.EMERGENCY_REVIEW} <= acts
    assert {a for a in acts if a.partition(".")[0] in {"case", "file", "plan"}} == {
        Action.CASE_RESTRICT,
        Action.CASE_RELEASE,
    }


def test_the_operator_of_the_machine_has_no_act_on_a_case() -> None:
    assert not rooms_of(Role.OPERATOR) & {"case", "file", "plan", "assignment", "emergency"}


def test_who_hands_out_work_cannot_give_it_to_themself() -> None:
    givers = {role for role, _ in POLICY[Action.CASE_ASSIGN].who}

    assert givers == {Role.COORDINATOR}
    assert allowing(Action.CASE_VIEW, Role.COORDINATOR, [Relation.ASSIGNED]) is None


def test_who_can_declare_an_emergency_cannot_review_one() -> None:
    declare = {role for role, _ in POLICY[Action.EMERGENCY_DECLARE].who}

    assert not declare & {role for role, _ in POLICY[Action.EMERGENCY_REVIEW].who}


def test_what_gives_rights_is_never_done_to_oneself() -> None:
    giving = {Action.ACCOUNT_CHANGE, Action.FACTOR_RECOVERY_ASK, Action.FACTOR_RECOVERY_AGREE}

    assert giving <= {action for action, rule in POLICY.items() if rule.never_self}


@SQLITE
@pytest.mark.parametrize("role", ["administrator", "practice_manager"])
async def test_nobody_changes_the_rights_of_their_own_account(house: House, role: str) -> None:
    own = house.practice.id if role == "practice_manager" else None
    person = await house.add_person(role, own)
    colleague = await house.add_person("dentist" if own else "planner", own)
    access = house.rooms.services.access
    actor = Actor(person.id, Role(role), own, access_point="api")
    action = Action.ACCOUNT_CHANGE

    with pytest.raises(ForbiddenError):
        await access.authorise(actor, action, target=Target("account", person.id))
    granted = await access.authorise(actor, action, target=Target("account", colleague.id))
    assert granted.action is action


@SQLITE
async def test_an_account_of_another_practice_is_as_unknown_as_none(house: House) -> None:
    person = await house.add_person("practice_manager", house.practice.id)
    _, foreign = await house.add_practice()
    actor = Actor(person.id, Role.PRACTICE_MANAGER, house.practice.id, access_point="api")
    for account_id in (foreign.id, house.planner.id, new_id()):
        with pytest.raises(NotFoundError):
            await house.rooms.services.access.authorise(
                actor, Action.ACCOUNT_CHANGE, target=Target("account", account_id)
            )


@SQLITE
async def test_who_runs_the_house_is_refused_whatever_is_clinical(house: House) -> None:
    case_id, file = await house.planned_case()
    path = f"{API}/cases/{case_id}"
    administrator = await house.add_person("administrator")
    for person in (administrator, house.officer):
        for end in ("", f"/files/{file['id']}", f"/files/{file['id']}/content", "/archive"):
            refused(await person.ask("GET", path + end), 404, "not_found")
    refused(await administrator.ask("GET", f"{path}/events"), 404, "not_found")


@given(
    role=st.sampled_from(Role),
    action=st.sampled_from(Action),
    relations=st.lists(st.sampled_from(Relation), unique=True),
    state=st.sampled_from(STATES),
    frozen=st.booleans(),
    restricted=st.booleans(),
)
def test_whatever_is_not_in_the_table_is_refused_in_any_state(
    role: Role,
    action: Action,
    relations: list[Relation],
    state: str,
    *,
    frozen: bool,
    restricted: bool,
) -> None:
    case = replace(
        CASE,
        state=state,
        frozen_at=AT if frozen else None,
        restricted_at=AT if restricted else None,
    )
    found = Standing(case, dict.fromkeys(relations, "words"), is_bound=True)
    refusal = Access._refusal(Actor("somebody", role), action, case.id, found, None)

    rule = POLICY[action]
    if not any((role, relation) in rule.who for relation in relations):
        sees = any((role, relation) in POLICY[Action.CASE_VIEW].who for relation in relations)
        assert type(refusal) is (ForbiddenError if sees else NotFoundError)
    elif refusal is None and role is not Role.SYSTEM:
        assert not rule.states or state in rule.states
        assert rule.while_frozen or not frozen
        assert action in ON_RESTRICTED_CASE or not restricted
        assert action in AFTER_ERASURE or state != "erased"


@given(role=st.sampled_from(Role), action=st.sampled_from(Action))
def test_who_stands_in_no_relation_is_refused_without_a_case_too(
    role: Role, action: Action
) -> None:
    found = Standing(None, {}, is_bound=True)

    assert Access._refusal(Actor("somebody", role), action, None, found, None) is not None
    assert isinstance(
        Access._refusal(Actor("somebody", role), action, UNKNOWN, found, None), NotFoundError
    )


def test_everybody_of_the_house_is_staff() -> None:
    assert {role.value for role in STAFF} == {
        *("coordinator", "planner", "privacy_officer", "administrator")
    }
