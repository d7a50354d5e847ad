"""FHIR R4 AuditEvents in a Bundle, after the Basic Audit Log Patterns of IHE (BALP 1.1.3).

An AuditEvent claims a BALP profile only where it has all that the profile asks: an act that
succeeded, asked for over the network, on one named object. Searches claim none: BALP wants the
search itself in them, and the log never has it. What FHIR has no place for stands in an entity
of type "Other", so that nothing of the log is lost.

The patient is named by the case: a case is one treatment of one person, and the log holds neither
a name nor a pseudonym.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.exports.entry import Entry
from storage.accesslog.event import AccessEvent, Action

Json = dict[str, Any]

PROFILES = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
_HL7 = "http://terminology.hl7.org/CodeSystem/"
_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_SUCCESS, _MINOR, _SERIOUS = "0", "4", "8"  # audit-event-outcome
_IP, _URI = "2", "5"  # network-type


@dataclass(frozen=True, slots=True)
class _Pattern:
    """What BALP fixes for one action: codings of the interaction and of the agents' types."""

    profile: str | None
    interaction: str
    client: Json
    server: Json
    user: Json


def _coding(system: str, code: str, display: str) -> Json:
    return {"system": system, "code": code, "display": display}


_SENDS = _coding(_DCM, "110153", "Source Role ID")
_RECEIVES = _coding(_DCM, "110152", "Destination Role ID")
_APPLICATION = _coding(_DCM, "110150", "Application")
_CUSTODIAN = _coding(f"{_HL7}provenance-participant-type", "custodian", "Custodian")
_READER = _coding(f"{_HL7}v3-ParticipationType", "IRCP", "information recipient")
_AUTHOR = _coding(f"{_HL7}v3-ParticipationType", "AUT", "author (originator)")

_PATTERNS: Mapping[Action, _Pattern] = {
    "C": _Pattern("Create", "create", _SENDS, _RECEIVES, _AUTHOR),
    "R": _Pattern("Read", "read", _RECEIVES, _SENDS, _READER),
    "U": _Pattern("Update", "update", _SENDS, _RECEIVES, _AUTHOR),
    "D": _Pattern("Delete", "delete", _APPLICATION, _CUSTODIAN, _AUTHOR),
    "E": _Pattern(None, "operation", _SENDS, _RECEIVES, _AUTHOR),
}
_SEARCH = _Pattern(None, "search-type", _SENDS, _RECEIVES, _READER)


class FhirBundle:
    """A Bundle of type "collection"."""

    def __init__(self, origin: str, made_at: datetime) -> None:
        """Name the log (its origin makes our code systems) and the time of the export, aware."""
        self._space = f"https://{origin}"
        self._made_at = made_at
        self._is_empty = True

    def begin(self) -> bytes:
        """Give the head of the Bundle."""
        head = {
            "resourceType": "Bundle",
            "type": "collection",
            "timestamp": self._made_at.isoformat(timespec="seconds"),
        }
        return json.dumps(head)[:-1].encode()

    def add(self, entry: Entry) -> bytes:
        """Give one AuditEvent."""
        # FHIR JSON has no empty arrays: the array comes with its first entry.
        before = ', "entry": [\n' if self._is_empty else ",\n"
        self._is_empty = False
        resource = audit_event(entry, self._space)
        item = {"fullUrl": f"urn:uuid:{entry.event.id}", "resource": resource}
        return f"{before}{json.dumps(item)}".encode()

    def end(self) -> bytes:
        """Close the Bundle."""
        return b"}\n" if self._is_empty else b"\n]}\n"


