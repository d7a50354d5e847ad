"""The timeline of an incident: who did, found or said what, and when; only ever added to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.ids import new_id, now
from gateway.incidents.sealing import OpenIncident
from storage import incidents
from storage.incidents import Entry


class Line(StrEnum):
    """What a line of a timeline is about; its `ref` names it. The names are API."""

    OPENED = "opened"
    NOTE = "note"
    STATE = "state"  # the state, severity, risk or conclusion changed; `ref` is the state now
    OWNER = "owner"  # `ref` is the account that runs it now
    ALERT = "alert"  # an alert was joined
    SCOPE = "scope"  # the scope was computed
    MEASURE = "measure"  # a measure was decided on
    DONE = "done"  # a measure was carried out
    EVIDENCE = "evidence"
    NOTICE = "notice"  # a controller was told; `ref` is the controller


@dataclass(frozen=True, slots=True)
class LineSight:
    """One line, its words opened."""

    entry: Entry
    words: str | None = field(default=None, repr=False)


async def add_line(
    tx: AsyncConnection,
    opened: OpenIncident,
    kind: Line,
    *,
    by: str | None,
    ref: str | None = None,
    words: str | None = None,
) -> Entry:
    """Add a line, together with what it tells of."""
    entry_id = new_id()
    sealed = None if words is None else opened.seal(f"entry/{entry_id}", words.encode())
    entry = Entry(entry_id, opened.incident_id, kind.value, by, now(), ref, sealed)
    await incidents.add_entry(tx, entry)
    return entry


def read_lines(opened: OpenIncident, entries: Sequence[Entry]) -> list[LineSight]:
    """The lines with their words. Raises IntegrityFailedError."""
    return [LineSight(each, opened.read(f"entry/{each.id}", each.sealed_words)) for each in entries]
