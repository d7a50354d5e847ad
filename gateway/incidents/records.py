"""What the log and the rows say of one case: its files, and when it was frozen or erased.

Of an erased case the rows are gone and the log stays; of a case whose log was pruned it is the
other way round. Both are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.incidents.scope import Kind
from storage import cases, files
from storage.accesslog.event import AccessEvent
from storage.accesslog.reading import events_of_case

_UPLOADS = frozenset({"file.upload", "plan.upload"})
_ERASURES = frozenset({"case.erase", "file.erase", "case.rectify"})
_TAKEN_OUT = frozenset({"file.remove", "file.erase"})


@dataclass(slots=True)
class FileRecord:
    """One file: what it is, from when it could be taken out, and until when."""

    kind: Kind
    accepted_at: datetime | None = None
    gone_at: datetime | None = None

    def is_there(self, at: datetime) -> bool:
        """Whether it was in the vault at a moment."""
        if self.accepted_at is None or at < self.accepted_at:
            return False
        return self.gone_at is None or at < self.gone_at


@dataclass(slots=True)
class CaseRecord:
    """One case.

    `subject` is its pseudonym; None: erased since. `asked_at` is when an erasure of it, of a file
    or of what stood there before a correction was first asked for.
    """

    case_id: str
    controller_id: str
    subject: str | None = None
    created_at: datetime | None = None
    frozen_at: datetime | None = None
    erased_at: datetime | None = None
    asked_at: datetime | None = None
    files: dict[str, FileRecord] = field(default_factory=dict)

    def is_frozen(self, at: datetime) -> bool:
        """Whether nothing of it was opened any more at a moment."""
        return self.frozen_at is not None and at >= self.frozen_at

    def is_asked_for(self, at: datetime) -> bool:
        """Whether there was an erasure to be looked at, at a moment."""
        return self.asked_at is not None and at >= self.asked_at

    def files_at(self, at: datetime) -> Iterator[tuple[str, FileRecord]]:
        """The files that could be taken out at a moment."""
        return ((file_id, each) for file_id, each in self.files.items() if each.is_there(at))


async def read_case(connection: AsyncConnection, case_id: str) -> CaseRecord | None:
    """One case, or None if neither the rows nor the log know it."""
    row = await cases.get(connection, case_id)
    events = [
        AccessEvent.from_record(each.record) for each in await events_of_case(connection, case_id)
    ]
    if row is not None:
        found = CaseRecord(case_id, row.controller_id, row.pseudonym, row.created_at, row.frozen_at)
    elif events and events[0].controller_id is not None:
        found = CaseRecord(case_id, events[0].controller_id)
    else:
        return None
    for event in events:
        if event.stage == "outcome":
            if event.code in _ERASURES:
                found.asked_at = min(event.at, found.asked_at or event.at)
            _learn(found, event)
    for file in await files.of_case(connection, case_id):
        known = found.files.setdefault(file.id, FileRecord(Kind(file.kind)))
        if file.state == "accepted" and known.accepted_at is None:
            known.accepted_at = file.finished_at
    return found


def _learn(found: CaseRecord, event: AccessEvent) -> None:
    file_id = event.object_id if event.object_type == "file" else None
    if file_id is not None and event.code in _UPLOADS and "kind" in event.detail:
        found.files.setdefault(file_id, FileRecord(Kind(str(event.detail["kind"]))))
    elif file_id is not None and event.detail.get("verdict") == "accepted":
        kind = Kind(str(event.detail["kind"]))
        found.files.setdefault(file_id, FileRecord(kind)).accepted_at = event.at
    elif file_id in found.files and event.code in _TAKEN_OUT:
        found.files[file_id].gone_at = event.at
    elif event.code == "case.create":
        found.created_at = event.at
    elif event.code == "erasure.approve" or event.detail.get("step") == "frozen":
        found.frozen_at = min(event.at, found.frozen_at or event.at)
    elif event.code == "case.erase" and event.actor_role == "system":
        found.erased_at = event.at
        found.frozen_at = min(event.at, found.frozen_at or event.at)
