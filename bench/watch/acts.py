"""The acts of which life and attacks are made: each writes what the gateway writes for it."""

from __future__ import annotations

from collections.abc import Sequence

from bench.watch.scribe import Scribe, Who
from bench.watch.town import Case, Person

STAFF = frozenset({"planner", "coordinator", "privacy_officer", "administrator"})
DECLARED = "emergency.declare"
REVIEWED = "emergency.review"


def ground(who: Who, case: Case) -> str:
    """Why somebody may open a case."""
    if who.role == "planner":
        return f"assignment:{case.assignment}"
    return "supervisor" if who.role == "coordinator" else "own_practice"


def sign_in(
    scribe: Scribe,
    at: float,
    person: Person,
    address: str,
    failures: int = 0,
    *,
    new: bool = False,
) -> float:
    """Sign in after so many wrong passwords, from a new device or not; when it was done."""
    for _ in range(failures):
        refuse_sign_in(scribe, at, person.at(address))
        at += 9.0
    who = person.at(address)
    proofs = ["password"]
    if person.role in STAFF:
        scribe.write(at, who, "session.prove", ground="none", proofs=["password"], asked=True)
        at += 11.0
        proofs = ["password", "totp"]
    scribe.act(at, who, "session.open", f"role:{person.role}", proofs=proofs, new_device=new)
    return at + 2.0


def refuse_sign_in(scribe: Scribe, at: float, who: Who) -> None:
    """A wrong password, for a known account or (`nobody`) an unknown one."""
    scribe.write(at, who, "session.open", stage="refused")


def nobody(address: str) -> Who:
    """Who is not known."""
    return Who("unknown", "nobody", None, address)


def refuse_session(scribe: Scribe, at: float, who: Who, ended: str) -> None:
    """A session that is no good any more, and why."""
    why = "unauthenticated"
    scribe.write(at, who, "session.use", stage="refused", refusal=why, ended=ended)


def refuse_token(scribe: Scribe, at: float, who: Who, ended: str, token: str) -> None:
    """A token that is no good any more, and why."""
    why = "unauthenticated"
    scribe.write(at, who, "session.use", stage="refused", refusal=why, ended=ended, token=token)


def listing(scribe: Scribe, at: float, who: Who, cases: Sequence[Case]) -> None:
    """See a list."""
    why = {"planner": "own_assignments", "coordinator": "supervisor"}.get(who.role, "own_practice")
    _found(scribe, at, who, "case.list", why, cases)


def search(scribe: Scribe, at: float, who: Who, found: Sequence[Case]) -> None:
    """Search for a patient. What finds nothing has no outcome."""
    _found(scribe, at, who, "case.search", "own_practice", found, ("name", "birth_date"))


def view(scribe: Scribe, at: float, who: Who, case: Case, why: str | None = None) -> None:
    """Open a case."""
    scribe.write(at, who, "case.view", ground=why or ground(who, case), case=case.key)


def thumbnails(scribe: Scribe, at: float, who: Who, case: Case, why: str | None = None) -> float:
    """Look at each file's small picture."""
    for number in range(case.files):
        target = ("file", f"{case.id}-{number}")
        scribe.write(
            at,
            who,
            "file.thumbnail",
            ground=why or ground(who, case),
            case=case.key,
            target=target,
        )
        at += 0.2
    return at


def download(
    scribe: Scribe,
    at: float,
    who: Who,
    case: Case,
    *,
    file: int | None = None,
    why: str | None = None,
) -> None:
    """Download one file, or all of a case as one archive."""
    target = None if file is None else ("file", f"{case.id}-{file}")
    scribe.act(
        at,
        who,
        "file.download",
        why or ground(who, case),
        case=case.key,
        target=target,
        bytes=8_000_000 * (case.files if file is None else 1),
        ended=True,
    )


def refuse_case(
    scribe: Scribe, at: float, who: Who, case_id: str, known: Case | None = None
) -> None:
    """Ask for a case that one may not see; `known` is there and somebody else's."""
    scribe.write(
        at,
        who,
        "case.view",
        stage="refused",
        case=known.key if known else None,
        target=("case", case_id),
        refusal="not_found",
    )


def assign(scribe: Scribe, at: float, who: Who, case: Case, planner: Person, name: str) -> None:
    """Give a planner a case; `name` is the assignment's."""
    case.planner, case.assignment = planner, name
    scribe.act(
        at,
        who,
        "case.assign",
        "supervisor",
        case=case.key,
        target=("assignment", name),
        planner=planner.id,
    )


def end_assignment(scribe: Scribe, at: float, who: Who, case: Case) -> None:
    """Take it away."""
    target = ("assignment", case.assignment)
    scribe.act(at, who, "case.assign", "supervisor", case=case.key, target=target)


def _found(
    scribe: Scribe,
    at: float,
    who: Who,
    code: str,
    why: str,
    found: Sequence[Case],
    fields: tuple[str, ...] = (),
) -> None:
    if fields:
        cause = scribe.write(at, who, code, ground=why, fields=list(fields))
    else:
        cause = scribe.write(at, who, code, ground=why)
    for practice in sorted({case.practice for case in found}):
        ids = [case.id for case in found if case.practice == practice]
        owner = Who(who.id, who.role, practice, who.address)
        scribe.write(at + 0.05, owner, code, stage="outcome", ground=why, cause=cause, cases=ids)
