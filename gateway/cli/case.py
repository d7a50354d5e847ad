"""`kluis case`: make, find, show, hand over and complete cases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from gateway.cli import options, texts
from gateway.cli.client import JsonObject, connect
from gateway.cli.output import Output, size, table
from gateway.cli.reports import findings_in_words, missing_in_words, slot_in_words
from gateway.privacy.completeness import Slot, Treatment

app = options.group("case", "Cases: create, find, show, assign, submit, complete.")


Email = Annotated[
    str, typer.Argument(metavar="EMAIL", help="The planner's address.", show_default=False)
]
PatientName = Annotated[str, typer.Option(help="Name of the patient.", show_default=False)]
BirthDate = Annotated[
    datetime, typer.Option(formats=["%Y-%m-%d"], help="YYYY-MM-DD.", show_default=False)
]
PatientNumber = Annotated[str, typer.Option(help="The practice's own number.", show_default=False)]
Notes = Annotated[str, typer.Option(help="What the planner should know.")]
TreatmentOption = Annotated[Treatment, typer.Option(help="What is asked for.")]
SlotArgument = Annotated[Slot, typer.Argument(help="What the file shows.", show_default=False)]
Start = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, YYYY-MM-DD.")
]
Reason = Annotated[str, typer.Option(help="Why; it stands in the log.", show_default=False)]
State = Annotated[str | None, typer.Option(help="Only cases in this state.", show_default=False)]
Search = Annotated[
    str | None,
    typer.Option("--patient-number", help="Only this patient's cases.", show_default=False),
]


async def correct(
    case: options.Case,
    patient_name: PatientName,
    birth_date: BirthDate,
    patient_number: PatientNumber,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Correct who the patient is; what stood there is erased for good, with a certificate."""
    patient = {
        "name": patient_name,
        "birth_date": birth_date.date().isoformat(),
        "number": patient_number,
    }
    async with connect(server) as client:
        asked = await client.put(f"cases/{case}/patient", patient)
    answer = {"request_id": asked["request_id"]}
    Output(as_json).answer(answer, texts.PATIENT_CORRECTED.say(request=asked["request_id"]))


