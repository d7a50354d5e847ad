"""What the gateway adds to the findings of an inspection, because it knows the case.

The worker knows neither the patient nor the other files. A remark stands among the findings of the
report and has their form, so that whoever shows findings shows remarks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gateway.inspection.errors import Words
from gateway.privacy.completeness import WORDS as SLOTS
from gateway.privacy.completeness import Slot
from gateway.privacy.verdict import Verdict
from storage.files import File

Where = Literal["file_name", "file"]

_IDENTIFIERS: Mapping[str, Words] = {
    "name": Words("the patient's name", "de naam van de patiënt"),
    "birth_date": Words("the birth date", "de geboortedatum"),
    "number": Words("the patient's number", "het patiëntnummer"),
    "bsn": Words("a BSN", "een BSN"),
}
_REMOVED: Mapping[Where, Words] = {
    "file_name": Words(
        "The name of the file held {kinds}: taken out. Name files by what they show.",
        "De bestandsnaam bevatte {kinds}: verwijderd. Noem bestanden naar wat erop staat.",
    ),
    "file": Words(
        "Text inside the file held {kinds}: taken out. Have your scanner or camera export without"
        " patient details.",
        "Tekst in het bestand bevatte {kinds}: verwijderd. Laat scanner of camera exporteren"
        " zonder patiëntgegevens.",
    ),
}
_SENT_BEFORE: Mapping[str, Words] = {
    "scan": Words(
        "This is the same scan as {before}. Check whether another one was meant.",
        "Dit is dezelfde scan als {before}. Controleer of een andere bedoeld was.",
    ),
    "photo": Words(
        "This is the same photo as {before}. Check whether another one was meant.",
        "Dit is dezelfde foto als {before}. Controleer of een andere bedoeld was.",
    ),
    "plan": Words(
        "This is the same plan as {before}. Check whether another one was meant.",
        "Dit is hetzelfde plan als {before}. Controleer of een ander bedoeld was.",
    ),
}
_KINDS: Mapping[str, Words] = {
    "scan": Words("scan", "scan"),
    "photo": Words("photo", "foto"),
    "plan": Words("plan", "plan"),
}

_NOWHERE: Mapping[str, object] = {"places": [], "region": None}  # a remark is of the whole file


@dataclass(frozen=True, slots=True)
class IdentifiersRemoved:
    """Identifiers of the patient, or a BSN, that stood in the file's name or in texts inside it.

    `kinds` are those of `redaction`: never what was found.
    """

    where: Where
    kinds: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """In the form of a finding."""
        said, words = [_IDENTIFIERS[kind] for kind in self.kinds], _REMOVED[self.where]
        return {
            "code": "identifiers_removed",
            "severity": "note",
            "number": len(self.kinds),
            "unit": "kinds",
            "where": self.where,
            "kinds": list(self.kinds),
            **_NOWHERE,
            "message_en": words.en.format(kinds=", ".join(kind.en for kind in said)),
            "message_nl": words.nl.format(kinds=", ".join(kind.nl for kind in said)),
        }


@dataclass(frozen=True, slots=True)
class SentBefore:
    """The file is the same as an earlier one of its kind in this case."""

    kind: str
    number: int
    slot: Slot | None

    def to_json(self) -> dict[str, object]:
        """In the form of a finding; `number` is that of the earlier file."""
        words, kind = _SENT_BEFORE[self.kind], _KINDS[self.kind]
        slot = None if self.slot in {None, Slot.OTHER} else SLOTS[self.slot]
        before_en = f"{kind.en} {self.number}" + (f" ({slot.en})" if slot else "")
        before_nl = f"{kind.nl} {self.number}" + (f" ({slot.nl})" if slot else "")
        return {
            "code": "sent_before",
            "severity": "warning",
            "number": self.number,
            "unit": self.kind,
            **_NOWHERE,
            "message_en": words.en.format(before=before_en),
            "message_nl": words.nl.format(before=before_nl),
        }


Remark = IdentifiersRemoved | SentBefore


def sent_before(
    kind: str, verdict: Verdict, earlier: Sequence[tuple[File, Verdict]]
) -> tuple[SentBefore, ...]:
    """The first earlier file that is this one again, if any.

    Args:
        kind: Of the new file; another kind is never the same.
        verdict: Of the new file.
        earlier: Accepted files of the case with their verdicts, oldest first.
    """
    for file, known in earlier:
        if file.kind == kind and file.number is not None and _are_same(known, verdict):
            slot = None if file.slot is None else Slot(file.slot)
            return (SentBefore(kind, file.number, slot),)
    return ()


def with_remarks(report: Mapping[str, Any], remarks: Sequence[Remark]) -> Mapping[str, Any]:
    """The report with the remarks behind its own findings."""
    return {**report, "findings": [*report["findings"], *(one.to_json() for one in remarks)]}


def _are_same(one: Verdict, other: Verdict) -> bool:
    """Bit for bit, or the same geometry in another order or format."""
    shape = one.report.get("same_scan")
    return one.sha256 == other.sha256 or (
        shape is not None and shape == other.report.get("same_scan")
    )
