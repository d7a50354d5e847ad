"""`kluis erase`, `kluis erasure` and `kluis case correct`, against a server that carries it out."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.cli.conftest import Kluis, Ran
from tests.gateway.exports.test_readable import shown_in
from tests.gateway.ground import SQLITE, change, employee
from tests.house import API, PASSPHRASE, PASSWORD, House, Person

pytestmark = SQLITE
REASON = ("--reason", "asked for in a test")


async def run(kluis: Kluis, house: House, person: Person, *words: object) -> Ran:
    """One command of somebody, as JSON."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KLUIS_SERVER", house.url)
        patch.setenv("KLUIS_TOKEN", person.token or "")
        return await asyncio.to_thread(kluis, *words, "--json")


async def verified(kluis: Kluis, house: House, directory: Path, certificate: Any) -> Any:
    """What `kluis certificate verify` answers, and its page says."""
    path, pdf = directory / "certificate.json", directory / "certificate.pdf"
    path.write_text(json.dumps(certificate))
    keys = ("--key", house.settings.certificate_key_path, "--log-key", house.settings.log_key_path)
    ran = await asyncio.to_thread(
        kluis, "certificate", "verify", path, *keys, "--pdf", pdf, "--json"
    )
    assert ran.code == 0, ran.err
    assert certificate["body"]["certificate_id"] in shown_in(pdf.read_bytes())
    pdf.unlink()
    return ran.answer["body"]


async def test_one_file_is_erased_and_its_certificate_verifies(
    house: House, kluis: Kluis, tmp_path: Path
) -> None:
    case_id, scan = await house.submitted_case()
    words = ("erase", case_id, "--file", scan["id"], *REASON)

    unconfirmed = await run(kluis, house, house.dentist, *words, "--confirm", case_id)
    erased = await run(kluis, house, house.dentist, *words, "--confirm", scan["id"])
    again = await run(kluis, house, house.dentist, *words, "--confirm", scan["id"])

    assert (unconfirmed.code, unconfirmed.failure["field"]) == (2, "confirm")
    assert erased.code == again.code == 0, erased.err
    assert again.answer == erased.answer
    body = await verified(kluis, house, tmp_path, erased.answer)
    assert (body["kind"], body["files"][0]["id"]) == ("file", scan["id"])


async def test_a_correction_is_shown_until_its_certificate_is_there(
    house: House, kluis: Kluis, tmp_path: Path
) -> None:
    case_id = await house.dentist.new_case()
    patient = ("--patient-name", "Ada Right", "--birth-date", "2000-01-02")
    words = ("case", "correct", case_id, *patient, "--patient-number", "R-1")

    asked = await run(kluis, house, house.dentist, *words)
    request_id = asked.answer["request_id"]
    shown = await run(kluis, house, house.dentist, "erasure", "show", request_id)

    assert asked.code == shown.code == 0
    [certificate] = shown.answer
    assert (await verified(kluis, house, tmp_path, certificate))["kind"] == "rectification"
    seen = await house.dentist.get(f"{API}/cases/{case_id}")
    assert seen["patient"]["name"] == "Ada Right"


async def test_cases_are_erased_together_in_one_request(
    house: House, kluis: Kluis, tmp_path: Path
) -> None:
    cases = [await house.dentist.new_case() for _ in range(3)]

    wrong = await run(kluis, house, house.dentist, "erase", *cases, *REASON, "--confirm", "2")
    erased = await run(kluis, house, house.dentist, "erase", *cases, *REASON, "--confirm", "3")

    assert (wrong.code, wrong.failure["field"]) == (2, "confirm")
    assert erased.code == 0, erased.err
    bodies = [await verified(kluis, house, tmp_path, each) for each in erased.answer]
    assert [body["case_id"] for body in bodies] == cases
    assert len({body["request_id"] for body in bodies}) == 1
    assert {body["key"]["destroyed_version"] for body in bodies} == {1}
    assert (await run(kluis, house, house.dentist, "erasure", "list")).answer == []


