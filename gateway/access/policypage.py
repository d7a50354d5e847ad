"""docs/policy.md, written from the policy: every act in words, and who may do it, by what relation.

`python -m gateway.access.policypage > docs/policy.md` writes it anew.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from gateway.access.policy import POLICY, Action, Relation, Role, Rule
from gateway.access.sentences import SENTENCES

LETTERS: Mapping[Relation, tuple[str, str, str]] = {
    Relation.SELF: ("S", "self: the account is one's own", "het eigen account"),
    Relation.OWN_PRACTICE: (
        "P",
        "own practice: the case or account is of the practice that one belongs to",
        "eigen praktijk: de casus of het account is van de praktijk waar men bij hoort",
    ),
    Relation.ASSIGNED: (
        "A",
        "assigned: an assignment to the case is running",
        "toegewezen: er loopt een toewijzing aan de casus",
    ),
    Relation.EMERGENCY: (
        "E",
        "emergency: one declared an emergency for the case, with a reason, and it is running",
        "noodgeval: men riep voor de casus een noodgeval uit, met een reden, en dat loopt nog",
    ),
    Relation.SUPERVISOR: (
        "C",
        "supervisor: one hands out the work; of the case no content is opened",
        "verdeler van het werk: van de casus gaat geen inhoud open",
    ),
    Relation.HOUSE: ("+", "the role is enough", "de functie is genoeg"),
}
ROLES: Mapping[Role, str] = {
    **{role: role.replace("_", " ") for role in Role},
    Role.SYSTEM: "server",
    Role.NOBODY: "not signed in",
}


def document() -> str:
    """Give docs/policy.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Policy"
    yield ""
    yield "Written by `python -m gateway.access.policypage` from the table that decides every"
    yield "request (`gateway/access/policy.py`); a test compares them."
    yield "Whatever is not in the table is refused, and the refusal is an event of the access log."
    yield ""
    yield "Geschreven uit de tabel die over elk verzoek beslist; een test vergelijkt ze."
    yield "Wat niet in de tabel staat wordt geweigerd, en de weigering staat in het logboek."
    yield ""
    yield "## Relations"
    yield ""
    yield "| mark | relation | relatie |"
    yield "|---|---|---|"
    for mark, english, dutch in LETTERS.values():
        yield f"| {mark} | {english} | {dutch} |"
    yield ""
    yield "## Who may what"
    yield ""
    yield f"| act | {' | '.join(ROLES.values())} | only if |"
    yield f"|---|{'---|' * len(ROLES)}---|"
    for action, rule in POLICY.items():
        cells = " | ".join(_marks(rule, role) for role in ROLES)
        yield f"| `{action}` | {cells} | {_only_if(rule)} |"
    yield ""
    yield "## What each act is"
    yield ""
    yield "| act | in English | in het Nederlands |"
    yield "|---|---|---|"
    for action in Action:
        sentence = SENTENCES[action]
        yield f"| `{action}` | {sentence.en} | {sentence.nl} |"


def _marks(rule: Rule, role: Role) -> str:
    return " ".join(
        mark for relation, (mark, *_) in LETTERS.items() if (role, relation) in rule.who
    )


def _only_if(rule: Rule) -> str:
    conditions = [f"the case is {' or '.join(sorted(rule.states))}"] if rule.states else []
    if rule.never_self:
        conditions.append("it is not one's own account")
    return "; ".join(conditions)


if __name__ == "__main__":
    sys.stdout.write(document())