async def create(
    patient_name: PatientName,
    birth_date: BirthDate,
    patient_number: PatientNumber,
    notes: Notes = "",
    treatment: TreatmentOption = Treatment.ALIGNER,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Create a case. Others on this machine can see the words of a running command."""
    patient = {
        "name": patient_name,
        "birth_date": birth_date.date().isoformat(),
        "number": patient_number,
    }
    body = {"patient": patient, "notes": notes, "treatment": treatment.value}
    async with connect(server) as client:
        case = await client.post("cases", body)
    answer = {"id": case["id"], "pseudonym": case["pseudonym"]}
    Output(as_json).answer(answer, texts.CASE_CREATED.say(**answer))


async def list_cases(
    state: State = None,
    patient_number: Search = None,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """List the cases that you may see, the newest first."""
    async with connect(server) as client:
        if patient_number is not None:
            # In the body: an address is written to logs on the way, a body is not.
            page = await client.post("cases/search", {"patient_number": patient_number})
        else:
            page = await client.get("cases", **_given(state=state))
        cases: list[JsonObject] = page["cases"]
        while page["next"] is not None and patient_number is None:
            page = await client.get("cases", **_given(state=state, before=page["next"]))
            cases += page["cases"]
    if patient_number is not None and state is not None:
        cases = [case for case in cases if case["state"] == state]
    columns = ("id", "pseudonym", "state", "treatment", "created_at")
    Output(as_json).answer(
        cases, table(columns, [[case[column] for column in columns] for case in cases])
    )


async def show(
    case: options.Case,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Show a case with its files and its planners."""
    async with connect(server) as client:
        view = await client.get(f"cases/{case}")
    Output(as_json).answer(view, _sheet(view))


async def place(
    case: options.Case,
    file: options.FileId,
    slot: SlotArgument,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Say what a file of a draft shows, where its name did not tell."""
    async with connect(server) as client:
        await client.put(f"cases/{case}/files/{file}/slot", {"slot": slot.value})
    answer = {"file": file, "slot": slot.value}
    Output(as_json).answer(answer, texts.FILE_PLACED.say(file=file, slot=slot_in_words(slot)))


async def assign(
    case: options.Case,
    email: Email,
    start: Start = None,
    until: options.Day = None,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Assign a planner to a case, for good or from and until a day."""
    days = {"from": start, "until": until}
    body = {"email": email, **{name: day and day.date().isoformat() for name, day in days.items()}}
    async with connect(server) as client:
        view = await client.post(f"cases/{case}/assignments", body)
    Output(as_json).answer(view, texts.CASE_ASSIGNED.say(id=case, email=email))


async def hand_over(
    case: options.Case,
    email: Email,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Hand the planning of a case over to a colleague; you lose access to it."""
    async with connect(server) as client:
        given = await client.post(f"cases/{case}/handover", {"email": email})
    Output(as_json).answer(given, texts.CASE_ASSIGNED.say(id=case, email=email))


async def restrict(
    case: options.Case,
    reason: Reason,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Have a case stored and nothing else, until a doubt is settled."""
    await _mark(case, "restriction", reason, server, Output(as_json))


async def release(
    case: options.Case,
    reason: Reason,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Let the work on a restricted case go on."""
    await _mark(case, "release", reason, server, Output(as_json))


async def _mark(case: str, end: str, reason: str, server: str, out: Output) -> None:
    async with connect(server) as client:
        await client.post(f"cases/{case}/{end}", {"reason": reason})
    state = "restricted" if end == "restriction" else "released"
    out.answer({"id": case, "state": state}, texts.CASE_STATE.say(id=case, state=state))


async def submit(
    case: options.Case,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Submit a draft: its files can no longer be changed, and planning can begin."""
    async with connect(server) as client:
        view = await client.post(f"cases/{case}/submission")
    said = [texts.CASE_STATE.say(id=case, state=view["state"])]
    if view["missing"]:
        said.append(texts.MISSING.say(places=missing_in_words(view["missing"])))
    Output(as_json).answer(view, "\n".join(said))


async def complete(
    case: options.Case,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Complete a case: its plan is ready for the practice."""
    async with connect(server) as client:
        view = await client.post(f"cases/{case}/completion")
    Output(as_json).answer(view, texts.CASE_STATE.say(id=case, state=view["state"]))


CREATE = (
    'kluis case create --patient-name "A. de Vries" --birth-date 1990-05-17 --patient-number 4711'
)
options.command(app, "create", example=CREATE)(create)
options.command(
    app,
    "correct",
    example='kluis case correct CASE --patient-name "A. de Vries" --birth-date 1990-05-17'
    " --patient-number 4711",
)(correct)
options.command(app, "list", example="kluis case list --state submitted")(list_cases)
options.command(app, "show", example="kluis case show CASE")(show)
options.command(
    app, "assign", example="kluis case assign CASE planner@lab.example --until 2026-12-31"
)(assign)
options.command(
    app,
    "place",
    example="kluis case place CASE 01a203ae-919b-70c9-a651-9d43dc82776f upper",
)(place)
options.command(app, "hand-over", example="kluis case hand-over CASE colleague@lab.example")(
    hand_over
)
options.command(app, "restrict", example='kluis case restrict CASE --reason "whose scan?"')(
    restrict
)
options.command(app, "release", example='kluis case release CASE --reason "it is right"')(release)
options.command(app, "submit", example="kluis case submit CASE")(submit)
options.command(app, "complete", example="kluis case complete CASE")(complete)


def _given(**query: str | None) -> dict[str, str]:
    return {name: value for name, value in query.items() if value is not None}


def _state(view: JsonObject) -> str:
    marks = {"frozen": "being erased", "restricted": "restricted"}
    set_marks = [words for name, words in marks.items() if view.get(name)]
    return f"{view['state']} ({', '.join(set_marks)})" if set_marks else str(view["state"])


def _sheet(view: JsonObject) -> Table:
    """The case as a table of two columns; a file or planner has a row of its own."""
    patient = view["patient"] or {}
    rows: list[tuple[str, object]] = [
        ("case", view["id"]),
        ("state", _state(view)),
        ("treatment", view["treatment"]),
        ("pseudonym", view["pseudonym"]),
        ("age", view["age_years"]),
        *((f"patient {name}", value) for name, value in patient.items()),
        ("notes", view["notes"]),
        ("created", view["created_at"]),
        ("submitted", view["submitted_at"]),
        ("completed", view["completed_at"]),
        *(("planner", _planner(assignment)) for assignment in view["assignments"]),
        *(row for file in view["files"] for row in _file(file)),
        ("missing", missing_in_words(view["missing"] or ())),
    ]
    return table(("", ""), [row for row in rows if row[1] not in (None, "")])


def _planner(assignment: JsonObject) -> str:
    until = assignment["ends_at"]
    return f"{assignment['email']} until {until}" if until else str(assignment["email"])


def _file(view: JsonObject) -> Iterator[tuple[str, object]]:
    """A row of the file, and one for each finding on it."""
    kind = " ".join(str(view[part]) for part in ("kind", "number") if view[part])
    slot = f" ({slot_in_words(view['slot'])})" if view["slot"] else ""
    length = view["length"] if view["size"] is None else view["size"]
    words = (view["id"], kind + slot, view["name"], view["state"], size(length))
    yield "file", "  ".join(filter(None, words))
    for line in findings_in_words(view["report"]) if view["report"] else ():
        yield "", f"  {line}"