async def test_many_at_once_wait_for_a_colleague_and_may_be_withdrawn(
    house: House, kluis: Kluis
) -> None:
    await change(house, "UPDATE controllers SET erasure_second_from = 2")
    colleague = await house.add_person("dentist", house.practice.id)
    first = [await house.dentist.new_case() for _ in range(2)]

    words = ("erase", *first, *REASON, "--confirm", "2")
    asked = await run(kluis, house, house.dentist, *words)
    request_id = asked.answer["request_id"]
    listed = await run(kluis, house, colleague, "erasure", "list")
    withdrawn = await run(kluis, house, colleague, "erasure", "withdraw", request_id)
    again = await run(kluis, house, house.dentist, *words)
    approved = await run(kluis, house, colleague, "erasure", "approve", again.answer["request_id"])
    shown = await run(kluis, house, colleague, "erasure", "show", again.answer["request_id"])

    assert asked.answer["step"] == "waiting"
    assert asked.answer["waits_until"] is not None
    assert [row["request_id"] for row in listed.answer] == [request_id] * 2
    assert withdrawn.code == 0, withdrawn.err
    assert again.answer["request_id"] != request_id
    assert approved.answer == {"approved": 2}
    assert [each["body"]["case_id"] for each in shown.answer] == first
    assert {each["body"]["second_by"] for each in shown.answer} == {colleague.id}


async def test_a_file_is_of_one_case(house: House, kluis: Kluis) -> None:
    cases = [await house.dentist.new_case() for _ in range(2)]
    ran = await run(
        kluis, house, house.dentist, "erase", *cases, "--file", cases[0], *REASON, "--confirm", "2"
    )

    assert (ran.code, ran.failure["field"]) == (2, "file")


@pytest.fixture
def at_the_directory(house: House, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """What the operator's commands need to find the house."""
    monkeypatch.setenv("KLUIS_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("KLUIS_DATABASE_URL", house.settings.database_url)
    monkeypatch.setenv("KLUIS_KEYSTORE_URL", house.settings.keystore_url)
    return ("--data", str(house.settings.data), "--json")


async def test_a_client_is_set_to_wait_and_ended_by_the_operator_and_an_officer(
    house: House,
    kluis: Kluis,
    at_the_directory: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case_id, client = await house.dentist.new_case(), house.practice.id
    officer, to = await employee(house, "privacy_officer"), tmp_path / "certificates"
    limits = ("--erasure-delay-hours", "0", "--erasure-second-person-from", "1")
    words = ("client", "erase", client, "--reason", "it ends", "--to", to)
    agreed = ("--confirm", client, "--officer", officer, "--password-stdin")

    changed = await asyncio.to_thread(kluis, "client", "set", client, *limits, *at_the_directory)
    asked = await run(kluis, house, house.dentist, "erase", case_id, *REASON, "--confirm", case_id)
    alone = await asyncio.to_thread(kluis, *words, "--confirm", client, *at_the_directory)
    unconfirmed = await asyncio.to_thread(kluis, *words, *at_the_directory)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    ended = await asyncio.to_thread(kluis, *words, *agreed, *at_the_directory)

    assert changed.answer == {
        "id": client,
        "erasure_delay_hours": 0,
        "erasure_second_from": 1,
    }
    assert asked.answer["step"] == "waiting"
    assert asked.answer["waits_until"] is None
    assert (alone.code, alone.failure["field"]) == (2, "second")
    assert (unconfirmed.code, unconfirmed.failure["field"]) == (2, "confirm")
    assert ended.code == 0, ended.err
    certificates = [json.loads(path.read_text()) for path in sorted(to.iterdir())]
    bodies = [await verified(kluis, house, tmp_path, each) for each in certificates]
    by_kind = {body["kind"]: body for body in bodies}
    assert by_kind["case"]["case_id"] == case_id
    assert [each["id"] for each in by_kind["client"]["cases"]] == [case_id]
