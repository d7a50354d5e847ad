"""What a person reads of a file: what was measured on it, what was found, what it is taken for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway.cli import texts
from gateway.cli.client import JsonObject
from gateway.privacy.completeness import WORDS, Slot


def report_in_words(report: Mapping[str, Any] | None) -> str:
    """What was measured, in a line, and a line for each finding."""
    if not report:
        return ""
    return "\n  ".join([_measured(report), *findings_in_words(report)])


def findings_in_words(report: Mapping[str, Any]) -> Iterator[str]:
    """A line for each finding; its sentence holds the number and the unit."""
    for finding in report["findings"]:
        severity = texts.SEVERITIES[finding["severity"]].say()
        yield f"{severity}: {finding[f'message_{texts.language()}']}"


def slot_in_words(slot: str) -> str:
    """What a file with this slot shows."""
    words = WORDS[Slot(slot)]
    return words.nl if texts.language() == "nl" else words.en


def missing_in_words(places: Iterable[JsonObject]) -> str:
    """The files that a treatment asks for, as a list in a sentence."""
    return "; ".join(
        f"{texts.KINDS[place['kind']].say()} {slot_in_words(place['slot'])}" for place in places
    )


def _measured(report: Mapping[str, Any]) -> str:
    if report["kind"] == "document":
        return texts.DOCUMENT_REPORT.say()
    if report["kind"] == "photo":
        removed = ", ".join(report["removed"]) or texts.NOTHING.say()
        return texts.PHOTO_REPORT.say(
            width=report["width_px"], height=report["height_px"], removed=removed
        )
    x, y, z = report["box_mm"]["size"]
    return texts.SCAN_REPORT.say(triangles=report["triangles"], x=x, y=y, z=z)
