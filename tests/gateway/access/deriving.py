"""What the policy alone says a request must be answered, before anybody asks the server.

The tables of test_matrix*.py are recorded in numbers. Here a number is derived a second time, from
the table that a lawyer reads (gateway/access/policy.py, docs/policy.md) and from how somebody
stands to the object: never from an answer. What is recorded must agree.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.access.limits import (
    AFTER_ERASURE,
    ON_RESTRICTED_CASE,
    SESSION_ONLY,
)
from gateway.access.policy import (
    OF_CONTROLLER,
    POLICY,
    Action,
    Relation,
    Role,
)

REFUSALS = frozenset({401, 403, 404})
IN, STRANGER, FORBIDDEN, UNSEEN, STATE = 0, 401, 403, 404, 409
"""IN: the policy lets them in, and what the answer is depends on what they send."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, and by what.

    Attributes:
        acts: What a token is limited to.
        has_cases: Whether the token reaches the case of the table.
        left: What a session may still do that is locked or lacks a factor; `otherwise` is the
            answer to all else.
    """

    role: Role
    by_session: bool = False
    acts: frozenset[Action] = frozenset(Action)
    has_cases: bool = True
    left: frozenset[Action] = frozenset(Action)
    otherwise: int = FORBIDDEN


@dataclass(frozen=True, slots=True)
class Thing:
    """What is asked for, and how who asks stands to it; `state` is that of a case, if known."""

    relations: frozenset[Relation] = frozenset()
    is_case: bool = False
    state: str | None = None
    is_frozen: bool = False
    is_restricted: bool = False


def may(action: Action, role: Role, relations: frozenset[Relation]) -> bool:
    """Whether a row of the policy has this role in one of these relations."""
    return any((role, relation) in POLICY[action].who for relation in relations)


def derive(action: Action | None, who: Asking, thing: Thing) -> int:
    """The status that the policy prescribes, or IN."""
    if action is None or may(action, Role.NOBODY, frozenset({Relation.HOUSE})):
        return IN
    limit = _by_what(action, who)
    if limit is not None:
        return limit
    if thing.is_case:
        return _of_case(action, who, thing)
    if may(action, who.role, thing.relations | _by_role(who.role)):
        return IN
    theirs = who.role in OF_CONTROLLER and (who.role, Relation.OWN_PRACTICE) in POLICY[action].who
    return UNSEEN if theirs else FORBIDDEN


def _by_what(action: Action, who: Asking) -> int | None:
    """What a missing, limited or locked session or token is answered, whatever the role may."""
    if who.role is Role.NOBODY:
        return STRANGER
    if action not in who.acts or (action in SESSION_ONLY and not who.by_session):
        return FORBIDDEN
    if action not in who.left:
        return who.otherwise
    return None if who.has_cases else FORBIDDEN


def _of_case(action: Action, who: Asking, thing: Thing) -> int:
    stands = thing.relations | _by_role(who.role)
    if thing.is_restricted:
        stands -= {Relation.ASSIGNED, Relation.EMERGENCY}
    if not may(action, who.role, stands):
        return FORBIDDEN if may(Action.CASE_VIEW, who.role, stands) else UNSEEN
    rule = POLICY[action]
    halted = (
        (thing.state == "erased" and action not in AFTER_ERASURE)
        or (thing.is_frozen and not rule.while_frozen)
        or (thing.is_restricted and action not in ON_RESTRICTED_CASE)
        or (thing.state is not None and bool(rule.states) and thing.state not in rule.states)
    )
    return STATE if halted else IN


def _by_role(role: Role) -> frozenset[Relation]:
    supervises = {Relation.SUPERVISOR} if role is Role.COORDINATOR else set()
    return frozenset({Relation.HOUSE, *supervises})
