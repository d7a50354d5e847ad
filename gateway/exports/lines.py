"""JSON lines for a SIEM, and CSV (RFC 4180) for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import fields

from gateway.exports.entry import Entry
from storage.accesslog.event import AccessEvent

COLUMNS = (*(field.name for field in fields(AccessEvent)), "email", "index", "number")

# A spreadsheet takes a cell that begins so for a formula (OWASP, CSV Injection); the wide forms
# are what an East Asian one takes too.
_FORMULA = tuple(
    "=+-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
    "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)


class JsonLines:
    """One JSON object a line, in ASCII."""

    def begin(self) -> bytes:
        """Nothing stands before the first line."""
        return b""

    def add(self, entry: Entry) -> bytes:
        """Give the line of an entry."""
        return f"{entry.to_json()}\n".encode("ascii")

    def end(self) -> bytes:
        """Nothing stands behind the last line."""
        return b""


class Csv:
    """A line of names, then a line for each entry; every cell is quoted, no cell is a formula."""

    def begin(self) -> bytes:
        """Give the line of names."""
        return _line(COLUMNS)

    def add(self, entry: Entry) -> bytes:
        """Give the line of an entry."""
        event = entry.event
        values = {field.name: getattr(event, field.name) for field in fields(event)}
        values["at"] = event.to_record()["event"]["at"]
        values["detail"] = json.dumps(dict(event.detail)) if event.detail else None
        values |= {"email": entry.email, "index": entry.index, "number": entry.number}
        return _line(["" if values[name] is None else str(values[name]) for name in COLUMNS])

    def end(self) -> bytes:
        """Nothing stands behind the last line."""
        return b""


def _line(cells: Sequence[str]) -> bytes:
    out = io.StringIO()
    # An apostrophe makes it text to a spreadsheet; quotes alone do not.
    safe = [f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells]
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(safe)
    return out.getvalue().encode()
