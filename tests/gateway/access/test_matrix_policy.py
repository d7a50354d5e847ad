"""The recorded answers of the matrix, held against what the policy says: cell by cell.

A number in a table that the policy does not prescribe fails here, whoever recorded it. Rows whose
answer rests on something else than the policy are named, with the reason; a new row is judged
strictly until it stands there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from gateway.access.limits import WHILE_LOCKED, WHILE_RESTRICTED
from gateway.access.policy import OF_CONTROLLER, Action, Relation, Role
from gateway.api.server import OPERATIONS
from tests.gateway.access import test_matrix, test_matrix_objects, test_matrix_people
from tests.gateway.access.deriving import REFUSALS, STATE, STRANGER, Asking, Thing, derive
from tests.gateway.access.test_matrix import ground, row_of
from tests.house import API

__all__ = ["ground"]

ACTS = {row_of(entry): entry.action for entry in OPERATIONS}
OWN, ASSIGNED = frozenset({Relation.OWN_PRACTICE}), frozenset({Relation.ASSIGNED})
NONE: frozenset[Relation] = frozenset()

BY_TOKEN = {
    **dict.fromkeys(("nobody", "disabled", "expired"), Asking(Role.NOBODY)),
    **dict.fromkeys(("dentist", "foreign"), Asking(Role.DENTIST)),
    **dict.fromkeys(("planner", "other", "ended"), Asking(Role.PLANNER)),
    "coordinator": Asking(Role.COORDINATOR),
    "officer": Asking(Role.PRIVACY_OFFICER),
    "administrator": Asking(Role.ADMINISTRATOR),
    "manager": Asking(Role.PRACTICE_MANAGER),
    "service": Asking(Role.SERVICE),
}
OF_OTHER_CASES = {**BY_TOKEN, "limited": Asking(Role.DENTIST, has_cases=False)}
OF_PEOPLE = {
    **BY_TOKEN,
    "limited": Asking(Role.DENTIST, acts=frozenset({Action.CASE_LIST})),
    "dentist@": Asking(Role.DENTIST, by_session=True),
    "manager@": Asking(Role.PRACTICE_MANAGER, by_session=True),
    "administrator@": Asking(Role.ADMINISTRATOR, by_session=True),
    "locked@": Asking(Role.PLANNER, by_session=True, left=WHILE_LOCKED, otherwise=STRANGER),
    "bare@": Asking(Role.ADMINISTRATOR, by_session=True, left=WHILE_RESTRICTED),
}

SAME_FOR_ALL: Mapping[str, str] = {
    f"HEAD {API}/uploads/*": "the address is the secret; who began it is authorised",
    f"PATCH {API}/uploads/*": "the address is the secret; who began it is authorised",
    f"DELETE {API}/uploads/*": "the address is the secret; who began it is authorised",
    f"POST {API}/session": "the password is wrong",
    f"POST {API}/session/factor": "the ticket is unknown",
    f"POST {API}/session/passkey": "the ticket is unknown",
    f"POST {API}/session/passkey/options": "who signs in is not known yet",
    f"POST {API}/session/confirmation/passkey": "the ticket is unknown",
    f"POST {API}/session/oidc": "no provider is set up",
    f"POST {API}/session/oidc/callback": "no provider is set up",
    f"POST {API}/session/oidc/logout": "no provider is set up",
    f"GET {API}/session": "it is about a cookie, and nobody here sends one",
    f"POST {API}/session/confirmation": "it is about a cookie, and nobody here sends one",
}
"""Rows that answer everybody alike, whatever the policy says of the act."""

OF_A_CASE = {
    f"POST {API}/emergencies/*/review": "of the emergency's case",
    f"POST {API}/erasures": "of the cases in the body",
    f"POST {API}/erasures/*/approval": "of the cases of the request",
    f"DELETE {API}/erasures/*": "of the cases of the request",
    f"GET {API}/erasures/*": "of the cases of the request",
    f"GET {API}/log/proof/*": "of the case of the event",
    f"GET {API}/log/events": "of the practice in the query",
    f"GET {API}/breach-notices/*": "of the practice that is told",
    f"GET {API}/breach-notices/*/document": "of the practice that is told",
    f"POST {API}/breach-notices/*/acknowledgement": "of the practice that is told",
}
"""Rows about a case that their path does not name."""

IN_OR_OUT = {
    *(f"POST {API}/erasures", f"POST {API}/erasures/*/approval", f"DELETE {API}/erasures/*"),
    *(f"GET {API}/erasures/*", f"GET {API}/log/proof/*", f"GET {API}/log/events"),
    *(f"GET {API}/breach-notices/*", f"GET {API}/breach-notices/*/document"),
    f"POST {API}/breach-notices/*/acknowledgement",
}
"""Of these only whether one is let in is the policy's: a request of another practice is unknown,
also to who sees its case; what needs no case is refused as forbidden."""

ABSENT = {
    f"POST {API}/incidents/*/alerts": "there is no such alert",
    f"POST {API}/alerts/*/incident": "there is no such incident",
    f"GET {API}/incidents/*/evidence/*": "there is no such evidence",
    f"GET {API}/incidents/*/notices": "a practice lists its own at /breach-notices",
    f"GET {API}/breach-notices": "who has no practice lists them by incident",
    f"GET {API}/cases/-/erasure": "no erasure was asked for, where one is let in",
    f"GET {API}/cases/-/files/*/erasure": "no erasure was asked for",
    f"POST {API}/account/factors/*/activation": "no factor waits for a code",
    f"POST {API}/account/passkeys": "the ticket is unknown",
    f"POST {API}/account/password": "the password is wrong",
    f"POST {API}/session/confirmation/passkey/options": "the account has no passkey",
}
"""Rows that may refuse, as unknown or unproven, whom the policy lets in."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One answer of a table: what is recorded, and what the policy prescribes."""

    row: str
    who: str
    recorded: int
    derived: int
    place: str = ""

    @property
    def is_right(self) -> bool:
        """Whether the recorded answer is one that the policy leaves."""
        if self.row in SAME_FOR_ALL:
            return True
        if self.row in IN_OR_OUT:
            return (self.recorded in REFUSALS) == (self.derived in REFUSALS)
        if self.derived in REFUSALS or (self.derived == STATE and self.place):
            return self.recorded == self.derived
        return self.recorded not in REFUSALS or self.row in ABSENT


