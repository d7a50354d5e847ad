"""docs/events.md, written from the policy: every event, who may cause it, and on what ground.

`python -m gateway.access.catalogue > docs/events.md` writes it anew.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from gateway.access.policy import POLICY, PRACTICE_ROLES, STAFF, Relation, Role, Rule

LETTERS: Mapping[str, str] = {
    "C": "create",
    "R": "read",
    "U": "update",
    "D": "delete",
    "E": "execute",
}
RELATIONS: Mapping[Relation, str] = {
    Relation.SELF: "on the own account",
    Relation.OWN_PRACTICE: "of the own practice",
    Relation.ASSIGNED: "assigned to the case",
    Relation.EMERGENCY: "in an emergency",
    Relation.SUPERVISOR: "as the supervisor",
    Relation.HOUSE: "",
}
GROUNDS: Mapping[str, str] = {
    "own_practice": "the case, or account, is of the practice that the user belongs to",
    "assignment:ID": "an assignment of that id, running at that moment",
    "own_assignments": "a list or search, which holds the user's assigned cases alone",
    "emergency:ID": "an emergency of that id, declared by the user and running at that moment",
    "supervisor": "the user hands out the work; nothing of the case is opened",
    "own_account": "it is the user's own account",
    "role:ROLE": "the role alone, where the policy asks for no relation to a case",
    "none": "refused, or an act that is not decided by the policy",
}
FIELDS: Mapping[str, str] = {
    "event.id, event.at": "id (UUIDv7), date and time in UTC to the microsecond",
    "event.code, event.action": "event code, and action code C, R, U, D or E",
    "event.stage": "event result: `authorised` before the effect, `refused`, `outcome` after it",
    "event.cause": "of an outcome: the id of the event that authorised it",
    "event.request_id": "ties the events of one request together; also the header X-Request-Id",
    "event.detail": "nature of the event: ids, names of fields, counts, bytes sent",
    "user.id, user.role": "user id, and the role at that moment",
    "user.access_point, user.address": "type and id of the access point: the network address",
    "object.authorisation": "authorisation protocol: the ground, below",
    "object.controller_id": "the responsible party: the practice whose data it is",
    "object.case_id": "object id: the case, by its id only",
    "object.type, object.id": "type and id of the object, where it is not the case itself",
    "source.id": "log source: the process that wrote it",
    "number": "running number within the practice; a missing one is an event withheld",
}


def document() -> str:
    """Give docs/events.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Events"
    yield ""
    yield "Written by `python -m gateway.access.catalogue` from the policy; a test compares them."
    yield "What each code means is in [the API](api.md#events)."
    yield "An act in an emergency has the ground `emergency:ID`: what somebody did without being"
    yield "assigned, for a reason that they gave first (NEN 7513)."
    yield ""
    yield "## Who may"
    yield ""
    yield "Whatever is not in the table is refused, and the refusal is an event."
    yield ""
    yield "| code | action | who | in the states |"
    yield "|---|---|---|---|"
    for action, rule in POLICY.items():
        states = ", ".join(sorted(rule.states)) or "any"
        yield f"| `{action}` | {LETTERS[rule.letter]} | {_who(rule)} | {states} |"
    yield from _table("Grounds", ("authorisation", "why it was allowed"), GROUNDS)
    yield from _table("Fields", ("in the record", "NEN 7513"), FIELDS)


def _table(title: str, columns: tuple[str, str], rows: Mapping[str, str]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    yield f"| {columns[0]} | {columns[1]} |"
    yield "|---|---|"
    for name, meaning in rows.items():
        yield f"| `{name}` | {meaning} |"


def _who(rule: Rule) -> str:
    if not rule.who:
        return "nobody: only refusals are events"
    if {role for role, _ in rule.who} >= PRACTICE_ROLES | STAFF:
        return "everybody" if (Role.NOBODY, Relation.HOUSE) in rule.who else "who has signed in"
    return "; ".join(
        f"{role.value.replace('_', ' ')} {RELATIONS[relation]}".rstrip()
        for role, relation in sorted(rule.who)
    )


if __name__ == "__main__":
    sys.stdout.write(document())
