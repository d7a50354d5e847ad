"""How somebody stands to what they ask for: read from the rows, judged by the policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor
from gateway.access.duty import is_bound
from gateway.access.policy import STAFF, Relation, Role
from gateway.ids import now
from storage import accounts, cases, emergencies
from storage.cases import Case

Relations = Mapping[Relation, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """The case that is asked for, if there is one; and each relation with its words for the log.

    The order is that of `Relation`: the first one that allows an act is its ground. `is_bound`
    says whether somebody of the house has confirmed their duty of confidentiality.
    """

    case: Case | None
    relations: Relations
    is_bound: bool


async def standing(
    connection: AsyncConnection, actor: Actor, case_id: str | None, account_id: str | None
) -> Standing:
    """How `actor` stands to a case, else to an account, else to the house.

    Where neither is named an act is on one's own: account, practice, assignments.
    """
    bound = actor.role in STAFF and is_bound(
        await accounts.get_account(connection, actor.id), now()
    )
    if case_id is None:
        return Standing(None, await _without_case(connection, actor, account_id), bound)
    case = await cases.get(connection, case_id)
    # Read whether or not there is such a case: the time that it takes tells nobody.
    given = await _given(connection, actor, case_id) if actor.role in STAFF else {}
    if case is None:
        return Standing(None, {}, bound)
    found: dict[Relation, str] = {}
    if actor.controller_id == case.controller_id:
        found[Relation.OWN_PRACTICE] = "own_practice"
    if case.restricted_at is None:
        found |= given
    return Standing(case, {**found, **_by_role(actor)}, bound)


async def _given(connection: AsyncConnection, actor: Actor, case_id: str) -> Relations:
    """What somebody of the house was given for a case, or took."""
    at, found = now(), {}
    assignment = await cases.running_assignment(connection, case_id, actor.id, at)
    if assignment is not None:
        found[Relation.ASSIGNED] = f"assignment:{assignment.id}"
    emergency = await emergencies.running(connection, case_id, actor.id, at)
    if emergency is not None:
        found[Relation.EMERGENCY] = f"emergency:{emergency.id}"
    return found


async def _without_case(
    connection: AsyncConnection, actor: Actor, account_id: str | None
) -> Relations:
    found: dict[Relation, str] = {}
    if account_id in {None, actor.id}:
        found[Relation.SELF] = "own_account"
    if actor.controller_id is not None:
        account = await accounts.get_account(connection, account_id) if account_id else None
        if account_id is None or (account and account.controller_id == actor.controller_id):
            found[Relation.OWN_PRACTICE] = "own_practice"
    if actor.role is Role.PLANNER:
        # Without a case: their list holds what they are assigned to, and nothing else.
        found[Relation.ASSIGNED] = "own_assignments"
    return {**found, **_by_role(actor)}


def _by_role(actor: Actor) -> Relations:
    words = {Relation.HOUSE: f"role:{actor.role}"}
    if actor.role is Role.COORDINATOR:
        return {Relation.SUPERVISOR: "supervisor", **words}
    return words
