"""The FHIR export: R4 by the models, BALP by its own rules."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from fhir.resources.R4B.bundle import Bundle

from gateway.access.policy import POLICY, Action
from gateway.exports.entry import Entry
from gateway.exports.fhir import PROFILES, FhirBundle, audit_event
from tests.gateway.exports.ground import AT, CASE, entry

SPACE = "https://log.example/lab"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
ENTITY = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
CUSTODIAN = ("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "custodian")

# BALP 1.1.3: interaction, and the types of the agents client, server and user.
BALP: dict[str, tuple[str, tuple[str, str], tuple[str, str], tuple[str, str]]] = {
    "Create": ("create", (DCM, "110153"), (DCM, "110152"), (PARTICIPATION, "AUT")),
    "Read": ("read", (DCM, "110152"), (DCM, "110153"), (PARTICIPATION, "IRCP")),
    "Update": ("update", (DCM, "110153"), (DCM, "110152"), (PARTICIPATION, "AUT")),
    "Delete": ("delete", (DCM, "110150"), CUSTODIAN, (PARTICIPATION, "AUT")),
}


def exported(*entries: Entry) -> dict[str, Any]:
    export = FhirBundle("log.example/lab", AT)
    content = export.begin() + b"".join(map(export.add, entries)) + export.end()
    bundle: dict[str, Any] = json.loads(content)
    return bundle


def code_of(agent: dict[str, Any]) -> tuple[str, str]:
    coding = agent["type"]["coding"][0]
    return coding["system"], coding["code"]


def of_type(resource: dict[str, Any], code: str) -> list[dict[str, Any]]:
    return [
        each
        for each in resource["entity"]
        if (each["type"]["system"], each["type"]["code"]) == (ENTITY, code)
    ]


def check_profile(resource: dict[str, Any]) -> None:
    """What the profile that a resource claims asks of it."""
    (claimed,) = resource["meta"]["profile"]
    assert claimed.startswith(PROFILES)
    name = claimed.removeprefix(PROFILES)
    interaction, *types = BALP[name.removeprefix("Patient")]
    assert resource["type"]["code"] == "rest"
    assert {"system": "http://hl7.org/fhir/restful-interaction", "code": interaction} in resource[
        "subtype"
    ]
    assert resource["action"] == name.removeprefix("Patient")[0]
    assert resource["outcome"] == "0"
    agents = {code_of(agent): agent for agent in resource["agent"]}
    assert list(agents) == types
    client, server, user = agents.values()
    for machine in (client, server):
        assert machine["who"]
        assert machine["network"]["address"]
        assert machine["requestor"] is False
        assert "media" not in machine
    assert user["requestor"] is True
    assert not {"network", "media"} & set(user)
    (the_object,) = of_type(resource, "2")
    assert the_object["role"]["code"] == "4"
    assert the_object["what"]
    patients = of_type(resource, "1")
    assert len(patients) == name.startswith("Patient")
    for patient in patients:
        assert patient["role"]["code"] == "1"
        assert patient["what"]["type"] == "Patient"
    (request,) = [each for each in resource["entity"] if each["type"]["code"] == "XrequestId"]
    assert request["what"]["identifier"]["value"]


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("stage", ["authorised", "refused", "outcome"])
def test_every_act_is_a_valid_audit_event(action: Action, stage: str) -> None:
    made = entry(code=action.value, action=POLICY[action].letter, stage=stage)

    resource = audit_event(made, SPACE)

    read = AuditEvent.model_validate_json(json.dumps(resource))
    assert read.action == POLICY[action].letter
    if "meta" in resource:
        check_profile(resource)


@pytest.mark.parametrize(("letter", "name"), [(name[0], name) for name in BALP])
@pytest.mark.parametrize("case_id", [CASE, None])
def test_an_act_on_one_object_claims_its_profile(
    letter: str, name: str, case_id: str | None
) -> None:
    resource = audit_event(entry(code="file.act", action=letter, case_id=case_id), SPACE)

    (claimed,) = resource["meta"]["profile"]
    assert claimed == f"{PROFILES}{'Patient' if case_id else ''}{name}"
    check_profile(resource)


@pytest.mark.parametrize(
    "changes",
    [
        {"stage": "refused", "detail": {"refusal": "forbidden"}},
        {"stage": "outcome", "detail": {"ended": False}},
        {"stage": "outcome", "detail": {"refusal": "not_found"}},
        {"address": None},
        {"object_type": None, "object_id": None},
        {"code": "case.list"},
        {"code": "case.search"},
        {"action": "E"},
    ],
)
def test_what_lacks_anything_of_a_profile_claims_none(changes: dict[str, Any]) -> None:
    resource = audit_event(entry(**changes), SPACE)

    assert "meta" not in resource
    AuditEvent.model_validate_json(json.dumps(resource))


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "0"),
        ({"stage": "outcome", "detail": {"bytes": 684, "ended": True}}, "0"),
        ({"stage": "outcome", "detail": {"bytes": 3, "ended": False}}, "4"),
        ({"stage": "refused", "detail": {"refusal": "forbidden"}}, "4"),
        ({"stage": "refused", "code": "integrity.alarm", "action": "E"}, "8"),
    ],
)
def test_the_outcome_says_how_bad_it_is(changes: dict[str, Any], outcome: str) -> None:
    assert audit_event(entry(**changes), SPACE)["outcome"] == outcome


def test_what_fhir_has_no_place_for_is_kept() -> None:
    detail = {"refusal": "forbidden", "cases": ["a", "b"], "bytes": 684, "ended": False}
    resource = audit_event(entry(4, stage="refused", cause="event-1", detail=detail), SPACE)

    (rest,) = of_type(resource, "4")
    kept = [(each["type"], each["valueString"]) for each in rest["detail"]]
    assert kept == [
        ("stage", "refused"),
        ("cause", "event-1"),
        ("controller_id", "practice-1"),
        ("index", "14"),
        ("number", "4"),
        ("refusal", "forbidden"),
        ("cases", "a"),
        ("cases", "b"),
        ("bytes", "684"),
        ("ended", "false"),
    ]
    assert resource["outcomeDesc"] == "forbidden"


def test_the_user_is_named_with_role_and_ground() -> None:
    user = audit_event(entry(1, "planner@lab.example"), SPACE)["agent"][2]

    assert user["name"] == "planner@lab.example"
    assert user["who"]["identifier"] == {"system": f"{SPACE}/account", "value": "account-1"}
    assert user["role"] == [{"coding": [{"system": f"{SPACE}/role", "code": "planner"}]}]
    assert user["purposeOfUse"] == [{"text": "assignment:assignment-7"}]


def test_an_emergency_is_marked_by_the_code_that_every_reader_knows() -> None:
    resource = audit_event(entry(1, ground="emergency:emergency-7"), SPACE)
    (purpose,) = resource["agent"][2]["purposeOfUse"]

    assert AuditEvent.model_validate(resource)
    assert (purpose["coding"][0]["code"], purpose["text"]) == ("BTG", "emergency:emergency-7")


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_bundle_is_valid_however_many_events_it_has(count: int) -> None:
    made = [entry(number, detail={"note": ""}) for number in range(1, count + 1)]

    bundle = exported(*made)

    read = Bundle.model_validate_json(json.dumps(bundle))
    assert read.type == "collection"
    assert [each["resource"]["id"] for each in bundle.get("entry", [])] == [
        each.event.id for each in made
    ]
    assert all(
        each["fullUrl"] == f"urn:uuid:{each['resource']['id']}" for each in bundle.get("entry", [])
    )


def test_the_models_refuse_what_is_no_audit_event() -> None:
    resource = audit_event(entry(), SPACE)
    del resource["recorded"]

    with pytest.raises(ValueError, match="recorded"):
        AuditEvent.model_validate_json(json.dumps(resource))
