"""What a client keeps of what it did: the log must hold an event for each.

A receipt is the client's own memory, written when the server answered. It convinces whoever kept
it; it is not signed, so it proves nothing to a third party.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from gateway.audit.findings import Finding, Lie
from gateway.audit.series import LEGAL_TERM, Series
from storage.accesslog.event import AccessEvent

Kind = Literal["upload", "download", "erasure", "audit"]
CODES = {
    "upload": {"file.upload", "plan.upload"},
    "download": {"file.download"},
    "erasure": {"case.erase", "file.erase", "case.rectify"},
    "audit": {"log.view"},
}


class ReceiptsError(Exception):
    """A line of the file is no receipt."""

    def __init__(self, line: int) -> None:
        """Name the line, from 1."""
        super().__init__(f"line {line} is no receipt")
        self.line = line


@dataclass(frozen=True, slots=True)
class Receipt:
    """One act, as the server answered it.

    Attributes:
        server: The server's address.
        event: Id of the event that the answer named.
        kind: What was done.
        at: When it was answered, by the clock here; ISO 8601, aware.
        case: Id of the case, if it was about one.
        file: Id of the file, if it was about one.
        sha256: Of the file as the server keeps it, in hex, where it is known.
    """

    server: str
    event: str
    kind: Kind
    at: str
    case: str | None = None
    file: str | None = None
    sha256: str | None = None

    def to_json(self) -> str:
        """One line of the file, without its end."""
        return json.dumps(asdict(self))


def parse(lines: Iterable[str]) -> Iterator[Receipt]:
    """Read the file. Raises ReceiptsError: a receipt that cannot be read is not passed over."""
    for number, line in enumerate(lines, 1):
        try:
            receipt = Receipt(**json.loads(line))
            known = receipt.kind in CODES and datetime.fromisoformat(receipt.at).tzinfo is not None
        except (ValueError, TypeError) as problem:
            raise ReceiptsError(number) from problem
        if not known:
            raise ReceiptsError(number)
        yield receipt


def check(receipts: Iterable[Receipt], series: Series, *, live: bool) -> Iterator[Finding]:
    """Find every receipt that the log does not bear out.

    Args:
        receipts: Those of this server.
        series: All events of the practice.
        live: The events were fetched just now. Else (a bundle) a receipt that is later than all
            of them is not due yet.
    """
    for receipt in receipts:
        place = series.found.get(receipt.event)
        if place is not None:
            index, event = place
            if not _agrees(receipt, event):
                yield Finding(Lie.RECEIPT_CONTRADICTED, index, receipt.event)
        elif _is_due(receipt, series, live=live):
            yield Finding(Lie.RECEIPT_MISSING, None, receipt.event)


def _is_due(receipt: Receipt, series: Series, *, live: bool) -> bool:
    if series.now - datetime.fromisoformat(receipt.at) >= LEGAL_TERM:
        return False  # pruned, or about to be
    return live or receipt.event <= series.last_id


def _agrees(receipt: Receipt, event: AccessEvent) -> bool:
    of_file = receipt.file is None or event.object_id == receipt.file
    return event.code in CODES[receipt.kind] and event.case_id == receipt.case and of_file