def audit_event(entry: Entry, space: str) -> Json:
    """Make the AuditEvent of an entry.

    Args:
        entry: The event.
        space: Where the log's own code and identifier systems live: a URL.
    """
    event = entry.event
    is_search = event.code.endswith((".list", ".search"))
    pattern = _SEARCH if is_search else _PATTERNS[event.action]
    outcome = _outcome(event)
    resource: Json = {"resourceType": "AuditEvent", "id": event.id}
    if profile := _profile(event, pattern, outcome):
        resource["meta"] = {"profile": [profile]}
    resource |= {
        "type": _coding(f"{_HL7}audit-event-type", "rest", "Restful Operation"),
        "subtype": [
            {"system": "http://hl7.org/fhir/restful-interaction", "code": pattern.interaction},
            {"system": f"{space}/event", "code": event.code},
        ],
        "action": event.action,
        "recorded": event.to_record()["event"]["at"],
        "outcome": outcome,
        "agent": list(_agents(entry, pattern, space)),
        "source": {
            "site": space,
            "observer": _named(f"{space}/node", event.source),
            "type": [_coding(f"{_HL7}security-source-type", "4", "Application Server")],
        },
        "entity": list(_entities(entry, space)),
    }
    if refusal := event.detail.get("refusal"):
        resource["outcomeDesc"] = str(refusal)
    return resource


def _outcome(event: AccessEvent) -> str:
    if event.code == "integrity.alarm":
        return _SERIOUS
    failed = event.stage == "refused" or "refusal" in event.detail
    return _MINOR if failed or event.detail.get("ended") is False else _SUCCESS


def _profile(event: AccessEvent, pattern: _Pattern, outcome: str) -> str | None:
    lacks = event.address is None or event.object_id is None or outcome != _SUCCESS
    if pattern.profile is None or lacks:
        return None
    return f"{PROFILES}{'' if event.case_id is None else 'Patient'}{pattern.profile}"


def _agents(entry: Entry, pattern: _Pattern, space: str) -> Iterator[Json]:
    event = entry.event
    client: Json = {
        "type": {"coding": [pattern.client]},
        "who": _named(f"{space}/access-point", event.access_point),
        "requestor": False,
    }
    if event.address is not None:
        client["network"] = {"address": event.address, "type": _IP}
    yield client
    yield {
        "type": {"coding": [pattern.server]},
        "who": _named(f"{space}/node", event.source),
        "requestor": False,
        "network": {"address": space, "type": _URI},
    }
    user: Json = {
        "type": {"coding": [pattern.user]},
        "who": _named(f"{space}/account", event.actor_id),
        "requestor": True,
        "role": [{"coding": [{"system": f"{space}/role", "code": event.actor_role}]}],
        "purposeOfUse": [_purpose(event.ground)],
    }
    if entry.email is not None:
        user["name"] = entry.email
    yield user


def _purpose(ground: str) -> Json:
    """The ground; of an emergency also as the code that every reader of FHIR knows."""
    if ground.partition(":")[0] != "emergency":
        return {"text": ground}
    return {"coding": [_coding(f"{_HL7}v3-ActReason", "BTG", "break the glass")], "text": ground}


def _entities(entry: Entry, space: str) -> Iterator[Json]:
    event = entry.event
    request = {"system": "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"}
    yield {
        "type": {**request, "code": "XrequestId"},
        "what": {"identifier": {"value": event.request_id}},
    }
    if event.object_id is not None:
        yield {
            "type": _coding(f"{_HL7}audit-entity-type", "2", "System Object"),
            "role": _coding(f"{_HL7}object-role", "4", "Domain Resource"),
            "what": _named(f"{space}/{event.object_type}", event.object_id),
        }
    if event.case_id is not None:
        yield {
            "type": _coding(f"{_HL7}audit-entity-type", "1", "Person"),
            "role": _coding(f"{_HL7}object-role", "1", "Patient"),
            "what": {"type": "Patient", **_named(f"{space}/patient-of-case", event.case_id)},
        }
    yield {
        "type": _coding(f"{_HL7}audit-entity-type", "4", "Other"),
        "name": "access log",
        "detail": [{"type": name, "valueString": text} for name, text in _rest(entry)],
    }


def _rest(entry: Entry) -> Iterator[tuple[str, str]]:
    """What has no element of its own, by name; texts are never empty, as FHIR wants it."""
    event = entry.event
    own = {
        "stage": event.stage,
        "cause": event.cause,
        "controller_id": event.controller_id,
        "index": entry.index,
        "number": entry.number,
    }
    for name, value in {**own, **event.detail}.items():
        for each in value if isinstance(value, list) else [value]:
            text = json.dumps(each) if isinstance(each, bool) else str(each)
            if each is not None and text:
                yield name, text


def _named(system: str, value: str) -> Json:
    return {"identifier": {"system": system, "value": value}}