def of_cases() -> Iterator[Cell]:
    """test_matrix.py: a case of one's own that goes from draft to erased."""
    for row, cells in test_matrix.EXPECTED.items():
        for who, recorded in cells.items():
            yield Cell(row, who, recorded, derive(ACTS[row], BY_TOKEN[who], own(row, who)))


def own(row: str, who: str) -> Thing:
    """What a row of test_matrix.py is about, as this person stands to it."""
    if "/cases/-" not in row and row not in OF_A_CASE:
        return Thing(_to_the_house(OF_PEOPLE[who].role))
    stands = {**dict.fromkeys(("dentist", "manager", "service"), OWN), "planner": ASSIGNED}
    # A release is of a restricted case; where an erasure is looked at, the case is erased.
    halted = row in {f"POST {API}/cases/-/release", f"GET {API}/cases/-/erasure"}
    return Thing(stands.get(who, NONE), is_case=True, is_restricted=halted)


def of_objects() -> Iterator[Cell]:
    """test_matrix_objects.py: cases that are foreign, shared, erased, frozen or restricted."""
    states = {"foreign": "planning", "shared": "planning", "erased": "erased"}
    for row, (kind, route) in test_matrix_objects.ROWS.items():
        owners = {"foreign"} if kind == "foreign" else {"dentist", "manager", "service"}
        planners = {"shared": {"planner", "other"}, "frozen": {"planner"}}.get(kind, set())
        if route == f"POST {API}/cases/-/files/*/erasure":
            planners = set()  # it follows the erasure of the case
        for who, recorded in test_matrix_objects.EXPECTED[row].items():
            thing = Thing(
                OWN if who in owners else ASSIGNED if who in planners else NONE,
                is_case=True,
                state=states.get(kind),
                is_frozen=kind in {"frozen", "erased"},
                is_restricted=kind == "restricted",
            )
            yield Cell(route, who, recorded, derive(ACTS[route], OF_OTHER_CASES[who], thing), kind)


def of_people() -> Iterator[Cell]:
    """test_matrix_people.py: accounts, factors, sessions, tokens and programs."""
    for short, cells in test_matrix_people.EXPECTED.items():
        row = short.replace(" ", f" {API}", 1)
        is_of_another = "/accounts/*" in row or "/factor-recoveries/*" in row
        for who, recorded in cells.items():
            stands = _to_the_house(OF_PEOPLE[who].role)
            thing = Thing(stands - {Relation.SELF} if is_of_another else stands)
            yield Cell(row, who, recorded, derive(ACTS[row], OF_PEOPLE[who], thing))


def _to_the_house(role: Role) -> frozenset[Relation]:
    """How somebody stands where no case is named: to themself, their practice and their list."""
    practice = {Relation.OWN_PRACTICE} if role in OF_CONTROLLER else set()
    return frozenset(
        {Relation.SELF, *practice, *({Relation.ASSIGNED} if role is Role.PLANNER else ())}
    )


def test_every_recorded_answer_is_one_that_the_policy_leaves() -> None:
    cells = [*of_cases(), *of_objects(), *of_people()]

    assert [cell for cell in cells if not cell.is_right] == []
    assert len(cells) > 2_500
    assert sum(cell.derived in REFUSALS for cell in cells) > 1_500


def test_a_recorded_answer_that_the_policy_does_not_leave_is_found() -> None:
    for cell in of_objects():
        if cell.derived in REFUSALS:
            assert not replace(cell, recorded=200).is_right, cell


def test_no_reason_is_for_a_row_that_there_is_not() -> None:
    assert {*SAME_FOR_ALL, *OF_A_CASE, *IN_OR_OUT, *ABSENT} <= set(ACTS)


def test_what_is_said_to_answer_everybody_alike_does() -> None:
    alike: dict[str, set[int]] = {}
    for cell in [*of_cases(), *of_people()]:
        alike.setdefault(cell.row, set()).add(cell.recorded)

    assert {row: found for row, found in alike.items() if row in SAME_FOR_ALL} == {
        row: {min(alike[row])} for row in SAME_FOR_ALL
    }
